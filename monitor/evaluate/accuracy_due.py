"""Judges and stores the accuracy of one model: windows whose truths changed, and those just evaluated."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from monitor.evaluate.accuracy import JudgedAccuracyWindow, PerformanceRules, judge_windows
from monitor.evaluate.results import StoredEvaluation
from monitor.evaluate.schedule import ProgressOf
from monitor.store.accuracy_evaluations import DueMinute, close_due_minutes, insert_performances, lock_due_minutes
from monitor.store.series import CountedSeries, counted_series
from monitor.types import EvaluationKind, Scale, SeriesKey
from monitor.windows.sliding import ends_covering

MINUTES_AT_ONCE = 5000


def judge_performance(
    connection: sa.Connection,
    rules: PerformanceRules,
    *,
    progress: ProgressOf,
    series: Mapping[int, CountedSeries],
    judged: Sequence[StoredEvaluation],
) -> tuple[list[StoredEvaluation], bool]:
    """Judge the accuracy of every window whose truths changed or that is among *judged*; store it.

    Args:
        progress: As it was before *judged*: only older windows need to be marked as changed.
        series: Those of *judged* at least.

    Returns:
        What was judged, and whether more changed minutes may wait.
    """
    due = lock_due_minutes(connection, model_id=rules.model_id, limit=MINUTES_AT_ONCE)
    if not due and rules.spec.sample_rate == 0:
        return [], False  # no prediction is kept for a truth, so no window has any
    minutes: dict[int, list[DueMinute]] = {}
    for due_minute in due:
        minutes.setdefault(due_minute.series_id, []).append(due_minute)
    keys = {counted.key: series_id for series_id, counted in series.items()}
    evaluated: dict[tuple[int, Scale], set[int]] = {}
    for window in judged:
        evaluated.setdefault((keys[window.series], window.scale), set()).add(window.window_end)
    windows: list[tuple[int, JudgedAccuracyWindow]] = []
    done: list[DueMinute] = []
    for series_id in sorted(minutes.keys() | {series_id for series_id, _ in evaluated}):
        marked = minutes.get(series_id, ())
        results = {
            scale: judge_windows(
                connection,
                rules,
                series_id=series_id,
                scale=scale,
                evaluated=frozenset(evaluated.get((series_id, scale), ())),
                changed=_changed(marked, scale, progress),
            )
            for scale in rules.spec.scales
        }
        windows += [(series_id, window) for result in results.values() for window in result.judged]
        waiting = {scale: result.waiting for scale, result in results.items()}
        done += [minute for minute in marked if not _waits(minute, waiting)]
    insert_performances(connection, (window.evaluation for _, window in windows))
    close_due_minutes(connection, done)
    unknown = {series_id for series_id, _ in windows} - series.keys()
    names = {**series, **counted_series(connection, unknown)}
    stored = [_stored(names[series_id].key, window) for series_id, window in windows]
    return stored, len(due) == MINUTES_AT_ONCE and bool(done)


def _changed(minutes: Sequence[DueMinute], scale: Scale, progress: ProgressOf) -> frozenset[int]:
    known = progress.get(scale.length)
    if known is None:
        return frozenset()  # a window is looked at when it is evaluated; only older ones need the mark
    return ends_covering(scale, (minute.minute for minute in minutes), until=known.evaluated_until)


def _waits(due: DueMinute, waiting: Mapping[Scale, frozenset[int]]) -> bool:
    return any(
        not ends.isdisjoint(ends_covering(scale, (due.minute,), until=max(ends)))
        for scale, ends in waiting.items()
        if ends
    )


def _stored(series: SeriesKey, judged: JudgedAccuracyWindow) -> StoredEvaluation:
    return StoredEvaluation(
        series=series,
        scale=judged.scale,
        window_end=judged.evaluation.window_end,
        kind=EvaluationKind.PERFORMANCE,
        revision=judged.evaluation.revision,
        driving=judged.driving,
        result=judged.evaluation.judged.result,
    )
