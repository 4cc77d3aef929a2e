"""When to try again: one schedule for actions, one for notifications, both with full jitter."""

from monitor.store.outbox import EffectKind

_ACTION_SECONDS = (5, 30, 120, 300, 600)
_NOTIFICATION_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
RETRY_AFTER_LIMIT_SECONDS = 3600.0
BREAKER_FAILURES = 5
BREAKER_SECONDS = 60


def retry_delay_seconds(
    kind: EffectKind, *, attempt: int, fraction: float, retry_after_seconds: float | None = None
) -> float:
    """Return how long to wait after the *attempt*-th attempt (from 1) failed.

    Full jitter: a uniform share *fraction* in ``[0, 1)`` of the schedule's wait, so that those who failed together do
    not come back together. What the receiver asked for in `Retry-After` is the least, up to an hour.
    """
    schedule = _ACTION_SECONDS if kind is EffectKind.ACTION else _NOTIFICATION_SECONDS
    jittered = fraction * schedule[min(attempt, len(schedule)) - 1]
    return max(jittered, min(retry_after_seconds or 0.0, RETRY_AFTER_LIMIT_SECONDS))
