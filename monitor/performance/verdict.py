"""Labelled accuracy of one window: right or wrong, its interval, whether a floor or a tier of the drop is proven."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.clock import iso_utc
from monitor.number_codec import ten_digits
from monitor.performance.error_detector import LastingErrors, ProofRules, StepTruths, proven_edges, proven_errors
from monitor.performance.error_movement import ASSUMED_CORRELATION, ErrorMovement, assumed_excess, counted
from monitor.performance.expected_accuracy import (
    AccuracyLevel,
    ExpectedAccuracy,
    PerformanceCounts,
    ReferenceAccuracy,
    drop_levels,
    floor_levels,
    labelled_by_age,
)
from monitor.performance.false_warnings import chance_of_a_look
from monitor.results import Finding, WindowResult
from monitor.spec.accuracy import AccuracySpec
from monitor.stats.proportions import Interval, wilson_interval
from monitor.types import IncidentKind, InconclusiveReason, Scale, Statistic, Tier, Verdict

_ALL_COUNT = 0.95  # of the truths at least: not worth a word


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAccuracy:
    """Accuracy and its Wilson interval, None where nothing is right or wrong; and the verdict."""

    accuracy: float | None
    interval: Interval | None
    result: WindowResult


def is_mature(counts: PerformanceCounts, spec: AccuracySpec) -> bool:
    """Return whether enough truths have come for the window to be judged: in number and in share of the sample."""
    return counts.labelled >= spec.min_truths and counts.labelled >= spec.maturity * counts.sampled


def immature(counts: PerformanceCounts) -> WindowResult:
    """Return the answer for a window that was mature before truths were withdrawn or predictions came."""
    return WindowResult(verdict=Verdict.INCONCLUSIVE, events=counts.labelled, reason=InconclusiveReason.IMMATURE)


def judge_accuracy(
    counts: PerformanceCounts,
    *,
    steps: Sequence[StepTruths],
    reference: ReferenceAccuracy,
    scale: Scale,
    spec: AccuracySpec,
    movement: ErrorMovement | None = None,
    family: Sequence[Scale] = (),
    measurable: bool = True,
    filling: bool = False,
) -> JudgedAccuracy:
    """Return accuracy, interval and verdict of a mature window.

    Critical: it is proven that accuracy has fallen under ``floor``. A tier of ``drop``: that it has fallen by more than
    the tier allows from the reference's, taken at the lower end of its own interval. Both are asked of the latest
    *steps*, as `monitor.performance.error_detector` does; the interval describes the window and decides nothing.

    Args:
        steps: Of the window, in order of time; without those whose truths are not in yet.
        reference: What is expected, of truths of the ages that *steps* have.
        movement: Of the error rate in the reference; None: not known, so that a correlation is assumed.
        family: All scales that share the promise of `false_alarms_per_year`; empty: *scale* alone.
        measurable: False (regression): inconclusive, a number that is not measured is neither good nor bad.
        filling: The series is younger than the window: inconclusive, with the accuracy of what is there.
    """
    if not measurable:
        result = WindowResult(
            verdict=Verdict.INCONCLUSIVE, events=counts.labelled, reason=InconclusiveReason.NOT_MEASURED
        )
        return JudgedAccuracy(accuracy=None, interval=None, result=result)
    interval = wilson_interval(counts.correct, counts.labelled, confidence=spec.confidence)
    accuracy = counts.correct / counts.labelled
    window = _Window(
        counts=counts,
        accuracy=accuracy,
        interval=interval,
        steps=reference.aged(steps),
        expected=reference.expected(labelled_by_age(steps)),
        scale=scale,
        movement=movement,
        chance=chance_of_a_look(spec, family or (scale,)),
    )
    result = _filling(window) if filling else _result(window, spec)
    return JudgedAccuracy(accuracy=accuracy, interval=interval, result=result)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    counts: PerformanceCounts
    accuracy: float
    interval: Interval
    steps: Sequence[StepTruths]
    expected: ExpectedAccuracy | None
    scale: Scale
    movement: ErrorMovement | None
    chance: float

    @property
    def excess(self) -> float:
        """By how much the variance of its errors exceeds that of independent ones."""
        if self.movement is None:
            return assumed_excess(self.counts.labelled, scale=self.scale)
        return self.movement.excess(self.counts.labelled, length=self.scale.length)

    @property
    def numbers(self) -> str:
        return f"{self.accuracy:.3f} ({self.interval.low:.3f} to {self.interval.high:.3f})"

    @property
    def truths(self) -> str:
        return f"{self.counts.labelled:,} truths of {self.counts.sampled:,} sampled predictions"

    @property
    def sentence(self) -> str:
        return f"Accuracy {self.numbers}, {self.scale} window, {self.truths}."

    @property
    def whole(self) -> str:
        why = (
            f"as if correlated by {ASSUMED_CORRELATION:g}, for the reference does not show how errors move"
            if self.movement is None
            else "for the error rate naturally moves"
        )
        part = counted(self.excess)
        fewer = "" if part > _ALL_COUNT else f", of which {part:.0%} count, {why}"
        return f"the whole {self.scale} window {self.numbers}, {self.truths}{fewer}"


def _filling(window: _Window) -> WindowResult:
    return WindowResult(
        verdict=Verdict.INCONCLUSIVE,
        events=window.counts.labelled,
        reason=InconclusiveReason.FILLING,
        sentence=f"Inconclusive: the series is younger than the window, which is filling. {window.sentence}",
    )


def _result(window: _Window, spec: AccuracySpec) -> WindowResult:
    findings = _findings(window, spec)
    tier = max((finding.tier for finding in findings), default=Tier.NONE)
    return WindowResult(
        verdict=Verdict.OK if tier is Tier.NONE else Verdict(tier.name),
        events=window.counts.labelled,
        findings=findings,
        calm_below=_calm_below(window, tier, spec),
        sentence=findings[0].sentence if findings else window.sentence,
    )


def _calm_below(window: _Window, tier: Tier, spec: AccuracySpec) -> tuple[bool, bool, bool]:
    """Return for each tier whether the accuracy itself is back; that nothing is proven of few truths is no recovery."""
    above_floor = spec.floor is None or window.accuracy >= spec.floor
    fallen = 0.0 if window.expected is None else window.expected.accuracy - window.accuracy
    allowed = {} if spec.drop is None else dict(spec.drop.tiers)
    warning, alert, critical = (
        above_floor and tier < level and fallen <= allowed.get(level, math.inf)
        for level in (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)
    )
    # A tier that no drop can reach is as calm as the next one that is.
    return (warning and alert and critical, alert and critical, critical)


def _findings(window: _Window, spec: AccuracySpec) -> tuple[Finding, ...]:
    """Return the broken floor, then the drop of the worst tier that is proven."""
    rules = ProofRules(
        confidence=spec.confidence,
        usual=None if window.expected is None else 1.0 - window.expected.low,
        chance=window.chance,
        excess=window.excess,
    )
    floor, drops = floor_levels(spec), drop_levels(window.expected, spec)
    proven = proven_edges(window.steps, allowed=[level.allowed for level in floor + drops], rules=rules)
    broken, dropped = sum(proven[: len(floor)]), sum(proven[len(floor) :])  # what proves a drop proves those below it
    findings = []
    if broken:
        findings.append(_floor_finding(window, rules, floor[0]))
    if dropped and window.expected is not None:
        findings.append(_drop_finding(window, window.expected, rules, *drops[dropped - 1 : dropped + 1]))
    return tuple(findings)


def _floor_finding(window: _Window, rules: ProofRules, level: AccuracyLevel) -> Finding:
    proven = proven_errors(window.steps, allowed=level.allowed, rules=rules)
    highest = 1.0 - proven.bound
    return _finding(
        level,
        proven,
        bound=highest,
        sentence=(
            f"Accuracy {_since(proven)}: at most {highest:.3f} at {rules.confidence:.1%}, "
            f"proven under the floor of {level.threshold:g}; {window.whole}."
        ),
    )


def _drop_finding(
    window: _Window,
    expected: ExpectedAccuracy,
    rules: ProofRules,
    level: AccuracyLevel,
    further: AccuracyLevel | None = None,
) -> Finding:
    """Return the finding of *level*, the worst that is proven; *further*: the next one, which is not."""
    proven = proven_errors(window.steps, allowed=level.allowed, rules=rules)
    lowest = expected.low - (1.0 - proven.bound)
    aged = " for truths as old" if expected.at_age else ""
    not_proven = "" if further is None else f", {further.tier.word} {further.threshold:g} not"
    return _finding(
        level,
        proven,
        bound=lowest,
        sentence=(
            f"Accuracy {_since(proven)}, reference {expected.accuracy:.3f}{aged}: at least "
            f"{lowest:.3f} lower at {rules.confidence:.1%}: {level.tier.word} {level.threshold:g} proven{not_proven}; "
            f"{window.whole}."
        ),
    )


def _since(errors: LastingErrors) -> str:
    return f"{errors.accuracy:.3f} of {errors.labelled:,} truths since {iso_utc(errors.since)}"


def _finding(level: AccuracyLevel, proven: LastingErrors, *, bound: float, sentence: str) -> Finding:
    return Finding(
        kind=IncidentKind.PERFORMANCE,
        column="",
        statistic=Statistic.ACCURACY,
        tier=level.tier,
        endured=True,  # the proof counts its own steps, and a mature window is judged once
        value=ten_digits(proven.accuracy),
        bound=ten_digits(bound),
        threshold=level.threshold,
        role="performance",
        since=proven.since,
        sentence=sentence,
    )
