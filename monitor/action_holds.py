"""Holds: which actions people stopped, of one model, a namespace or all; who, why, since and until when; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.humanize import moment
from monitor.types import ActionKind, ModelKey

_KINDS = {ActionKind.ROLLBACK: "rollbacks", ActionKind.RETRAINING: "retrainings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldScope:
    """What a hold stops: actions of *model*, those of a *namespace*, or all where both are None.

    Attributes:
        kind: The only kind of action that is stopped; None: every kind.
    """

    model: ModelKey | None = None
    namespace: str | None = None
    kind: ActionKind | None = None

    @property
    def words(self) -> str:
        """The scope for people: 'rollbacks of credit', 'actions of namespace eu', 'all actions'."""
        what = "actions" if self.kind is None else _KINDS[self.kind]
        if self.model is not None:
            return f"{what} of {self.model}"
        return f"all {what}" if self.namespace is None else f"{what} of namespace {self.namespace}"

    def covers(self, other: "HoldScope") -> bool:
        """Return whether it stops some of the actions in *other* of each of its models."""
        if self.kind is not None and other.kind not in (None, self.kind):
            return False
        if self.model is not None:
            return self.model == other.model
        return self.namespace in (None, other.namespace, None if other.model is None else other.model.namespace)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionHold:
    """One hold; times are wall-clock milliseconds.

    Attributes:
        until: When it ends without a person; None: never.
        released_by: Who released or replaced it, and since when it holds no more; None: nobody.
    """

    id: int
    scope: HoldScope
    who: str
    why: str
    since: int
    until: int | None = None
    released_by: str | None = None
    released_at: int | None = None

    @property
    def words(self) -> str:
        """Who holds what since and until when, and why."""
        until = "until it is released" if self.until is None else f"until {moment(self.until)} UTC"
        return f"{self.who} holds {self.scope.words} since {moment(self.since)} UTC, {until}: {self.why}"


def hold_on(holds: Iterable[ActionHold], kind: ActionKind) -> ActionHold | None:
    """Return the first of *holds*, which are of one model, that stops its actions of *kind*."""
    return next((hold for hold in holds if hold.scope.kind in (None, kind)), None)
