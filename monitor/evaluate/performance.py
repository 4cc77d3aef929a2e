"""Judges the accuracy of windows whose truths, or sampled predictions, changed."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import sqlalchemy as sa

from monitor.spec import ModelSpec, Task
from monitor.store.evaluations import last_revisions
from monitor.store.performance import (
    LastPerformance,
    MinuteTruths,
    NewPerformance,
    last_performances,
    newest_mature_end,
    truths_by_minute,
)
from monitor.truth.accuracy import JudgedAccuracy, PerformanceCounts, immature, is_mature, judge_accuracy
from monitor.types import Scale
from monitor.windows.due import length_millis


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRules:
    """What accuracy is judged by."""

    model_id: int
    spec: ModelSpec
    spec_version: int
    reference: PerformanceCounts
    revision_seconds: float


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """One judged window; *driving*: the newest mature one of its scale, judged for the first time."""

    scale: Scale
    evaluation: NewPerformance
    driving: bool


@dataclass(frozen=True, slots=True)
class JudgedSeries:
    """What was judged of one series and scale, and the ends (ms) that must wait because they were judged just now."""

    judged: tuple[JudgedWindow, ...]
    waiting: frozenset[int]


def judge_windows(
    connection: sa.Connection,
    rules: PerformanceRules,
    *,
    series_id: int,
    scale: Scale,
    evaluated: frozenset[int],
    changed: frozenset[int],
) -> JudgedSeries:
    """Return the windows that are mature, or once were, and whose numbers changed since.

    Args:
        evaluated: Ends of windows whose events were just counted (again).
        changed: Ends of windows whose truths changed; one judged within `revision_seconds` waits.
    """
    ends = evaluated | changed
    if not ends:
        return JudgedSeries((), frozenset())
    first, last = min(ends), max(ends)
    truths = truths_by_minute(connection, series_id=series_id, start=first - length_millis(scale), stop=last)
    stored = last_performances(connection, series_id=series_id, length=scale.length, first=first, last=last)
    if not truths and not stored:
        return JudgedSeries((), frozenset())
    windows = last_revisions(connection, series_id=series_id, length=scale.length, after=first - 1, until=last)
    sampled = {end: each.sampled for end, each in windows.items() if end in ends}
    new: list[NewPerformance] = []
    waiting: set[int] = set()
    for end, counts in _counts(scale, sorted(sampled), sampled, truths):
        known = stored.get(end)
        mature = is_mature(counts, rules.spec.accuracy)
        if (known is None and not mature) or (known is not None and known.counts == counts):
            continue
        if known is not None and end not in evaluated and known.age_seconds < rules.revision_seconds:
            waiting.add(end)
            continue
        new.append(_judged(rules, series_id, scale, end, counts, known, mature=mature))
    return JudgedSeries(_with_driving(connection, series_id, scale, new), frozenset(waiting))


def _counts(
    scale: Scale, ends: Sequence[int], sampled: Mapping[int, int], truths: Sequence[MinuteTruths]
) -> Iterator[tuple[int, PerformanceCounts]]:
    minutes = [each.minute for each in truths]
    labelled = list(accumulate((each.labelled for each in truths), initial=0))
    correct = list(accumulate((each.correct for each in truths), initial=0))
    for end in ends:
        low, high = bisect_left(minutes, end - length_millis(scale)), bisect_left(minutes, end)
        yield (
            end,
            PerformanceCounts(
                sampled=sampled[end], labelled=labelled[high] - labelled[low], correct=correct[high] - correct[low]
            ),
        )


def _judged(
    rules: PerformanceRules,
    series_id: int,
    scale: Scale,
    end: int,
    counts: PerformanceCounts,
    known: LastPerformance | None,
    *,
    mature: bool,
) -> NewPerformance:
    if mature:
        judged = judge_accuracy(
            counts,
            reference=rules.reference,
            scale=scale,
            spec=rules.spec.accuracy,
            measurable=rules.spec.task is not Task.REGRESSION,
        )
    else:
        judged = JudgedAccuracy(accuracy=None, interval=None, result=immature(counts))
    return NewPerformance(
        series_id=series_id,
        length=scale.length,
        window_end=end,
        spec_version=rules.spec_version,
        revision=0 if known is None else known.revision + 1,
        counts=counts,
        mature=mature,
        judged=judged,
    )


def _with_driving(
    connection: sa.Connection, series_id: int, scale: Scale, new: Sequence[NewPerformance]
) -> tuple[JudgedWindow, ...]:
    first_judged = [each.window_end for each in new if each.revision == 0]
    newest = max(first_judged, default=None)
    if newest is not None:
        before = newest_mature_end(connection, series_id=series_id, length=scale.length)
        if before is not None and before > newest:
            newest = None
    return tuple(JudgedWindow(scale, each, each.revision == 0 and each.window_end == newest) for each in new)
