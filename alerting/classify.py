"""The one classifier: what an answer, or none, means for a delivery."""

from dataclasses import dataclass
from enum import StrEnum

import httpx2


class Outcome(StrEnum):
    """What became of one attempt."""

    DONE = "done"
    DEAD = "dead"  # trying again cannot help; a human is told
    RETRY = "retry"  # certainly not accepted
    UNKNOWN = "unknown"  # sent, no answer: it may have been accepted; tried again under the same id


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: its outcome, the HTTP status if there was one, and what a human reads."""

    outcome: Outcome
    status: int | None = None
    error: str | None = None
    retry_after_seconds: float | None = None


_RETRIED = frozenset({408, 425, 429})


def answer_outcome(status: int) -> Outcome:
    """Return what HTTP *status* means.

    2xx done; 408, 425, 429 and 5xx are tried again; redirects are not followed and, like every other answer, dead.
    """
    if 200 <= status < 300:
        return Outcome.DONE
    if status in _RETRIED or 500 <= status < 600:
        return Outcome.RETRY
    return Outcome.DEAD


def failure_outcome(error: httpx2.HTTPError) -> Outcome:
    """Return what a failure without an answer means: before the request left nothing can have happened."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return Outcome.RETRY
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return Outcome.DEAD
    return Outcome.UNKNOWN


def retry_after_seconds(header: str | None) -> float | None:
    """Return `Retry-After` in seconds; None when absent or a date, which asks for a clock that agrees with ours."""
    if header is None or not header.strip().isdigit():
        return None
    return float(header.strip())
