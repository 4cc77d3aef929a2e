"""Who served when: periods of stages and replaced versions, cut from the deployments' history; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from monitor.types import Stage


class DeploymentEvent(Protocol):
    """From *event_time* (ms) on, *version* stands in *stage*.

    *traffic* is its share, None where the event gives none; *assumed*: no event says so, an accepted rollback does.
    """

    @property
    def version(self) -> str: ...
    @property
    def event_time(self) -> int: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def traffic(self) -> float | None: ...
    @property
    def assumed(self) -> bool: ...


Event = TypeVar("Event", bound=DeploymentEvent)


@dataclass(frozen=True, slots=True)
class Period:
    """One version in one stage over ``[start, end)`` in milliseconds; *end* None: it still is."""

    version: str
    stage: Stage
    start: int
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A version that stands in no stage any more *since* (ms).

    Attributes:
        by: The version that entered production instead; None: its own event retired or drained it.
        assumed: No event says so; it follows from an accepted rollback.
    """

    version: str
    since: int
    by: str | None = None
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """What one event changed: the versions whose period it ended, and whether it began one of its own version."""

    event: DeploymentEvent
    ended: tuple[str, ...]
    begins: bool


def history_until(history: Sequence[Event], *, at: int) -> tuple[Event, ...]:
    """Return the part of *history* up to *at* (ms): a deployment dated after it decides nothing yet."""
    return tuple(event for event in history if event.event_time <= at)


def periods(history: Sequence[DeploymentEvent]) -> tuple[Period, ...]:
    """Return every period in order of start.

    *history* is in order of event time. A version that enters production ends those that were there, unless its share
    of the traffic is below 1: then they serve together. An event that repeats a version's stage cuts nothing of its
    own; one in production with a share of 0 ends the version's period.
    """
    closed: list[Period] = []
    current: dict[str, Period] = {}
    for change in _changes(history):
        event = change.event
        for version in change.ended:
            period = current.pop(version)
            closed.append(Period(period.version, period.stage, period.start, event.event_time))
        if change.begins:
            current[event.version] = Period(event.version, event.stage, event.event_time)
    return tuple(sorted([*closed, *current.values()], key=lambda period: (period.start, period.version)))


def replaced_versions(history: Sequence[DeploymentEvent]) -> dict[str, Replacement]:
    """Return the versions that were deployed and stand in no stage any more at the end of *history*."""
    replaced: dict[str, Replacement] = {}
    for change in _changes(history):
        event = change.event
        for version in change.ended:
            by = event.version if version != event.version else None
            replaced[version] = Replacement(version=version, since=event.event_time, by=by, assumed=event.assumed)
        if change.begins:
            replaced.pop(event.version, None)
        elif event.stage is Stage.RETIRED:
            retired = Replacement(version=event.version, since=event.event_time, assumed=event.assumed)
            replaced.setdefault(event.version, retired)
    return replaced


def deployed_since(history: Sequence[DeploymentEvent]) -> dict[str, int]:
    """Return for each version that an event has put to work the time (ms) of the first such event."""
    since: dict[str, int] = {}
    for event in history:
        if event.stage is not Stage.RETIRED and not event.assumed:
            since.setdefault(event.version, event.event_time)
    return since


def _changes(history: Sequence[DeploymentEvent]) -> Iterator[_Change]:
    standing: dict[str, Stage] = {}
    for event in history:
        serves = event.stage is not Stage.RETIRED and not (event.stage is Stage.PRODUCTION and event.traffic == 0)
        before = standing.get(event.version)
        ended = [] if before is None or (serves and before is event.stage) else [event.version]
        if event.stage is Stage.PRODUCTION and (event.traffic is None or event.traffic >= 1):
            ended += [
                version for version, stage in standing.items() if stage is Stage.PRODUCTION and version != event.version
            ]
        for version in ended:
            del standing[version]
        begins = serves and event.version not in standing
        if begins:
            standing[event.version] = event.stage
        yield _Change(event, tuple(ended), begins)
