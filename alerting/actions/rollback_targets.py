"""Which version takes traffic, which are gone, and to which one to go back; pure."""

from collections.abc import Sequence

from monitor.deployments import DeploymentEvent, Period, periods
from monitor.types import Stage


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
