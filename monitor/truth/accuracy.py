"""Judges the labelled accuracy of one window: its interval, and whether a floor or a drop is proven."""

from dataclasses import dataclass

from monitor.findings import Finding, WindowResult
from monitor.spec import AccuracySpec
from monitor.stats.proportion import Interval, newcombe_difference, wilson_interval
from monitor.types import IncidentKind, Scale, Tier, Verdict


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
    return WindowResult(verdict=Verdict.INCONCLUSIVE, events=counts.labelled, reason="immature")


def judge_accuracy(
    counts: PerformanceCounts,
    *,
    reference: PerformanceCounts,
    scale: Scale,
    spec: AccuracySpec,
    measurable: bool = True,
) -> JudgedAccuracy:
    """Return accuracy, interval and verdict of a mature window.

    Critical: the interval lies under ``floor``. Warning: Newcombe's interval of reference less current lies over
    ``drop``. *measurable* False (regression): inconclusive, a number that is not measured is neither good nor bad.
    """
    if not measurable:
        result = WindowResult(verdict=Verdict.INCONCLUSIVE, events=counts.labelled, reason="not_measured")
        return JudgedAccuracy(accuracy=None, interval=None, result=result)
    interval = wilson_interval(counts.correct, counts.labelled, confidence=spec.confidence)
    accuracy = counts.correct / counts.labelled
    found = (_floor(accuracy, interval, counts, scale, spec), _drop(accuracy, counts, reference, scale, spec))
    findings = tuple(each for each in found if each is not None)
    tier = max((each.tier for each in findings), default=Tier.NONE)
    sentence = findings[0].sentence if findings else _seen(accuracy, interval, counts, scale) + "."
    result = WindowResult(
        verdict=Verdict.OK if tier is Tier.NONE else Verdict(tier.name),
        events=counts.labelled,
        findings=findings,
        calm_below=_calm_below(accuracy, tier, reference, spec),
        sentence=sentence,
    )
    return JudgedAccuracy(accuracy=accuracy, interval=interval, result=result)


def _calm_below(
    accuracy: float, tier: Tier, reference: PerformanceCounts, spec: AccuracySpec
) -> tuple[bool, bool, bool]:
    """Return for each tier whether the accuracy itself is back; that nothing is proven of few truths is no recovery."""
    above_floor = spec.floor is None or accuracy >= spec.floor
    expected = reference.correct / reference.labelled if reference.labelled else accuracy
    near_reference = spec.drop is None or expected - accuracy <= spec.drop
    above = above_floor and tier < Tier.CRITICAL
    return (above and near_reference and tier is Tier.NONE, above, above)


def _floor(
    accuracy: float, interval: Interval, counts: PerformanceCounts, scale: Scale, spec: AccuracySpec
) -> Finding | None:
    if spec.floor is None or interval.high >= spec.floor:
        return None
    return _finding(
        tier=Tier.CRITICAL,
        value=accuracy,
        bound=interval.high,
        threshold=spec.floor,
        sentence=f"{_seen(accuracy, interval, counts, scale)}: proven under the floor of {spec.floor:g}.",
    )


def _drop(
    accuracy: float, counts: PerformanceCounts, reference: PerformanceCounts, scale: Scale, spec: AccuracySpec
) -> Finding | None:
    if spec.drop is None or reference.labelled == 0:
        return None
    difference = newcombe_difference(
        reference.correct, reference.labelled, counts.correct, counts.labelled, confidence=spec.confidence
    )
    if difference.low <= spec.drop:
        return None
    expected = reference.correct / reference.labelled
    return _finding(
        tier=Tier.WARNING,
        value=accuracy,
        bound=difference.low,
        threshold=spec.drop,
        sentence=(
            f"Accuracy {accuracy:.3f}, reference {expected:.3f}: at least {difference.low:.3f} lower "
            f"at {spec.confidence:.1%}, more than the {spec.drop:g} allowed; {scale} window, "
            f"{counts.labelled:,} truths of {counts.sampled:,} sampled predictions."
        ),
    )


def _seen(accuracy: float, interval: Interval, counts: PerformanceCounts, scale: Scale) -> str:
    return (
        f"Accuracy {accuracy:.3f} ({interval.low:.3f} to {interval.high:.3f}), {scale} window, "
        f"{counts.labelled:,} truths of {counts.sampled:,} sampled predictions"
    )


def _finding(*, tier: Tier, value: float, bound: float, threshold: float, sentence: str) -> Finding:
    return Finding(
        kind=IncidentKind.PERFORMANCE,
        column="",
        statistic="accuracy",
        tier=tier,
        endured=True,  # maturity stands in for endurance: a mature window is judged once
        value=value,
        bound=bound,
        threshold=threshold,
        role="performance",
        sentence=sentence,
    )
