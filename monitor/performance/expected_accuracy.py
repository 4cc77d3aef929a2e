"""Which accuracy is expected of truths of some age, by the reference's; and the lines of a floor and of drops."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from monitor.performance.error_detector import StepTruths
from monitor.reference.profile import ReferenceProfile
from monitor.spec.accuracy import AccuracySpec
from monitor.stats.proportions import wilson_interval
from monitor.types import Tier

REFERENCE_CONFIDENCE = 0.95
"""Of the interval around the reference's accuracy: it is measured once, and the allowed drop comes on top."""

LEAST_OF_AGE = 50
"""Truths that the reference needs of an age; with fewer, all its truths stand for that age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceCounts:
    """What is known of one window's predictions: in the ledger, of them with a truth, of them right."""

    sampled: int
    labelled: int
    correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAccuracy:
    """The reference's accuracy and the lower end of its interval; *at_age*: of truths as old as those judged."""

    accuracy: float
    low: float
    at_age: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceAccuracy:
    """Truths of the reference: all of them, and labelled and correct ones by `AgeBucket` where it knows their age."""

    whole: PerformanceCounts
    ages: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    def expected(self, labelled: Mapping[int, int]) -> ExpectedAccuracy | None:
        r"""Return the accuracy expected of truths of these ages, *labelled* by `AgeBucket`; None without any truths.

        .. math:: p = \sum_a w_a p_a, \qquad m = \frac{p (1 - p)}{\sum_a w_a^2 p_a (1 - p_a) / m_a}

        with :math:`w_a` the share of age *a* in *labelled*, and the interval that of *m* equal truths: of truths that
        come late others are right than of those that come early. Where ages are not known, it is that of all truths.
        """
        whole, total = self.whole, sum(labelled.values())
        if whole.labelled == 0:
            return None
        if not self.ages or total <= 0:
            low = wilson_interval(whole.correct, whole.labelled, confidence=REFERENCE_CONFIDENCE).low
            return ExpectedAccuracy(accuracy=whole.correct / whole.labelled, low=low, at_age=False)
        weights: dict[tuple[int, int], float] = {}
        for age, number in labelled.items():
            weights[self._of(age)] = weights.get(self._of(age), 0.0) + number / total
        accuracy, smoothed, variance = 0.0, 0.0, 0.0
        for (truths, correct), weight in weights.items():
            share = (correct + 1) / (truths + 2)  # none of few truths wrong is no certainty
            accuracy += weight * correct / truths
            smoothed += weight * share
            variance += weight * weight * share * (1.0 - share) / truths
        worth = smoothed * (1.0 - smoothed) / variance
        low = wilson_interval(accuracy * worth, worth, confidence=REFERENCE_CONFIDENCE).low
        return ExpectedAccuracy(accuracy=accuracy, low=low, at_age=True)

    def aged(self, steps: Sequence[StepTruths]) -> tuple[StepTruths, ...]:
        """Return *steps* with their `StepTruths.shift`: a window's newest steps have younger truths than its oldest."""
        if not self.ages or not self.whole.labelled:
            return tuple(steps)
        usual = self._errors(labelled_by_age(steps))
        return tuple(replace(step, shift=self._errors(dict(step.ages)) - usual) for step in steps)

    def _errors(self, labelled: Mapping[int, int]) -> float:
        """Return the share of errors expected of *labelled* truths by age."""
        rates = [
            (number, 1.0 - correct / truths) for age, number in labelled.items() for truths, correct in [self._of(age)]
        ]
        return sum(number * rate for number, rate in rates) / max(1, sum(labelled.values()))

    def _of(self, age: int) -> tuple[int, int]:
        truths, correct = self.ages.get(age, (0, 0))
        return (truths, correct) if truths >= LEAST_OF_AGE else (self.whole.labelled, self.whole.correct)


def reference_accuracy(profile: ReferenceProfile) -> ReferenceAccuracy:
    """Return what *profile* knows of its truths."""
    whole = PerformanceCounts(sampled=profile.rows, labelled=profile.labelled, correct=profile.correct)
    return ReferenceAccuracy(whole=whole, ages={age: (truths, right) for age, truths, right in profile.truth_ages})


def labelled_by_age(steps: Iterable[StepTruths]) -> dict[int, int]:
    """Return the truths of *steps* by `AgeBucket`."""
    labelled: dict[int, int] = {}
    for step in steps:
        for age, number in step.ages:
            labelled[age] = labelled.get(age, 0) + number
    return labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLevel:
    """What proves a tier: a share of errors over *allowed*, for the spec's *threshold* (a floor or a drop)."""

    tier: Tier
    threshold: float
    allowed: float

    @property
    def accuracy(self) -> float:
        """Under which accuracy the tier is proven; 0 or less: under none."""
        return 1.0 - self.allowed


def floor_levels(spec: AccuracySpec) -> tuple[AccuracyLevel, ...]:
    """Return the level of the floor; none without a floor."""
    if spec.floor is None:
        return ()
    return (AccuracyLevel(tier=Tier.CRITICAL, threshold=spec.floor, allowed=1.0 - spec.floor),)


def drop_levels(expected: ExpectedAccuracy | None, spec: AccuracySpec) -> tuple[AccuracyLevel, ...]:
    """Return the levels of the drop, lowest tier first, from the lower end of the expected accuracy's interval on."""
    if spec.drop is None or expected is None:
        return ()
    return tuple(
        AccuracyLevel(tier=tier, threshold=drop, allowed=1.0 - expected.low + drop) for tier, drop in spec.drop.tiers
    )
