"""The next windows of one model: the earliest window ends that are due over all its series and scales."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.panes import SearchFrom, first_stretches, pane_rows
from monitor.store.scale_progress import Progress
from monitor.store.series import CountedSeries, series_counted_after
from monitor.types import Scale
from monitor.units import MINUTE_MILLIS
from monitor.windows.sliding import (
    EventSpan,
    PaneRow,
    ends_with_events,
    first_end_with_events,
    last_end,
    length_millis,
    next_end,
    step_millis,
)

ProgressOf = Mapping[int, Progress]
"""By length in minutes."""


@dataclass(frozen=True, slots=True)
class SeriesWindows:
    """Windows of one series to evaluate, and every row they may need, sorted by start."""

    series_id: int
    rows: tuple[PaneRow, ...]
    window_ends: tuple[tuple[Scale, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class DueBatch:
    """The due windows of the next ends of a model.

    Attributes:
        until: Every due window that ends up to here (ms) is in the batch.
        series: Every series that was looked at, by id.
        begun: The model has events, or had; without any there is no progress to speak of.
        more: There may be due windows after *until*.
    """

    until: int
    windows: tuple[SeriesWindows, ...]
    series: Mapping[int, CountedSeries]
    begun: bool
    more: bool


def next_batch(
    connection: sa.Connection,
    *,
    model_id: int,
    scales: Sequence[Scale],
    progress: ProgressOf,
    watermark: int,
    limit_ends: int,
) -> DueBatch:
    """Return the due windows of the next *limit_ends* distinct ends up to *watermark*.

    Only scales with an end that is due, and series with panes that such a window may hold, are looked at.
    """
    afters = {scale: start_after(progress, scale) for scale in scales}
    afters = {scale: after for scale, after in afters.items() if after is None or next_end(scale, after) <= watermark}
    series = _series_to_look_at(connection, model_id, afters)
    firsts = _first_ends(connection, series, afters)
    due = {key: end for key, end in firsts.items() if end <= watermark}
    begun = bool(progress) or bool(firsts)
    if not due:
        return DueBatch(watermark, (), series, begun, more=False)
    # Ends are whole steps, so this span holds at most limit_ends ends of the finest scale, few more of all together.
    span = limit_ends * min(scale.step for scale in scales) * MINUTE_MILLIS
    until = min(watermark, min(due.values()) + span)
    of_series: dict[int, dict[Scale, int]] = {}
    for (series_id, scale), end in due.items():
        of_series.setdefault(series_id, {})[scale] = end
    windows = [_series_windows(connection, series_id, of_series[series_id], until) for series_id in sorted(of_series)]
    ends = sorted({end for of_series in windows for _, ends in of_series.window_ends for end in ends})
    if len(ends) > limit_ends:
        until = ends[limit_ends - 1]
        windows = [_cut_off(of_series, until) for of_series in windows]
    return DueBatch(
        until, tuple(of_series for of_series in windows if of_series.window_ends), series, begun, more=until < watermark
    )


def advanced(progress: ProgressOf, *, scales: Sequence[Scale], until: int, final_before: int) -> list[Progress]:
    """Return the progress that changes when every window up to *until* (ms) is evaluated.

    Args:
        final_before: Windows that end up to here get no events any more, and those that had got some were revised.
    """
    changed = []
    for scale in scales:
        old, began = progress.get(scale.length), start_after(progress, scale)
        evaluated = max(last_end(scale, until), -1 if began is None else began)
        final = max(-1 if old is None else old.final_until, min(evaluated, last_end(scale, final_before)))
        judged_after = began if old is None else old.judged_after
        new = Progress(length=scale.length, evaluated_until=evaluated, final_until=final, judged_after=judged_after)
        if new != old:
            changed.append(new)
    return changed


def start_after(progress: ProgressOf, scale: Scale) -> int | None:
    """Return the end after which windows are due; None: from the first event on.

    A scale that is new in the spec starts where the others stand.
    """
    if (known := progress.get(scale.length)) is not None:
        return known.evaluated_until
    return max((other.evaluated_until for other in progress.values()), default=None)


def _series_to_look_at(
    connection: sa.Connection, model_id: int, afters: Mapping[Scale, int | None]
) -> dict[int, CountedSeries]:
    if not afters:
        return {}
    reaches = [_reach(scale, after) for scale, after in afters.items()]
    return series_counted_after(connection, model_id, None if -1 in reaches else min(reaches))


def _reach(scale: Scale, after: int | None) -> int:
    """Return the start of the first window that is due, -1 for all of time."""
    return -1 if after is None else max(-1, next_end(scale, after) - length_millis(scale))


def _first_ends(
    connection: sa.Connection, series: Mapping[int, CountedSeries], afters: Mapping[Scale, int | None]
) -> dict[tuple[int, Scale], int]:
    searches = {
        (series_id, scale): SearchFrom(series_id, reach)
        for scale, after in afters.items()
        for series_id, counted in series.items()
        if (reach := _reach(scale, after)) < 0 or counted.hours.stop is None or counted.hours.stop > reach
    }
    stretches = first_stretches(
        connection, sorted(set(searches.values()), key=lambda search: (search.series_id, search.after))
    )
    return {
        key: first_end_with_events(key[1], stretches[search], after=afters[key[1]])
        for key, search in searches.items()
        if search in stretches
    }


def _series_windows(connection: sa.Connection, series_id: int, due: Mapping[Scale, int], until: int) -> SeriesWindows:
    active = {scale: end for scale, end in due.items() if end <= until}
    if not active:
        return SeriesWindows(series_id, (), ())
    start = min(end - 2 * length_millis(scale) for scale, end in active.items())
    rows = pane_rows(connection, series_id=series_id, start=start, stop=until)
    stretches = [EventSpan(row.start, row.stop) for row in rows]
    window_ends = (
        (scale, tuple(ends_with_events(scale, stretches, after=end - step_millis(scale), until=until)))
        for scale, end in sorted(active.items())
    )
    return SeriesWindows(series_id, rows, tuple((scale, ends) for scale, ends in window_ends if ends))


def _cut_off(windows: SeriesWindows, until: int) -> SeriesWindows:
    kept = ((scale, tuple(end for end in ends if end <= until)) for scale, ends in windows.window_ends)
    return SeriesWindows(windows.series_id, windows.rows, tuple((scale, ends) for scale, ends in kept if ends))
