"""Labelled accuracy of one window: right or wrong, its interval, whether a floor or a drop is proven."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.clock import iso_utc
from monitor.performance.error_detector import LastingErrors, StepTruths, lasting_errors
from monitor.results import Finding, WindowResult
from monitor.spec.model import AccuracySpec, ModelSpec, Task
from monitor.stats.proportions import Interval, wilson_interval
from monitor.types import IncidentKind, InconclusiveReason, Scale, Statistic, Tier, Verdict

REFERENCE_CONFIDENCE = 0.95
"""Of the interval around the reference's accuracy: it is measured once, and the allowed drop comes on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRules:
    """How a model's predictions become labels; *regression*: nothing is right or wrong."""

    threshold: float
    positive: str
    negative: str
    regression: bool


def comparison_rules(spec: ModelSpec) -> ComparisonRules:
    """Return the rules that *spec* spells."""
    return ComparisonRules(
        threshold=spec.prediction.threshold,
        positive=spec.truth.positive,
        negative=spec.truth.negative,
        regression=spec.task is Task.REGRESSION,
    )


def predicted_label(*, label: str | None, score: float | None, rules: ComparisonRules) -> str | None:
    """Return the label that was sent, else the one the score stands for; None without either."""
    if label is not None:
        return label
    if score is None:
        return None
    return rules.positive if score >= rules.threshold else rules.negative


def is_correct(*, label: str | None, score: float | None, truth: str, rules: ComparisonRules) -> bool:
    """Return whether the prediction agrees with *truth*; always False for a regression, whose metrics come later."""
    return not rules.regression and predicted_label(label=label, score=score, rules=rules) == truth


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceCounts:
    """What is known of one window's predictions: in the ledger, of them with a truth, of them right."""

    sampled: int
    labelled: int
    correct: int


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
    reference: PerformanceCounts,
    scale: Scale,
    spec: AccuracySpec,
    measurable: bool = True,
) -> JudgedAccuracy:
    """Return accuracy, interval and verdict of a mature window.

    Critical: it is proven that accuracy has fallen under ``floor``. Warning: that it has fallen by more than ``drop``
    from the reference's, taken at the lower end of its own interval. Both are asked of the latest *steps*, as
    `monitor.performance.error_detector` does; the interval describes the window and decides nothing.

    Args:
        steps: Of the window, in order of time; without those whose truths are not in yet.
        measurable: False (regression): inconclusive, a number that is not measured is neither good nor bad.
    """
    if not measurable:
        result = WindowResult(
            verdict=Verdict.INCONCLUSIVE, events=counts.labelled, reason=InconclusiveReason.NOT_MEASURED
        )
        return JudgedAccuracy(accuracy=None, interval=None, result=result)
    interval = wilson_interval(counts.correct, counts.labelled, confidence=spec.confidence)
    accuracy = counts.correct / counts.labelled
    window = _Window(counts=counts, accuracy=accuracy, interval=interval, steps=steps, scale=scale)
    possible = (_floor(window, spec), _drop(window, reference, spec))
    findings = tuple(finding for finding in possible if finding is not None)
    tier = max((finding.tier for finding in findings), default=Tier.NONE)
    result = WindowResult(
        verdict=Verdict.OK if tier is Tier.NONE else Verdict(tier.name),
        events=counts.labelled,
        findings=findings,
        calm_below=_calm_below(accuracy, tier, reference, spec),
        sentence=findings[0].sentence if findings else f"Accuracy {window.numbers}, {scale} window, {window.truths}.",
    )
    return JudgedAccuracy(accuracy=accuracy, interval=interval, result=result)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    counts: PerformanceCounts
    accuracy: float
    interval: Interval
    steps: Sequence[StepTruths]
    scale: Scale

    @property
    def numbers(self) -> str:
        return f"{self.accuracy:.3f} ({self.interval.low:.3f} to {self.interval.high:.3f})"

    @property
    def truths(self) -> str:
        return f"{self.counts.labelled:,} truths of {self.counts.sampled:,} sampled predictions"

    @property
    def whole(self) -> str:
        return f"the whole {self.scale} window {self.numbers}, {self.truths}"


def _calm_below(
    accuracy: float, tier: Tier, reference: PerformanceCounts, spec: AccuracySpec
) -> tuple[bool, bool, bool]:
    """Return for each tier whether the accuracy itself is back; that nothing is proven of few truths is no recovery."""
    above_floor = spec.floor is None or accuracy >= spec.floor
    expected = reference.correct / reference.labelled if reference.labelled else accuracy
    near_reference = spec.drop is None or expected - accuracy <= spec.drop
    above = above_floor and tier < Tier.CRITICAL
    return (above and near_reference and tier is Tier.NONE, above, above)


def _floor(window: _Window, spec: AccuracySpec) -> Finding | None:
    if spec.floor is None:
        return None
    proven = lasting_errors(window.steps, allowed=1.0 - spec.floor, confidence=spec.confidence)
    if proven is None:
        return None
    highest = 1.0 - proven.bound
    return _finding(
        tier=Tier.CRITICAL,
        value=proven.accuracy,
        bound=highest,
        threshold=spec.floor,
        sentence=(
            f"Accuracy {_since(proven)}: at most {highest:.3f} at {spec.confidence:.1%}, "
            f"proven under the floor of {spec.floor:g}; {window.whole}."
        ),
    )


def _drop(window: _Window, reference: PerformanceCounts, spec: AccuracySpec) -> Finding | None:
    if spec.drop is None or reference.labelled == 0:
        return None
    expected = wilson_interval(reference.correct, reference.labelled, confidence=REFERENCE_CONFIDENCE).low
    proven = lasting_errors(window.steps, allowed=1.0 - expected + spec.drop, confidence=spec.confidence)
    if proven is None:
        return None
    lowest = expected - (1.0 - proven.bound)
    return _finding(
        tier=Tier.WARNING,
        value=proven.accuracy,
        bound=lowest,
        threshold=spec.drop,
        sentence=(
            f"Accuracy {_since(proven)}, reference {reference.correct / reference.labelled:.3f}: at least "
            f"{lowest:.3f} lower at {spec.confidence:.1%}, more than the {spec.drop:g} allowed; "
            f"{window.whole}."
        ),
    )


def _since(errors: LastingErrors) -> str:
    return f"{errors.accuracy:.3f} of {errors.labelled:,} truths since {iso_utc(errors.since)}"


def _finding(*, tier: Tier, value: float, bound: float, threshold: float, sentence: str) -> Finding:
    return Finding(
        kind=IncidentKind.PERFORMANCE,
        column="",
        statistic=Statistic.ACCURACY,
        tier=tier,
        endured=True,  # the proof counts its own steps, and a mature window is judged once
        value=value,
        bound=bound,
        threshold=threshold,
        role="performance",
        sentence=sentence,
    )
