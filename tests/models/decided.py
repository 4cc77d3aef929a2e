"""A window's decision in one call, for tests that have the previous disjoint window at hand."""

from typing import Any

from monitor.detection import PreparedReference, conclude_window, examine_window
from monitor.results import WindowResult
from monitor.stats.columnar import Counts


def decide_window(
    prepared: PreparedReference, *, previous: Counts | None = None, previous_events: int = 0, **window: Any
) -> WindowResult:
    """Return what `examine_window`, with *window* as its arguments, and `conclude_window` decide."""
    examined = examine_window(prepared, **window)
    return conclude_window(prepared, examined, previous=previous, previous_events=previous_events)
