"""Which hours of live time are approved."""

import pytest

from monitor.reference.rolling import LiveHour, TimeRange, approve_hours
from monitor.units import HOUR_MILLIS

H = HOUR_MILLIS


def hours(*numbers: int) -> list[LiveHour]:
    return [LiveHour(number * H, True) for number in numbers]


def test_what_an_incident_touches_is_not_approved() -> None:
    """From the start of the window that opened it to its end, and an open one for good.

    ::

        hour        0   1   2   3   4   5   6   7
        incident        |2.5------4.0)      |6.0 …
        approved    x   x           x   x
    """
    suspect = [TimeRange(int(2.5 * H), 4 * H), TimeRange(6 * H)]
    result = approve_hours(hours(*range(8)), suspect=suspect, serving=None)
    assert result.approved == (0, H, 4 * H, 5 * H)
    assert (result.in_incidents, result.not_serving, result.other_cells) == (4, 0, 0)


def test_only_whole_hours_in_production_count() -> None:
    """A version that became production at half past one counts from two on; once it was replaced, no more."""
    serving = [TimeRange(int(1.5 * H), 3 * H), TimeRange(5 * H)]
    result = approve_hours(hours(*range(7)), suspect=(), serving=serving)
    assert result.approved == (2 * H, 5 * H, 6 * H)
    assert result.not_serving == 4


def test_hours_on_other_cells_cannot_be_added_up() -> None:
    """They are counted apart from hours with incidents, which are left out for another reason."""
    result = approve_hours([LiveHour(0, False), LiveHour(H, True)], suspect=(), serving=None)
    assert (result.approved, result.other_cells) == ((H,), 1)


@pytest.mark.parametrize(
    ("start", "stop", "overlaps", "holds"),
    [(0, 10, False, False), (0, 11, True, False), (10, 20, True, True), (12, 18, True, True), (20, 30, False, False)],
)
def test_intervals_are_half_open(start: int, stop: int, overlaps: bool, holds: bool) -> None:
    """[10, 20) has its first moment and not its last."""
    interval = TimeRange(10, 20)
    assert (interval.overlaps(start, stop), interval.holds(start, stop)) == (overlaps, holds)
