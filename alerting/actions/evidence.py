"""What the guard is given: the situation of a model, what asks, and what the windows of both versions show; frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from alerting.actions.reasons import Ground, Refusal
from monitor.action_holds import ActionHold
from monitor.deployments import DeploymentEvent
from monitor.reference.layout import ColumnRole
from monitor.types import ActionKind, ActionState, IncidentKind, Tier

PREDICTION_ROLES = frozenset({ColumnRole.SCORE, ColumnRole.LABEL, ColumnRole.VALUE})


class PastAction(Protocol):
    """An earlier action of the same model that was not refused; *decided_at* is wall-clock milliseconds."""

    @property
    def incident_id(self) -> str: ...
    @property
    def kind(self) -> ActionKind: ...
    @property
    def state(self) -> ActionState: ...
    @property
    def reason(self) -> str: ...
    @property
    def from_version(self) -> str: ...
    @property
    def window_end(self) -> int: ...
    @property
    def decided_at(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is so for the model as a whole when an incident asks; times in epoch milliseconds.

    Attributes:
        now_millis: The database's clock.
        actions_enabled: False: the switch of this process stops every action.
        holds: By which people stop actions of this model.
        common_cause: So many models became bad at about the same time that no single one of them is the cause.
        hour_spent: The actions of all models together have spent their hourly budget.
        history: Deployments up to now; one dated in the future decides nothing yet.
        earlier: Actions of the model that were not refused.
        open_incidents: Ids of the model's open incidents.
        adopted_at: When another reference was put in force, None if never.
    """

    now_millis: int
    actions_enabled: bool
    data_quality_open: bool
    holds: Sequence[ActionHold] = ()
    common_cause: bool = False
    hour_spent: bool = False
    history: Sequence[DeploymentEvent] = ()
    earlier: Sequence[PastAction] = ()
    open_incidents: frozenset[str] = frozenset()
    adopted_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The incident and window that an action is proposed for.

    Attributes:
        kind, tier, version: Of the incident that asks.
        opened_end: End of the window that opened it.
        window_end: End of the window that made it ask; *fresh* says whether that is new enough.
        inputs_alone: Of the version's open incidents only inputs are critical, neither prediction nor quality.
    """

    incident_id: str
    kind: IncidentKind
    tier: Tier
    version: str
    opened_end: int
    window_end: int
    fresh: bool
    inputs_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A conclusive window that shows something: its end, and how old it may be to be acted on (ms)."""

    end: int
    allowed_age: int

    def fresh_at(self, now_millis: int) -> bool:
        """Return whether it may still be acted on."""
        return now_millis - self.end <= self.allowed_age


class Comparison(Enum):
    """Labelled quality of the target against the judged version's."""

    BETTER = "better"
    NOT_BETTER = "not better"
    NO_LABELS = "no labels"


class Decisions(Enum):
    """Whether the shares of predicted labels changed with the score."""

    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetEvidence:
    """One version that a rollback could serve again.

    Attributes:
        serves: At the same time as the judged version, so that both see the same inputs.
        served_until: When it last served (ms); now, if it serves.
        seen: Its newest conclusive window while it served; None: nothing is known of it.
        shows_it: Its windows show the shift of the judged version too, or an incident of it is open: both are bad.
        flagged: It was bad when it was replaced.
        blocked: It was rolled back before.
        same_schema: It read the columns that are counted now.
        quality: Its labels against the judged version's.
        side_by_side: Where it serves: windows in which the labels of both versions prove the judged one worse while no
            input of either drifts.
        was_falling: Where it does not serve: its labels were getting worse when it was replaced.
    """

    version: str
    serves: bool
    served_until: int
    seen: Sighting | None
    shows_it: bool
    flagged: bool = False
    blocked: bool = False
    same_schema: bool = True
    quality: Comparison = Comparison.NO_LABELS
    side_by_side: Sighting | None = None
    was_falling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackEvidence:
    """What the judged version's windows show now, and those of the versions before it.

    A sighting is of the newest conclusive window that shows it, None where none does: a later conclusive window of
    the same scale that does not show it any more removes it.

    Attributes:
        seen: The version's newest conclusive window of any kind: it serves.
        shift: Critical drift of the prediction (key 1).
        inputs: Critical drift of inputs that carry much of the importance (key 1 too).
        inputs_critical: Some input drifts critically, important or not.
        worse: Labelled quality proven critical (key 2).
        fine: Mature labelled quality of the time of the shift, and nothing wrong with it.
        inputs_moved: Features drift at tier alert at least.
        world_may_have_changed: Of worse quality where no target serves: inputs drift at any tier, or it was not seen
            from the version's first windows on.
        version_bound: Prediction or quality changed with this version while its inputs are stable.
        prediction_alone: Only its prediction changed, lately or not: its inputs are stable, no label shows it worse.
    """

    seen: Sighting | None = None
    shift: Sighting | None = None
    inputs: Sighting | None = None
    inputs_critical: bool = False
    worse: Sighting | None = None
    fine: Sighting | None = None
    decisions: Decisions = Decisions.UNKNOWN
    inputs_moved: bool = False
    world_may_have_changed: bool = False
    version_bound: bool = False
    prediction_alone: bool = False
    targets: Sequence[TargetEvidence] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardAnswer:
    """The guard's answer about one action: refused with a reason, or granted.

    Attributes:
        to_version, ground: Of a granted rollback.
        needs_approval: A person decides whether it is sent.
        newest: Of a refused rollback: what the newest windows show of one that waits for a person, if anything.
    """

    kind: ActionKind
    refusal: Refusal | None = None
    to_version: str | None = None
    ground: Ground | None = None
    needs_approval: bool = False
    newest: Ground | Refusal | None = None
