"""Cuts one series' pane rows into windows: which rows are in the halves and in the previous window, exactly.

::

    previous_start          start          middle          end
    |------- previous -------|-- first half --|-- second half --|
    |step|step|step|step|step|step|step|step|step|step|step|step|

Everything is made of whole steps, so each step's rows are found once and shared by every window that holds it.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.errors import DriftlineError
from monitor.types import MINUTE_MILLIS, Scale, Window
from monitor.windows.due import step_millis


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
        self._starts = [each.start for each in rows]
        self._steps: dict[int, tuple[PaneRow, ...]] = {}
        self._longest = max((each.span for each in rows), default=1) * MINUTE_MILLIS
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
        return tuple(found for at in range(start, stop, step) if (found := self._step(at)))

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
