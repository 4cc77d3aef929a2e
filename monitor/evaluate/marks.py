"""Turns a flush's marks into work: hours that a series has panes in, windows that must be revised.

A window that is not evaluated yet needs no mark: it will read the pane. One that was evaluated before the pane came,
whether it holds the pane's minute or the disjoint window before it does, is due for a revision.
"""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from monitor.evaluate.schedule import ProgressOf
from monitor.store.pane_marks import delete_marks, read_marks
from monitor.store.revisions_due import DueSpan, add_due
from monitor.store.series import CountedHours, counted_series, write_hours
from monitor.types import Scale
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.sliding import filled_from, length_millis, next_end, step_millis

MARKS_AT_ONCE = 5_000
Pane = tuple[int, int]
"""Series id and start (ms)."""


def take_marks(
    connection: sa.Connection, model_id: int, *, scales: Sequence[Scale], progress: ProgressOf, revise: bool
) -> bool:
    """Take the model's marks over into hours and due revisions; return whether more marks may be left.

    Call it after the watermark was read and before any pane is: what lies under the watermark is then marked, and what
    is marked is there to be read.
    """
    marks = read_marks(connection, model_id, limit=MARKS_AT_ONCE)
    if not marks:
        return False
    panes = {pane for mark in marks for pane in mark.panes}
    known = {
        series_id: counted.hours
        for series_id, counted in counted_series(connection, {series_id for series_id, _ in panes}).items()
    }
    panes = {pane for pane in panes if pane[0] in known}  # a series may have been removed since
    write_hours(connection, widened(panes, known))
    if revise:
        add_due(connection, model_id, due_spans(panes, known, scales=scales, progress=progress))
    delete_marks(connection, marks)
    return len(marks) == MARKS_AT_ONCE


def widened(panes: Iterable[Pane], known: Mapping[int, CountedHours]) -> dict[int, CountedHours]:
    """Return the hours of series that *panes* reach out of, widened to hold them."""
    hours: dict[int, CountedHours] = {}
    for series_id, start in panes:
        before = hours.get(series_id, known[series_id])
        first, stop = filled_from(start), filled_from(start) + HOUR_MILLIS
        hours[series_id] = CountedHours(
            first if before.start is None else min(first, before.start),
            stop if before.stop is None else max(stop, before.stop),
        )
    return {series_id: of_series for series_id, of_series in hours.items() if of_series != known[series_id]}


def due_spans(
    panes: Iterable[Pane], known: Mapping[int, CountedHours], *, scales: Sequence[Scale], progress: ProgressOf
) -> list[DueSpan]:
    """Return the spans that must be revised because *panes* came; *known*: the series' hours before them."""
    firsts: dict[int, int] = {}
    due: dict[Pane, int] = {}
    for series_id, start in panes:
        if any(_was_read(start, scale, progress) for scale in scales):
            due[series_id, start] = start + MINUTE_MILLIS
            firsts[series_id] = min(start, firsts.get(series_id, start))
    for series_id, start in firsts.items():
        began = known[series_id].start
        if began is not None and filled_from(start) < began:
            due[series_id, start] = began
    return sorted(DueSpan(series_id, start, stop) for (series_id, start), stop in due.items())


def _was_read(start: int, scale: Scale, progress: ProgressOf) -> bool:
    """Return whether a window of *scale* that reads the minute at *start* was evaluated."""
    known = progress.get(scale.length)
    if known is None or next_end(scale, start) > known.evaluated_until:
        return False
    last = start // step_millis(scale) * step_millis(scale) + 2 * length_millis(scale)
    return known.judged_after is None or last > known.judged_after
