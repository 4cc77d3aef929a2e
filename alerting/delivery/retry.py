"""Classifies the outcome of a delivery attempt, and computes when to retry; pure."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

import httpcore2

from monitor.types import EffectKind

_ACTION_SECONDS = (5, 30, 120, 300, 600)
_NOTIFICATION_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
RETRY_AFTER_LIMIT_SECONDS = 3600.0
BREAKER_FAILURES = 5
_AUTHENTICATION_SECONDS = 600  # the longest wait after a refused authentication: somebody may be rotating the secret
_CONFIGURATION_SECONDS = 30  # between two looks at what the configuration lacks


class AttemptOutcome(StrEnum):
    """Outcome of one attempt."""

    DONE = "done"
    DEAD = "dead"  # trying again cannot help; a human is notified
    RETRY = "retry"  # certainly not accepted
    UNKNOWN = "unknown"  # sent, no answer: it may have been accepted; tried again under the same id
    UNAUTHORIZED = "unauthorized"  # the receiver refused our signature or address; tried again: secrets are rotated
    UNCONFIGURED = "unconfigured"  # not sent: no secret, no usable URL; waits for the configuration
    WITHDRAWN = "withdrawn"  # not sent: the spec no longer wants it sent

    @property
    def sent(self) -> bool:
        """Whether it was attempted at all."""
        return self not in (AttemptOutcome.UNCONFIGURED, AttemptOutcome.WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: its outcome, the HTTP status if there was one, and what a human reads.

    Attributes:
        answer: What an HTTP receiver answered, for products that refuse with status 200.
    """

    outcome: AttemptOutcome
    status: int | None = None
    error: str | None = None
    retry_after_seconds: float | None = None
    answer: str = field(default="", repr=False, compare=False)

    @property
    def unanswered(self) -> bool:
        """Whether the host said nothing, although something was sent to it or tried to be."""
        return self.status is None and self.outcome in (AttemptOutcome.RETRY, AttemptOutcome.UNKNOWN)


_AUTHENTICATION = frozenset({401, 403, 407})
_RETRIED = frozenset({408, 425, 429})


def answer_outcome(status: int) -> AttemptOutcome:
    """Return what HTTP *status* means.

    2xx done; 408, 425, 429 and 5xx are tried again, and so are 401, 403 and 407: the secret may be being rotated;
    redirects are not followed and, like every other answer, dead.
    """
    if 200 <= status < 300:
        return AttemptOutcome.DONE
    if status in _RETRIED or 500 <= status < 600:
        return AttemptOutcome.RETRY
    return AttemptOutcome.UNAUTHORIZED if status in _AUTHENTICATION else AttemptOutcome.DEAD


def failure_outcome(error: Exception) -> AttemptOutcome:
    """Return what a failure without an answer means: before the request left nothing can have happened."""
    if isinstance(error, httpcore2.ConnectError | httpcore2.ConnectTimeout):
        return AttemptOutcome.RETRY
    if isinstance(error, httpcore2.UnsupportedProtocol | httpcore2.LocalProtocolError):
        return AttemptOutcome.DEAD
    return AttemptOutcome.UNKNOWN


def retry_after_seconds(header: str | None) -> float | None:
    """Return `Retry-After` in seconds; None when absent, no number in ASCII, or a date, which asks for our clocks to
    agree.
    """
    digits = "" if header is None else header.strip()
    return float(digits) if re.fullmatch("[0-9]+", digits) else None


def retry_delay_seconds(
    kind: EffectKind,
    *,
    attempt: int,
    fraction: float,
    retry_after_seconds: float | None = None,
    outcome: AttemptOutcome = AttemptOutcome.RETRY,
) -> float:
    """Return how long to wait after the *attempt*-th attempt (from 1) failed.

    Full jitter: a uniform share *fraction* in ``[0, 1)`` of the schedule's wait, so that those who failed together do
    not come back together. What the receiver asked for in `Retry-After` is the least, up to an hour.
    What waits for the configuration is looked at every half minute.
    """
    if outcome is AttemptOutcome.UNCONFIGURED:
        return _CONFIGURATION_SECONDS * (1 + fraction) / 2
    schedule = _ACTION_SECONDS if kind is EffectKind.ACTION else _NOTIFICATION_SECONDS
    longest = schedule[min(attempt, len(schedule)) - 1]
    if outcome is AttemptOutcome.UNAUTHORIZED:
        longest = min(longest, _AUTHENTICATION_SECONDS)
    jittered = fraction * longest
    return max(jittered, min(retry_after_seconds or 0.0, RETRY_AFTER_LIMIT_SECONDS))
