"""Who served when: periods of stages cut from the deployments' history, and the version to go back to; pure."""

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
            ending += [v for v, p in current.items() if p.stage is Stage.PRODUCTION and v != event.version]
        for version in ending:
            period = current.pop(version)
            closed.append(Period(period.version, period.stage, period.start, event.event_time))
        if event.stage is not Stage.RETIRED:
            current[event.version] = Period(event.version, event.stage, event.event_time)
    return tuple(sorted([*closed, *current.values()], key=lambda each: (each.start, each.version)))


def serving_period(history: Sequence[DeploymentEvent], version: str) -> Period | None:
    """Return the period in which *version* takes traffic now, as canary or in production; None when it does not."""
    for each in periods(history):
        if each.version == version and each.end is None and each.stage in (Stage.CANARY, Stage.PRODUCTION):
            return each
    return None


def ever_deployed(history: Sequence[DeploymentEvent], version: str) -> bool:
    """Return whether the history knows of *version* at all."""
    return any(each.version == version for each in history)


def gone_versions(history: Sequence[DeploymentEvent], *, at: int) -> frozenset[str]:
    """Return the versions that were deployed and stand in no stage any more at *at* (ms)."""
    past = [each for each in history if each.event_time <= at]
    standing = {each.version for each in periods(past) if each.end is None}
    return frozenset(each.version for each in past) - standing


def rollback_targets(history: Sequence[DeploymentEvent], judged: Period, *, min_healthy: int) -> tuple[str, ...]:
    """Return versions to go back to, best first: in production for *min_healthy* ms before *judged* started.

    For a canary that is the version in production beside it; for a version in production those before it, last first.
    A version that was retired since exists no more.
    """
    newest = {each.version: each.stage for each in history}
    found: list[str] = []
    for each in reversed(periods(history)):
        if each.stage is not Stage.PRODUCTION or each.version == judged.version or each.start >= judged.start:
            continue
        beside = each.end is None
        if (judged.stage is Stage.CANARY and not beside) or newest[each.version] is Stage.RETIRED:
            continue
        healthy_until = judged.start if each.end is None else min(each.end, judged.start)
        if healthy_until - each.start >= min_healthy and each.version not in found:
            found.append(each.version)
    return tuple(found)
