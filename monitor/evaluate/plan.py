"""The next windows of one model: the earliest window ends that are due over all its series and scales."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.evaluations import Progress
from monitor.store.panes import SearchFrom, first_stretches, pane_rows
from monitor.types import MINUTE_MILLIS, Scale
from monitor.windows.cutting import PaneRow
from monitor.windows.due import (
    Stretch,
    ends_with_events,
    first_end_with_events,
    last_end,
    length_millis,
    next_end,
    step_millis,
)

ProgressOf = Mapping[tuple[int, int], Progress]


@dataclass(frozen=True, slots=True)
class SeriesWindows:
    """Windows of one series to evaluate, and every row they may need, sorted by start."""

    series_id: int
    rows: tuple[PaneRow, ...]
    ends: tuple[tuple[Scale, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """The due windows of the next ends of a model.

    Attributes:
        until: Every due window that ends up to here (ms) is in the batch.
        first_ends: First due end of each (series id, scale) that has events, due yet or not.
        more: There may be due windows after *until*.
    """

    until: int
    windows: tuple[SeriesWindows, ...]
    first_ends: Mapping[tuple[int, Scale], int]
    more: bool


def next_batch(
    connection: sa.Connection,
    *,
    series_ids: Sequence[int],
    scales: Sequence[Scale],
    progress: ProgressOf,
    watermark: int,
    limit_ends: int,
) -> Batch:
    """Return the due windows of the next *limit_ends* distinct ends up to *watermark*."""
    afters = {(each, scale): _start_after(progress, each, scale) for each in series_ids for scale in scales}
    firsts = _first_ends(connection, afters)
    due = {key: end for key, end in firsts.items() if end <= watermark}
    if not due:
        return Batch(watermark, (), firsts, more=False)
    # Ends are whole steps, so this span holds at most limit_ends ends of the finest scale, few more of all together.
    span = limit_ends * min(each.step for each in scales) * MINUTE_MILLIS
    until = min(watermark, min(due.values()) + span)
    found = [
        _series_windows(connection, each, {s: end for (i, s), end in due.items() if i == each}, afters, until)
        for each in series_ids
    ]
    ends = sorted({end for each in found for _, ends in each.ends for end in ends})
    if len(ends) > limit_ends:
        until = ends[limit_ends - 1]
        found = [_cut_off(each, until) for each in found]
    return Batch(until, tuple(each for each in found if each.ends), firsts, more=until < watermark)


def advanced(
    progress: ProgressOf, batch: Batch, *, scales: Iterable[Scale], final_before: int
) -> dict[tuple[int, int], Progress]:
    """Return the progress that changed by evaluating *batch*.

    A window that was evaluated for the first time after its events were final needs no second look; once one was
    evaluated before that, `final_until` waits for the comparison that revises.
    """
    changed = {}
    steps = {each.length: each for each in scales}
    keys = {(series_id, scale.length) for series_id, scale in batch.first_ends} | {
        key for key in progress if key[1] in steps
    }
    for key in keys:
        scale, old = steps[key[1]], progress.get(key)
        until = last_end(scale, batch.until)
        final = last_end(scale, final_before)
        if old is None:
            new = Progress(*key, until, min(until, final))
        elif until <= old.evaluated_until:
            new = Progress(*key, old.evaluated_until, old.final_until)
        elif old.final_until is not None and old.final_until == old.evaluated_until:
            new = Progress(*key, until, max(old.final_until, min(until, final)))
        else:
            new = Progress(*key, until, old.final_until)
        if new != old:
            changed[key] = new
    return changed


def _start_after(progress: ProgressOf, series_id: int, scale: Scale) -> int | None:
    """Return the end after which windows are due; None: from the series' first event on.

    A scale that is new in the spec starts where the others of the series stand.
    """
    if (known := progress.get((series_id, scale.length))) is not None:
        return known.evaluated_until
    others = [each.evaluated_until for (other, _), each in progress.items() if other == series_id]
    return max(others, default=None)


def _first_ends(
    connection: sa.Connection, afters: Mapping[tuple[int, Scale], int | None]
) -> dict[tuple[int, Scale], int]:
    searches = {
        (series_id, scale): SearchFrom(
            series_id, -1 if after is None else next_end(scale, after) - length_millis(scale)
        )
        for (series_id, scale), after in afters.items()
    }
    stretches = first_stretches(
        connection, sorted(set(searches.values()), key=lambda each: (each.series_id, each.after))
    )
    return {
        key: first_end_with_events(key[1], stretches[search], after=afters[key])
        for key, search in searches.items()
        if search in stretches
    }


def _series_windows(
    connection: sa.Connection,
    series_id: int,
    due: Mapping[Scale, int],
    afters: Mapping[tuple[int, Scale], int | None],
    until: int,
) -> SeriesWindows:
    active = {scale: end for scale, end in due.items() if end <= until}
    if not active:
        return SeriesWindows(series_id, (), ())
    start = min(end - 2 * length_millis(scale) for scale, end in active.items())
    rows = pane_rows(connection, series_id=series_id, start=start, stop=until)
    stretches = [Stretch(each.start, each.stop) for each in rows]
    ends = (
        (scale, tuple(ends_with_events(scale, stretches, after=end - step_millis(scale), until=until)))
        for scale, end in sorted(active.items())
    )
    return SeriesWindows(series_id, rows, tuple((scale, found) for scale, found in ends if found))


def _cut_off(windows: SeriesWindows, until: int) -> SeriesWindows:
    kept = ((scale, tuple(end for end in ends if end <= until)) for scale, ends in windows.ends)
    return SeriesWindows(windows.series_id, windows.rows, tuple((scale, ends) for scale, ends in kept if ends))
