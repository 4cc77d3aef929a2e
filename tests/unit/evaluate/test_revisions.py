"""Which windows a mark makes due, and which of these are evaluated again. Times in minutes."""

import pytest

from monitor.evaluate.marks import due_spans, widened
from monitor.evaluate.revisions import (
    WindowEvents,
    begins_to_be_judged,
    may_drive,
    near_groups,
    reading_ends,
    reads,
    seconds_left,
)
from monitor.store.evaluations import LastRevision
from monitor.store.revisions_due import DueSpan
from monitor.store.scale_progress import Progress
from monitor.store.series import CountedHours
from monitor.types import Scale, Window
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import PaneRow

TEN = Scale(length=10, step=1)
LONG = Scale(length=240, step=20)
SERIES = 7
UNKNOWN = {SERIES: CountedHours(None, None)}


def at(minute: int) -> int:
    return minute * MINUTE_MILLIS


def minutes(ends: tuple[int, ...]) -> list[int]:
    return [end // MINUTE_MILLIS for end in ends]


def progress(scale: Scale, until: int, *, after: int | None = None) -> dict[int, Progress]:
    judged_after = None if after is None else at(after)
    return {
        scale.length: Progress(
            length=scale.length, evaluated_until=at(until), final_until=-1, judged_after=judged_after
        )
    }


def last(events: int, previous: int, *, age: float = 0.0, conclusive: bool = True) -> LastRevision:
    return LastRevision(0, events, previous, age, conclusive)


def test_a_pane_that_no_evaluated_window_reads_needs_nothing() -> None:
    """The windows that hold minute 100 end from 101 on; none of them was evaluated."""
    panes = {(SERIES, at(100))}
    assert due_spans(panes, UNKNOWN, scales=[TEN], progress={}) == []
    assert due_spans(panes, UNKNOWN, scales=[TEN], progress=progress(TEN, 100)) == []
    result = due_spans(panes, UNKNOWN, scales=[TEN], progress=progress(TEN, 101))
    assert result == [DueSpan(SERIES, at(100), at(101))]


def test_windows_before_a_scale_began_are_not_due() -> None:
    """A scale that the spec got later judges no history, not even when an event comes late.

    ::

        minute 100 is read by ends 101 .. 120; the scale began after 120
    """
    panes = {(SERIES, at(100))}
    assert due_spans(panes, UNKNOWN, scales=[TEN], progress=progress(TEN, 200, after=120)) == []
    assert due_spans(panes, UNKNOWN, scales=[TEN], progress=progress(TEN, 200, after=119)) != []


def test_a_minute_is_read_by_its_windows_and_by_those_after_them() -> None:
    """As part of the window itself ten times, as part of the disjoint one before ten times more."""
    due = [DueSpan(SERIES, at(100), at(101))]
    assert minutes(reading_ends(TEN, due, progress(TEN, 200)[10]).ends) == list(range(101, 121))
    assert minutes(reading_ends(TEN, due, progress(TEN, 110)[10]).ends) == list(range(101, 111))
    assert minutes(reading_ends(TEN, due, progress(TEN, 200, after=115)[10]).ends) == list(range(116, 121))
    assert reads(TEN, due[0], [at(120)])
    assert not reads(TEN, due[0], [at(100), at(121)])


def test_an_earlier_beginning_makes_long_windows_due() -> None:
    """Windows that were filling no longer are, although no minute of theirs got an event.

    ::

        00:10 (now)        10:00 (before)
          x                  x x x x       [10:00, 14:00) was the first one to be judged
    """
    due = [DueSpan(SERIES, at(10), at(600))]
    result = reading_ends(LONG, due, progress(LONG, 2000)[240])
    assert minutes(result.ends) == list(range(20, 600 + 480, 20))
    assert {end // MINUTE_MILLIS for end in result.marked} == set(range(20, 481 + 20, 20)) - {500}
    assert begins_to_be_judged(Window(LONG, at(820)), due, since=0)
    assert begins_to_be_judged(Window(LONG, at(1060)), due, since=0)  # its previous window is
    assert not begins_to_be_judged(Window(LONG, at(1080)), due, since=0)
    assert not begins_to_be_judged(Window(LONG, at(820)), [DueSpan(SERIES, at(10), at(11))], since=0)
    assert minutes(reading_ends(TEN, due, progress(TEN, 2000)[10]).ends) == list(range(11, 31))


def test_hours_grow_and_an_earlier_beginning_is_detected() -> None:
    """Whole hours; the first pane of a series says where it begins, an earlier one that it began before."""
    panes = {(SERIES, at(130)), (SERIES, at(70))}
    assert widened(panes, UNKNOWN) == {SERIES: CountedHours(at(60), at(180))}
    known = {SERIES: CountedHours(at(120), at(180))}
    assert widened(panes, known) == {SERIES: CountedHours(at(60), at(180))}
    assert widened({(SERIES, at(130))}, known) == {}
    result = due_spans(panes, known, scales=[TEN], progress=progress(TEN, 200))
    assert result == [DueSpan(SERIES, at(70), at(120)), DueSpan(SERIES, at(130), at(131))]


def test_a_window_changed_when_its_sums_did() -> None:
    """Its own events or those before; equal sums are no news, and fewer mean that retention took panes."""
    rows = [PaneRow(1, 1, at(85), 1, 5, 0), PaneRow(2, 1, at(95), 1, 3, 0)]
    events = WindowEvents(rows)
    window = Window(TEN, at(100))
    assert events.changed(window, None)
    assert not events.changed(window, last(3, 5))
    assert events.changed(window, last(2, 5))
    assert events.changed(window, last(3, 4))
    assert not events.changed(window, last(4, 5))
    assert not events.changed(window, last(2, 6))
    assert not events.changed(Window(TEN, at(84)), None)


@pytest.mark.parametrize(
    ("end", "known", "expected"),
    [
        (50, None, 0.0),
        (50, last(1, 1, age=20), 40.0),
        (50, last(1, 1, age=70), 0.0),
        (40, last(1, 1, age=20), 0.0),  # became final just now
        (30, last(1, 1, age=20), 40.0),  # was final before: an idle partition brings old events
    ],
)
def test_a_window_waits_between_revisions_but_not_at_finality(
    end: int, known: LastRevision | None, expected: float
) -> None:
    """At most one in `revision_seconds`, one more when it becomes final, at once where nothing was judged."""
    result = seconds_left(at(end), known, revision_seconds=60, final_until=at(30), final=at(45))
    assert result == expected


def test_windows_far_apart_are_read_apart() -> None:
    """Between them lie two lengths whose panes nobody needs."""
    ends = [at(value) for value in (100, 101, 121, 142)]
    assert [minutes(tuple(group)) for group in near_groups(TEN, ends)] == [[100, 101, 121], [142]]
    assert list(near_groups(TEN, [])) == []


def test_a_window_drives_when_it_is_conclusive_for_the_first_time() -> None:
    """Not twice, and not after a newer one drove."""
    assert may_drive(at(10), None, conclusive=True, newest_conclusive=None)
    assert may_drive(at(10), last(1, 1, conclusive=False), conclusive=True, newest_conclusive=at(9))
    assert not may_drive(at(10), last(1, 1, conclusive=True), conclusive=True, newest_conclusive=None)
    assert not may_drive(at(10), last(1, 1, conclusive=False), conclusive=False, newest_conclusive=None)
    assert not may_drive(at(10), None, conclusive=True, newest_conclusive=at(11))
