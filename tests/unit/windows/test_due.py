"""Which window ends are due, drawn on a line of minutes."""

from monitor.types import Scale
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import EventSpan, ends_covering, ends_with_events, first_end_with_events

TEN = Scale(length=10, step=5)


def minutes(*values: int) -> list[int]:
    return [value * MINUTE_MILLIS for value in values]


def pane(minute: int, span: int = 1) -> EventSpan:
    return EventSpan(*minutes(minute, minute + span))


def test_the_first_end_lies_strictly_after_the_first_pane() -> None:
    """A window is half-open, so a pane at 5 is first in the window that ends at 10.

    ::

        minute  0    5    10   15   20
        event        x
        windows |---------|              end 10
                     |---------|         end 15
                          |---------|    end 20: nothing in it
    """
    result = ends_with_events(TEN, [pane(5)], after=None, until=60 * MINUTE_MILLIS)
    assert list(result) == minutes(10, 15)


def test_stretches_without_events_are_skipped() -> None:
    """Between two bursts nothing is evaluated but the windows that still overlap the first.

    ::

        minute  0    5    10   15   20   25   30   35   40   45
        events  x                             x
        ends         5    10                       35   40
    """
    result = ends_with_events(TEN, [pane(0), pane(30)], after=None, until=60 * MINUTE_MILLIS)
    assert list(result) == minutes(5, 10, 35, 40)


def test_nothing_beyond_the_watermark_and_nothing_twice() -> None:
    """Due are ends in (last evaluated, watermark]."""
    panes = [pane(index) for index in range(30)]
    assert list(ends_with_events(TEN, panes, after=10 * MINUTE_MILLIS, until=20 * MINUTE_MILLIS)) == minutes(15, 20)
    assert list(ends_with_events(TEN, panes, after=20 * MINUTE_MILLIS, until=20 * MINUTE_MILLIS)) == []


def test_the_first_due_end_is_the_first_of_all_due_ends() -> None:
    """Looking for the next window by one row finds what listing them finds."""
    assert first_end_with_events(TEN, pane(32), after=None) == 35 * MINUTE_MILLIS
    assert first_end_with_events(TEN, pane(32), after=35 * MINUTE_MILLIS) == 40 * MINUTE_MILLIS


def test_a_changed_minute_concerns_every_window_over_it() -> None:
    """Minute 7 is in the windows that end at 10 and 15; one that ends past the watermark is not judged yet."""
    assert ends_covering(TEN, minutes(7), until=60 * MINUTE_MILLIS) == frozenset(minutes(10, 15))
    assert ends_covering(TEN, minutes(7), until=14 * MINUTE_MILLIS) == frozenset(minutes(10))
