"""Judges the accuracy of windows whose truths, or sampled predictions, changed."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import sqlalchemy as sa

from monitor.spec import ModelSpec, Task
from monitor.store.evaluations import sampled_of
from monitor.store.performance import (
    LastPerformance,
    NewPerformance,
    StepTruths,
    last_performances,
    newest_mature_end,
    truths_by_step,
)
from monitor.truth.accuracy import JudgedAccuracy, PerformanceCounts, immature, is_mature, judge_accuracy
from monitor.types import Scale
from monitor.windows.due import length_millis, step_millis


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
    start, stop = min(ends) - length_millis(scale), max(ends)
    truths = truths_by_step(connection, series_id=series_id, start=start, stop=stop, step=step_millis(scale))
    stored = last_performances(connection, series_id=series_id, length=scale.length, ends=ends)
    if not truths and not stored:
        return JudgedSeries((), frozenset())
    sampled = sampled_of(connection, series_id=series_id, length=scale.length, ends=ends)
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
    scale: Scale, ends: Sequence[int], sampled: Mapping[int, int], truths: Sequence[StepTruths]
) -> Iterator[tuple[int, PerformanceCounts]]:
    # A window is made of whole steps, so the step's start says which windows hold it.
    starts = [each.start for each in truths]
    labelled = list(accumulate((each.labelled for each in truths), initial=0))
    correct = list(accumulate((each.correct for each in truths), initial=0))
    for end in ends:
        low, high = bisect_left(starts, end - length_millis(scale)), bisect_left(starts, end)
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
