"""Whether a window reaches back before its series began: it is filling, and half a day must not be judged as a day."""

from monitor.types import MINUTE_MILLIS, Window

_HOUR_MILLIS = 60 * MINUTE_MILLIS


def filled_from(first_pane_start: int) -> int:
    """Return the moment (ms) from which a series counts as complete: the hour of its first pane.

    The whole hour, because compaction moves a first pane's start to it; so the answer does not depend on when that was.
    """
    return first_pane_start // _HOUR_MILLIS * _HOUR_MILLIS


def is_filling(window: Window, *, since: int) -> bool:
    """Return whether *window* starts before *since* (`filled_from`).

    Windows of up to an hour are always judged: what moves so fast is in the column's natural movement.
    """
    return window.scale.length > 60 and window.start < since


def previous_is_filling(window: Window, *, since: int) -> bool:
    """Return whether the disjoint window before *window* starts before *since*."""
    return is_filling(Window(window.scale, window.start), since=since)
