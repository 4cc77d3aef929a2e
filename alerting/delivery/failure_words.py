"""Why a delivery was not accepted, was not answered or expired, in words for people; pure."""

from monitor.store.overdue import OverdueEffect


def failure_words(*, status: int | None, error: str | None) -> str:
    """Return why an attempt was not accepted.

    Args:
        status: Of the HTTP answer; None: there was none.
        error: What the receiver answered or, without an answer, what went wrong.
    """
    said = " ".join((error or "").split()).rstrip(" :")
    if status is None:
        return said or "no reason is known"
    redirects = ": redirects are not followed" if 300 <= status < 400 else ""
    return f"HTTP {status}{redirects}{f', answered: {said}' if said else ''}"


def unanswered_words(error: str | None) -> str:
    """Return why nobody knows whether a request was accepted."""
    return f"sent, and not answered ({failure_words(status=None, error=error)})"


def expiry_words(overdue: OverdueEffect, *, actions_enabled: bool) -> str:
    """Return why *overdue*, the request of an action, was not delivered within its deadline."""
    switch = ""
    if not actions_enabled:
        switch = "the setting `actions_enabled` of the alerter stops every action"
    elif overdue.hold is not None:
        switch = overdue.hold.words
    if overdue.attempts == 0:
        return f"not sent in time: {switch or overdue.last_error or 'no attempt was made'}"
    if overdue.last_status is None and overdue.last_error is None:
        last = "the last attempt was cut off, and the receiver may have it"
    else:
        last = f"the last attempt: {failure_words(status=overdue.last_status, error=overdue.last_error)}"
    earlier = ""
    if overdue.maybe_received and overdue.last_status is not None:
        earlier = "an earlier one had no answer, and the receiver may have done it"
    return "; ".join(part for part in ("not delivered in time", last, earlier, switch) if part)
