"""Sliding windows of event time: which ends are due, which panes a window consists of, whether it is full."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from monitor.errors import DriftlineError
from monitor.types import Scale, Window
from monitor.units import HOUR_MILLIS, HOUR_MINUTES, MINUTE_MILLIS


@dataclass(frozen=True, slots=True, order=True)
class EventSpan:
    """Half-open ``[start, stop)`` of event time (ms) in which there are events."""

    start: int
    stop: int


def step_millis(scale: Scale) -> int:
    """Return the distance of window ends in milliseconds."""
    return scale.step * MINUTE_MILLIS


def length_millis(scale: Scale) -> int:
    """Return the length of a window in milliseconds."""
    return scale.length * MINUTE_MILLIS


def next_end(scale: Scale, moment: int) -> int:
    """Return the first window end strictly after *moment*."""
    step = step_millis(scale)
    return (moment // step + 1) * step


def last_end(scale: Scale, moment: int) -> int:
    """Return the last window end not after *moment*."""
    step = step_millis(scale)
    return moment // step * step


def ends_with_events(scale: Scale, stretches: Iterable[EventSpan], *, after: int | None, until: int) -> Iterator[int]:
    """Yield, ascending, each window end in ``(after, until]`` whose window overlaps one of *stretches*.

    Args:
        stretches: Sorted by start; they may overlap.
        after: None: from the first stretch on.
    """
    length, step = length_millis(scale), step_millis(scale)
    end = None if after is None else next_end(scale, after)
    for stretch in stretches:
        first = next_end(scale, stretch.start)
        end = first if end is None else max(end, first)
        # the window [end - length, end) overlaps while its start lies before the stretch's stop
        while end < stretch.stop + length and end <= until:
            yield end
            end += step


def first_end_with_events(scale: Scale, stretch: EventSpan, *, after: int | None) -> int:
    """Return the first window end after *after* that overlaps *stretch*, the first that such a window can reach."""
    first = next_end(scale, stretch.start)
    return first if after is None else max(first, next_end(scale, after))


def ends_covering(scale: Scale, minutes: Iterable[int], *, until: int) -> frozenset[int]:
    """Return every window end up to *until* whose window holds one of *minutes* (starts, ms)."""
    return _ends_within(scale, minutes, length_millis(scale), until=until)


def ends_reading(scale: Scale, minutes: Iterable[int], *, until: int) -> frozenset[int]:
    """Return every window end up to *until* whose window, or the disjoint one before, holds one of *minutes*."""
    return _ends_within(scale, minutes, 2 * length_millis(scale), until=until)


def _ends_within(scale: Scale, minutes: Iterable[int], reach: int, *, until: int) -> frozenset[int]:
    step = step_millis(scale)
    ends: set[int] = set()
    for chunk in {minute // step * step for minute in minutes}:  # a window holds a whole step or nothing of it
        ends.update(range(chunk + step, min(chunk + reach, until) + 1, step))
    return frozenset(ends)


class SpanCutError(DriftlineError):
    """A compacted row reaches over a cut of a window, which can therefore no longer be computed."""


@dataclass(frozen=True, slots=True)
class PaneRow:
    """A stored pane row without its counts: *start* in ms, *span* in minutes, immutable under its id."""

    row_id: int
    cells_id: int
    start: int
    span: int
    events: int
    sampled: int

    @property
    def stop(self) -> int:
        return self.start + self.span * MINUTE_MILLIS


@dataclass(frozen=True, slots=True)
class WindowRows:
    """Rows of one window: for each part a tuple of steps, each the rows in that step."""

    window: Window
    first_half: tuple[tuple[PaneRow, ...], ...]
    second_half: tuple[tuple[PaneRow, ...], ...]
    previous: tuple[tuple[PaneRow, ...], ...]

    @property
    def rows(self) -> tuple[PaneRow, ...]:
        """Every row of the window itself."""
        return tuple(row for step in self.first_half + self.second_half for row in step)

    @property
    def sampled_in_last_step(self) -> int | None:
        """Sampled events of the step before the window's end; None where a compacted row reaches out of it."""
        since = self.window.end - step_millis(self.window.scale)
        last = [row for step in self.second_half for row in step if row.stop > since]
        return None if any(row.start < since for row in last) else sum(row.sampled for row in last)

    @property
    def previous_rows(self) -> tuple[PaneRow, ...]:
        """Every row of the previous disjoint window."""
        return tuple(row for step in self.previous for row in step)


class StepRows:
    """One series' rows by the steps of one scale."""

    def __init__(self, scale: Scale, rows: Sequence[PaneRow]) -> None:
        """Take *rows* sorted by start."""
        self._scale = scale
        self._rows = rows
        self._starts = [row.start for row in rows]
        self._steps: dict[int, tuple[PaneRow, ...]] = {}
        self._longest = max((row.span for row in rows), default=1) * MINUTE_MILLIS
        self._uncut: set[int] = set()

    def window(self, end: int) -> WindowRows:
        """Return the rows of the window that ends at *end*.

        Raises:
            SpanCutError: A row reaches over one of its cuts.
        """
        window = Window(self._scale, end)
        return WindowRows(
            window,
            self._part(window.start, window.middle),
            self._part(window.middle, end),
            self._part(window.previous_start, window.start),
        )

    def starting_between(self, start: int, stop: int) -> tuple[PaneRow, ...]:
        """Return the rows that start in ``[start, stop)``."""
        low = bisect_left(self._starts, start)
        return tuple(self._rows[low : bisect_left(self._starts, stop, low)])

    def _part(self, start: int, stop: int) -> tuple[tuple[PaneRow, ...], ...]:
        self._refuse_crossing(start)
        self._refuse_crossing(stop)
        step = step_millis(self._scale)
        return tuple(rows for at in range(start, stop, step) if (rows := self._step(at)))

    def _step(self, start: int) -> tuple[PaneRow, ...]:
        if start not in self._steps:
            low = bisect_left(self._starts, start)
            high = bisect_left(self._starts, start + step_millis(self._scale), low)
            # by id, so that a step's rows are one key of the cache however the database returned them
            self._steps[start] = tuple(sorted(self._rows[low:high], key=lambda row: row.row_id))
        return self._steps[start]

    def _refuse_crossing(self, cut: int) -> None:
        if cut in self._uncut:
            return
        low = bisect_left(self._starts, cut - self._longest)
        for row in self._rows[low : bisect_left(self._starts, cut, low)]:
            if row.stop > cut:
                raise SpanCutError(
                    f"the pane row {row.row_id} of {row.span} minutes from {row.start} reaches over the cut {cut} "
                    f"of a {self._scale} window"
                )
        self._uncut.add(cut)


def filled_from(first_pane_start: int) -> int:
    """Return the moment (ms) from which a series counts as complete: the hour of its first pane.

    The whole hour, because compaction moves a first pane's start to it; so the answer does not depend on when that was.
    """
    return first_pane_start // HOUR_MILLIS * HOUR_MILLIS


def is_filling(window: Window, *, since: int) -> bool:
    """Return whether *window* starts before *since* (`filled_from`).

    Windows of up to an hour are always judged: what moves so fast is in the column's natural movement.
    """
    return window.scale.length > HOUR_MINUTES and window.start < since


def previous_is_filling(window: Window, *, since: int) -> bool:
    """Return whether the disjoint window before *window* starts before *since*."""
    return is_filling(Window(window.scale, window.start), since=since)
