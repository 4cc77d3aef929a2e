"""The step of a model's turn that judges accuracy: windows whose truths changed, and those just evaluated."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from monitor.evaluate.performance import JudgedWindow, PerformanceRules, judge_windows
from monitor.evaluate.results import EvaluationKind, StoredEvaluation
from monitor.store.evaluations import Progress, read_progress
from monitor.store.performance import DueMinute, claim_due_minutes, close_due_minutes, insert_performances
from monitor.types import Scale, SeriesKey
from monitor.windows.due import ends_covering

MINUTES_AT_ONCE = 5000
ProgressOf = Mapping[tuple[int, int], Progress]


def judge_performance(
    connection: sa.Connection,
    rules: PerformanceRules,
    *,
    series: Mapping[int, SeriesKey],
    judged: Sequence[StoredEvaluation],
) -> tuple[list[StoredEvaluation], bool]:
    """Judge the accuracy of every window whose truths changed or that is among *judged*; store it.

    Returns:
        What was judged, and whether more changed minutes may wait.
    """
    due = claim_due_minutes(connection, series_ids=tuple(series), limit=MINUTES_AT_ONCE)
    if not due and rules.spec.sample_rate == 0:
        return [], False  # no prediction is kept for a truth, so no window has any
    minutes: dict[int, list[DueMinute]] = {}
    for each in due:
        minutes.setdefault(each.series_id, []).append(each)
    evaluated: dict[tuple[SeriesKey, Scale], set[int]] = {}
    for one in judged:
        evaluated.setdefault((one.series, one.scale), set()).add(one.window_end)
    progress = read_progress(connection, rules.model_id)
    found: list[tuple[int, JudgedWindow]] = []
    done: list[DueMinute] = []
    for series_id, key in series.items():
        waiting: dict[Scale, frozenset[int]] = {}
        for scale in rules.spec.scales:
            result = judge_windows(
                connection,
                rules,
                series_id=series_id,
                scale=scale,
                evaluated=frozenset(evaluated.get((key, scale), ())),
                changed=_changed(minutes.get(series_id, ()), series_id, scale, progress),
            )
            found += [(series_id, each) for each in result.judged]
            waiting[scale] = result.waiting
        done += [each for each in minutes.get(series_id, ()) if not _waits(each, waiting)]
    insert_performances(connection, (each.evaluation for _, each in found))
    close_due_minutes(connection, done)
    stored = [_stored(series[series_id], each) for series_id, each in found]
    return stored, len(due) == MINUTES_AT_ONCE and bool(done)


def _changed(minutes: Sequence[DueMinute], series_id: int, scale: Scale, progress: ProgressOf) -> frozenset[int]:
    known = progress.get((series_id, scale.length))
    if known is None:
        return frozenset()  # a window is looked at when it is evaluated; only older ones need the mark
    return ends_covering(scale, (each.minute for each in minutes), until=known.evaluated_until)


def _waits(due: DueMinute, waiting: Mapping[Scale, frozenset[int]]) -> bool:
    return any(
        not ends.isdisjoint(ends_covering(scale, (due.minute,), until=max(ends)))
        for scale, ends in waiting.items()
        if ends
    )


def _stored(series: SeriesKey, judged: JudgedWindow) -> StoredEvaluation:
    return StoredEvaluation(
        series=series,
        scale=judged.scale,
        window_end=judged.evaluation.window_end,
        kind=EvaluationKind.PERFORMANCE,
        revision=judged.evaluation.revision,
        driving=judged.driving,
        result=judged.evaluation.judged.result,
    )
