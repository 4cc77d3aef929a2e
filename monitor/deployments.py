"""Who served when: periods of stages cut from the deployments' history; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.types import Stage


class DeploymentEvent(Protocol):
    """From *event_time* (ms) on, *version* stands in *stage*."""

    @property
    def version(self) -> str: ...
    @property
    def event_time(self) -> int: ...
    @property
    def stage(self) -> Stage: ...


@dataclass(frozen=True, slots=True)
class Period:
    """One version in one stage over ``[start, end)`` in milliseconds; *end* None: it still is."""

    version: str
    stage: Stage
    start: int
    end: int | None = None


def periods(history: Sequence[DeploymentEvent]) -> tuple[Period, ...]:
    """Return every period in order of start; a version that enters production ends the one that was there.

    *history* is in order of event time. An event that repeats a version's stage (a change of traffic) cuts nothing.
    """
    closed: list[Period] = []
    current: dict[str, Period] = {}
    for event in history:
        standing = current.get(event.version)
        if standing is not None and standing.stage is event.stage:
            continue
        ending = [] if standing is None else [event.version]
        if event.stage is Stage.PRODUCTION:
            ending += [
                version
                for version, period in current.items()
                if period.stage is Stage.PRODUCTION and version != event.version
            ]
        for version in ending:
            period = current.pop(version)
            closed.append(Period(period.version, period.stage, period.start, event.event_time))
        if event.stage is not Stage.RETIRED:
            current[event.version] = Period(event.version, event.stage, event.event_time)
    return tuple(sorted([*closed, *current.values()], key=lambda period: (period.start, period.version)))
