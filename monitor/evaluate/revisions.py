"""Decides which evaluated windows that got later events are revised, and whether they drive incidents; pure.

A window is revised when its sums, or those of the disjoint window before it, are no longer those of its last revision:
at most once in `revision_seconds`, and whatever its age when it becomes final.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from monitor.store.evaluations import LastRevision
from monitor.store.revisions_due import DueSpan
from monitor.store.scale_progress import Progress
from monitor.types import Scale, Window
from monitor.units import HOUR_MINUTES, MINUTE_MILLIS
from monitor.windows.sliding import (
    PaneRow,
    ends_reading,
    is_filling,
    last_end,
    length_millis,
    next_end,
    previous_is_filling,
    step_millis,
)


@dataclass(frozen=True, slots=True)
class ReadingEnds:
    """Evaluated windows of one scale that read one of some stretches.

    Attributes:
        ends: All of them, ascending (ms).
        marked: Those that read a minute which got events; others may begin to be judged, or to be compared.
    """

    ends: tuple[int, ...]
    marked: frozenset[int]


def reading_ends(scale: Scale, stretches: Sequence[DueSpan], progress: Progress) -> ReadingEnds:
    """Return the evaluated windows of *scale* that read one of *stretches* of one series."""
    until, after = progress.evaluated_until, progress.judged_after
    marked = ends_reading(scale, (stretch.start for stretch in stretches), until=until)
    ends = set(marked)
    for stretch in stretches:
        ends.update(range(next_end(scale, stretch.start), _last_reading(scale, stretch, until) + 1, step_millis(scale)))
    return ReadingEnds(tuple(sorted(end for end in ends if after is None or end > after)), marked)


def _last_reading(scale: Scale, stretch: DueSpan, until: int) -> int:
    """Return the last end up to *until* that reads the stretch; windows of up to an hour read its minute alone."""
    stop = stretch.stop if scale.length > HOUR_MINUTES else stretch.start + MINUTE_MILLIS
    return min(until, last_end(scale, stop - 1) + 2 * length_millis(scale))


def reads(scale: Scale, stretch: DueSpan, ends: Sequence[int]) -> bool:
    """Return whether one of *ends* (ascending) reads *stretch*."""
    place = bisect_left(ends, next_end(scale, stretch.start))
    return place < len(ends) and ends[place] <= _last_reading(scale, stretch, ends[-1])


def seconds_left(
    end: int, last: LastRevision | None, *, revision_seconds: float, final_until: int, final: int
) -> float:
    """Return how long the window waits for its next revision; 0 when it just became final or was never judged."""
    if last is None or final_until < end <= final:
        return 0.0
    return max(0.0, revision_seconds - last.age_seconds)


class WindowEvents:
    """Events of windows from pane rows alone, without their counts."""

    def __init__(self, rows: Sequence[PaneRow]) -> None:
        """Take *rows* sorted by start."""
        self._starts = [row.start for row in rows]
        self._events = list(accumulate((row.events for row in rows), initial=0))
        self._long = [row for row in rows if row.span > 1]

    def between(self, start: int, stop: int) -> int:
        """Return the events of rows that start in ``[start, stop)``."""
        return self._events[bisect_left(self._starts, stop)] - self._events[bisect_left(self._starts, start)]

    def changed(self, window: Window, last: LastRevision | None) -> bool:
        """Return whether the window, or the one before, no longer holds what it held at its last revision.

        Counts only grow; fewer events than before mean that retention has begun to take the window's panes, unless a
        compacted row reaches over one of its cuts.
        """
        events = self.between(window.start, window.end)
        if last is None:
            return events > 0
        previous = self.between(window.previous_start, window.start)
        return (events, previous) != (last.events, last.previous_events) and not self.lost(window, last)

    def lost(self, window: Window, last: LastRevision) -> bool:
        """Return whether retention has begun to take the panes of the window, or of the one before."""
        events, previous = (
            self.between(window.start, window.end),
            self.between(window.previous_start, window.start),
        )
        return (events < last.events or previous < last.previous_events) and not self._is_cut(window)

    def _is_cut(self, window: Window) -> bool:
        cuts = (window.previous_start, window.start, window.middle, window.end)
        return any(row.start < cut < row.stop for row in self._long for cut in cuts)


def begins_to_be_judged(window: Window, stretches: Sequence[DueSpan], *, since: int) -> bool:
    """Return whether the window, or the one before, is judged since its series was seen to begin at *since* (ms)."""
    return any(
        is_filling(window, since=stretch.stop) != is_filling(window, since=since)
        or previous_is_filling(window, since=stretch.stop) != previous_is_filling(window, since=since)
        for stretch in stretches
        if stretch.stop > stretch.start + MINUTE_MILLIS
    )


def near_groups(scale: Scale, ends: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield *ends* (ascending) in groups between which no pane needs to be read."""
    start = 0
    for place in range(1, len(ends) + 1):
        if place == len(ends) or ends[place] - ends[place - 1] > 2 * length_millis(scale):
            yield ends[start:place]
            start = place


def may_drive(end: int, last: LastRevision | None, *, conclusive: bool, newest_conclusive: int | None) -> bool:
    """Return whether a window that is evaluated again drives incidents: conclusive now for the first time.

    A window older than one that was conclusive already drives nothing: incidents see windows in order of end.
    """
    first = conclusive and (last is None or not last.conclusive)
    return first and (newest_conclusive is None or end > newest_conclusive)
