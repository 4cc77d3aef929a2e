"""Classifies the outcome of a delivery attempt, and computes when to retry; pure."""

from dataclasses import dataclass
from enum import StrEnum

import httpx2

from monitor.types import EffectKind

_ACTION_SECONDS = (5, 30, 120, 300, 600)
_NOTIFICATION_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
RETRY_AFTER_LIMIT_SECONDS = 3600.0
BREAKER_FAILURES = 5
BREAKER_SECONDS = 60


class AttemptOutcome(StrEnum):
    """Outcome of one attempt."""

    DONE = "done"
    DEAD = "dead"  # trying again cannot help; a human is notified
    RETRY = "retry"  # certainly not accepted
    UNKNOWN = "unknown"  # sent, no answer: it may have been accepted; tried again under the same id


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: its outcome, the HTTP status if there was one, and what a human reads."""

    outcome: AttemptOutcome
    status: int | None = None
    error: str | None = None
    retry_after_seconds: float | None = None


_RETRIED = frozenset({408, 425, 429})


def answer_outcome(status: int) -> AttemptOutcome:
    """Return what HTTP *status* means.

    2xx done; 408, 425, 429 and 5xx are tried again; redirects are not followed and, like every other answer, dead.
    """
    if 200 <= status < 300:
        return AttemptOutcome.DONE
    if status in _RETRIED or 500 <= status < 600:
        return AttemptOutcome.RETRY
    return AttemptOutcome.DEAD


def failure_outcome(error: httpx2.HTTPError) -> AttemptOutcome:
    """Return what a failure without an answer means: before the request left nothing can have happened."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return AttemptOutcome.RETRY
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return AttemptOutcome.DEAD
    return AttemptOutcome.UNKNOWN


def retry_after_seconds(header: str | None) -> float | None:
    """Return `Retry-After` in seconds; None when absent or a date, which asks for a clock that agrees with ours."""
    if header is None or not header.strip().isdigit():
        return None
    return float(header.strip())


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
