"""Deployed versions: which serves, and which one to roll back to; pure."""

from collections.abc import Sequence

from monitor.deployments import DeploymentEvent, Period, periods
from monitor.types import Stage


def serving_period(history: Sequence[DeploymentEvent], version: str) -> Period | None:
    """Return the period in which *version* takes traffic now, as canary or in production; None when it does not."""
    for period in periods(history):
        if period.version == version and period.end is None and period.stage in (Stage.CANARY, Stage.PRODUCTION):
            return period
    return None


def serving_since(history: Sequence[DeploymentEvent], version: str) -> int:
    """Return since when (ms) *version* takes traffic without a break, from canary to production; 0 if not known."""
    since, until = 0, -1
    for period in periods(history):
        if period.version != version or period.stage not in (Stage.CANARY, Stage.PRODUCTION):
            continue
        since = since if period.start == until else period.start
        until = -1 if period.end is None else period.end
    return since


def ever_deployed(history: Sequence[DeploymentEvent], version: str) -> bool:
    """Return whether the history knows of *version* at all."""
    return any(event.version == version for event in history)


def rollback_targets(history: Sequence[DeploymentEvent], judged: Period, *, min_healthy: int) -> tuple[str, ...]:
    """Return versions to go back to, best first: in production for *min_healthy* ms before *judged* started.

    For a canary that is the version that is still in production; for a version in production those before it, last
    first. A version that was retired since exists no more.
    """
    newest = {event.version: event.stage for event in history}
    targets: dict[str, None] = {}
    for period in reversed(periods(history)):
        if period.stage is not Stage.PRODUCTION or period.version == judged.version or period.start >= judged.start:
            continue
        if newest[period.version] is Stage.RETIRED or (judged.stage is Stage.CANARY and period.end is not None):
            continue
        healthy_until = judged.start if period.end is None else min(period.end, judged.start)
        if healthy_until - period.start >= min_healthy:
            targets.setdefault(period.version)
    return tuple(targets)
