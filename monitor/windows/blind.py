"""Windows of which a part of the events is known to be missing: nothing is judged on the rest."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.types import Window
from monitor.units import MINUTE_MILLIS

SMALL_SHARE = 10  # after a stop has ended, a window that it covers less than a tenth of is judged again


@dataclass(frozen=True, slots=True)
class BlindSpan:
    """Event times ``[since, until)`` (ms) of which a model's records are missing in a partition; None: still."""

    since: int
    until: int | None


def is_blind(window: Window, spans: Iterable[BlindSpan]) -> bool:
    """Return whether too much of *window* is missing: any of it while a span lasts, else a tenth of its length."""
    return any(_hides(window, span) for span in spans)


def _hides(window: Window, span: BlindSpan) -> bool:
    if span.until is None:
        return window.end > span.since
    hidden = min(window.end, span.until) - max(window.start, span.since)
    return hidden * SMALL_SHARE >= window.scale.length * MINUTE_MILLIS
