"""Moments and spans as options say them."""

from datetime import datetime

from driftline.cli.exits import WrongUseError
from monitor.clock import to_millis
from monitor.units import millis, parse_duration


def moment_option(option: str, text: str | None) -> int | None:
    """Return epoch milliseconds of a time with its zone, None for None.

    Raises:
        WrongUseError: Not a time, or without a zone.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongUseError(f"{option}: expected a time like 2026-06-01T00:00:00Z, found {text!r}") from error
    if moment.tzinfo is None:
        raise WrongUseError(f"{option}: expected a time with its zone, like 2026-06-01T00:00:00Z, found {text!r}")
    return to_millis(moment)


def span_option(option: str, text: str | None) -> int | None:
    """Return the milliseconds of a span like 5m, None for None.

    Raises:
        WrongUseError: Not a span.
    """
    if text is None:
        return None
    try:
        return millis(parse_duration(text))
    except ValueError as error:
        raise WrongUseError(f"{option}: {error}") from error
