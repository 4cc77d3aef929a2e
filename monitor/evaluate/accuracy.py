"""Judges the accuracy of windows whose truths, or sampled predictions, changed."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import sqlalchemy as sa

from monitor.performance.error_detector import StepTruths
from monitor.performance.error_movement import ErrorMovement
from monitor.performance.expected_accuracy import PerformanceCounts, ReferenceAccuracy
from monitor.performance.verdict import JudgedAccuracy, immature, is_mature, judge_accuracy
from monitor.result_codec import encode_result
from monitor.spec.model import ModelSpec, Task
from monitor.store.accuracy_evaluations import (
    LastAccuracyEvaluation,
    NewAccuracyEvaluation,
    last_performances,
    newest_mature_end,
    truths_by_step,
)
from monitor.store.evaluations import sampled_of, step_sampled_of
from monitor.store.panes import series_began
from monitor.types import Scale, Window
from monitor.windows.sliding import is_filling, length_millis, step_millis


class TruthSteps:
    """Truths of one series by step of a scale, and the sums of each window; a window is made of whole steps."""

    def __init__(self, scale: Scale, truths: Sequence[StepTruths]) -> None:
        """Take *truths* by step of *scale*, ascending."""
        self._scale = scale
        self._truths = truths
        self._starts = [truth.start for truth in truths]
        self._labelled = list(accumulate((truth.labelled for truth in truths), initial=0))
        self._correct = list(accumulate((truth.correct for truth in truths), initial=0))

    @property
    def reach(self) -> tuple[int, int]:
        """From the start of the first step with truths to the stop of the last (ms); both 0 without any."""
        return (self._starts[0], self._starts[-1] + step_millis(self._scale)) if self._starts else (0, 0)

    def sums(self, end: int) -> tuple[int, int]:
        """Return how many truths the window that ends at *end* has, and how many of its predictions are right."""
        low, high = self._range(end)
        return self._labelled[high] - self._labelled[low], self._correct[high] - self._correct[low]

    def of_window(self, end: int, *, without: frozenset[int]) -> tuple[StepTruths, ...]:
        """Return the steps of a window, ascending, but for those that begin at one of *without*."""
        low, high = self._range(end)
        return tuple(truth for truth in self._truths[low:high] if truth.start not in without)

    def immature(self, sampled: Mapping[int, int], *, maturity: float) -> frozenset[int]:
        """Return the starts of the steps whose truths are not in to *maturity* yet.

        Truths that come early may differ from those that come late, and in the newest step there are none but early
        ones: what is enough for a window is asked of each of its steps.

        Args:
            sampled: Predictions in the ledger by the step's end, where that is known; elsewhere the window's own
                maturity is enough.
        """
        step = step_millis(self._scale)
        return frozenset(
            truth.start for truth in self._truths if truth.labelled < maturity * sampled.get(truth.start + step, 0)
        )

    def _range(self, end: int) -> tuple[int, int]:
        return bisect_left(self._starts, end - length_millis(self._scale)), bisect_left(self._starts, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRules:
    """Rules by which accuracy is judged."""

    model_id: int
    spec: ModelSpec
    spec_version: int
    reference: ReferenceAccuracy
    movement: ErrorMovement | None
    revision_seconds: float


@dataclass(frozen=True, slots=True)
class JudgedAccuracyWindow:
    """Judged accuracy of one window; *driving*: the newest mature one of its scale, judged for the first time."""

    scale: Scale
    evaluation: NewAccuracyEvaluation
    driving: bool


@dataclass(frozen=True, slots=True)
class JudgedAccuracySeries:
    """Judged windows of one series and scale, and the ends (ms) that must wait: they were judged just now."""

    judged: tuple[JudgedAccuracyWindow, ...]
    waiting: frozenset[int]


def judge_windows(
    connection: sa.Connection,
    rules: PerformanceRules,
    *,
    series_id: int,
    scale: Scale,
    evaluated: frozenset[int],
    changed: frozenset[int],
) -> JudgedAccuracySeries:
    """Return the windows that are mature, or once were, and whose numbers or verdict changed since.

    Args:
        evaluated: Ends of windows whose events were just counted (again).
        changed: Ends of windows whose truths changed; one judged within `revision_seconds` waits.
    """
    ends = evaluated | changed
    if not ends:
        return JudgedAccuracySeries((), frozenset())
    start, stop = min(ends) - length_millis(scale), max(ends)
    truths = truths_by_step(
        connection,
        series_id=series_id,
        start=start,
        stop=stop,
        step=step_millis(scale),
        by_age=bool(rules.reference.ages),
    )
    stored = last_performances(connection, series_id=series_id, length=scale.length, ends=ends)
    if not truths and not stored:
        return JudgedAccuracySeries((), frozenset())
    windows = _Windows(connection, rules, series_id=series_id, scale=scale, steps=TruthSteps(scale, truths))
    new: list[NewAccuracyEvaluation] = []
    waiting: set[int] = set()
    for end, sampled in sorted(sampled_of(connection, series_id=series_id, length=scale.length, ends=ends).items()):
        known = stored.get(end)
        judged = windows.judged(end, sampled=sampled, known=known)
        if judged is None:
            continue
        if known is not None and end not in evaluated and known.age_seconds < rules.revision_seconds:
            waiting.add(end)
            continue
        new.append(judged)
    return JudgedAccuracySeries(_with_driving(connection, series_id, scale, new), frozenset(waiting))


class _Windows:
    """Windows of one series and scale, judged one after the other."""

    def __init__(
        self, connection: sa.Connection, rules: PerformanceRules, *, series_id: int, scale: Scale, steps: TruthSteps
    ) -> None:
        self._connection, self._rules = connection, rules
        self._series_id, self._scale, self._steps = series_id, scale, steps

    def judged(self, end: int, *, sampled: int, known: LastAccuracyEvaluation | None) -> NewAccuracyEvaluation | None:
        """Return the window as it is judged now; None if it never was mature, or is judged like that already."""
        labelled, correct = self._steps.sums(end)
        counts = PerformanceCounts(sampled=sampled, labelled=labelled, correct=correct)
        mature = is_mature(counts, self._rules.spec.accuracy)
        if known is None and not mature:
            return None
        judged = self._judge(end, counts) if mature else _withdrawn(counts)
        # Equal sums may be made of other steps, so what was concluded is compared too.
        if known is not None and (known.counts, known.result) == (counts, encode_result(judged.result).decode()):
            return None
        return NewAccuracyEvaluation(
            series_id=self._series_id,
            length=self._scale.length,
            window_end=end,
            spec_version=self._rules.spec_version,
            revision=0 if known is None else known.revision + 1,
            counts=counts,
            mature=mature,
            judged=judged,
        )

    def _judge(self, end: int, counts: PerformanceCounts) -> JudgedAccuracy:
        spec = self._rules.spec
        return judge_accuracy(
            counts,
            steps=self._steps.of_window(end, without=self._immature),
            reference=self._rules.reference,
            scale=self._scale,
            spec=spec.accuracy,
            movement=self._rules.movement,
            family=spec.scales,
            measurable=spec.task is not Task.REGRESSION,
            filling=is_filling(Window(self._scale, end), since=self._since),
        )

    @cached_property
    def _since(self) -> int:
        """From when (ms) on the series is complete; 0 where retention has dropped its panes."""
        return series_began(self._connection, [self._series_id]).get(self._series_id, 0)

    @cached_property
    def _immature(self) -> frozenset[int]:
        after, until = self._steps.reach
        sampled = step_sampled_of(
            self._connection, series_id=self._series_id, length=self._scale.length, after=after, until=until
        )
        return self._steps.immature(sampled, maturity=self._rules.spec.accuracy.maturity)


def _withdrawn(counts: PerformanceCounts) -> JudgedAccuracy:
    return JudgedAccuracy(accuracy=None, interval=None, result=immature(counts))


def _with_driving(
    connection: sa.Connection, series_id: int, scale: Scale, new: Sequence[NewAccuracyEvaluation]
) -> tuple[JudgedAccuracyWindow, ...]:
    first_judged = [evaluation.window_end for evaluation in new if evaluation.revision == 0]
    newest = max(first_judged, default=None)
    if newest is not None:
        before = newest_mature_end(connection, series_id=series_id, length=scale.length)
        if before is not None and before > newest:
            newest = None
    return tuple(
        JudgedAccuracyWindow(scale, evaluation, evaluation.revision == 0 and evaluation.window_end == newest)
        for evaluation in new
    )
