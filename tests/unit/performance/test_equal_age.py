"""Windows are compared with the reference's truths of the same age: late truths differ from early ones."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.performance.error_detector import StepTruths
from monitor.performance.error_movement import ErrorMovement
from monitor.performance.expected_accuracy import REFERENCE_CONFIDENCE, PerformanceCounts, ReferenceAccuracy
from monitor.performance.verdict import judge_accuracy
from monitor.results import WindowResult
from monitor.spec.accuracy import AccuracySpec
from monitor.stats.proportions import wilson_interval
from monitor.truth_age import AgeBucket
from monitor.types import Scale, Tier, Verdict

HOUR = Scale(length=60, step=5)
STEP = 5 * 60_000
EARLY, LATE = AgeBucket.H1, AgeBucket.D30
ACCURACY = {EARLY: 0.85, LATE: 0.99}
"""A false alarm of fraud is known within the hour; what was fraud within a month, and most of it was named."""
WHOLE = PerformanceCounts(sampled=20_000, labelled=20_000, correct=18_400)
AGED = ReferenceAccuracy(whole=WHOLE, ages={EARLY: (10_000, 8_500), LATE: (10_000, 9_900)})
FULL_AGE = ReferenceAccuracy(whole=WHOLE)


def steps_of(
    ages: Sequence[dict[AgeBucket, int]], *, random: np.random.Generator, worse: float = 0.0
) -> tuple[StepTruths, ...]:
    """Return steps with so many truths of each age, *worse* than in the reference by that."""
    return tuple(
        StepTruths(
            start=place * STEP,
            labelled=sum(step.values()),
            correct=sum(int(random.binomial(number, ACCURACY[age] - worse)) for age, number in step.items()),
            ages=tuple((int(age), number) for age, number in step.items()),
        )
        for place, step in enumerate(ages)
    )


def judged(steps: Sequence[StepTruths], reference: ReferenceAccuracy) -> WindowResult:
    labelled = sum(step.labelled for step in steps)
    counts = PerformanceCounts(sampled=labelled, labelled=labelled, correct=sum(step.correct for step in steps))
    return judge_accuracy(
        counts,
        steps=steps,
        reference=reference,
        scale=HOUR,
        spec=AccuracySpec(),
        movement=ErrorMovement({5: 0.0}),
    ).result


YOUNG = [{EARLY: 500}] * 12
GROWING_YOUNG = [{EARLY: 2000, LATE: 2000}] * 8 + [{EARLY: 2000}] * 4


@pytest.mark.parametrize("ages", [YOUNG, GROWING_YOUNG], ids=["young", "newest steps young"])
def test_young_truths_raise_nothing_where_late_ones_are_better(ages: Sequence[dict[AgeBucket, int]]) -> None:
    """Accuracy is that of the reference at every age: never a finding; compared with the full age, in every window."""
    random = np.random.default_rng(51)
    for _ in range(50):
        steps = steps_of(ages, random=random)
        assert judged(steps, AGED).verdict is Verdict.OK
        assert judged(steps, FULL_AGE).verdict is not Verdict.OK


@pytest.mark.parametrize("ages", [YOUNG, GROWING_YOUNG, [{LATE: 500}] * 12])
def test_a_fall_is_proven_at_every_age(ages: Sequence[dict[AgeBucket, int]]) -> None:
    """Accuracy is 0.1 lower than the reference's at the same age: an alert (0.06), and its message says of what age."""
    result = judged(steps_of(ages, random=np.random.default_rng(52), worse=0.1), AGED)
    assert result.findings[0].tier is Tier.ALERT
    assert "for truths as old" in result.sentence


def test_a_fall_of_late_truths_shows_where_young_ones_hide_it() -> None:
    """Of late truths 0.92 are right instead of 0.99: proven; that is as many as of all truths of the reference."""
    steps = steps_of([{LATE: 500}] * 12, random=np.random.default_rng(53), worse=0.07)
    assert judged(steps, AGED).verdict is not Verdict.OK
    assert judged(steps, FULL_AGE).verdict is Verdict.OK


def test_an_age_that_the_reference_lacks_is_expected_to_be_as_all_are() -> None:
    """Too few of its truths are of this age, or none: its accuracy at full age, with its interval."""
    few = ReferenceAccuracy(whole=WHOLE, ages={EARLY: (49, 0), LATE: (10_000, 9_900)})
    for age in (int(EARLY), int(AgeBucket.D1)):
        expected = few.expected({age: 100})
        assert expected is not None
        assert expected.accuracy == pytest.approx(0.92)
        assert expected.low == pytest.approx(wilson_interval(18_400, 20_000, confidence=REFERENCE_CONFIDENCE).low)


def test_a_mixture_is_weighed_by_the_windows_ages() -> None:
    """A quarter early, three quarters late; its interval is wider than that of all truths would be."""
    expected = AGED.expected({EARLY: 25, LATE: 75})
    assert expected is not None
    assert expected.accuracy == pytest.approx(0.25 * 0.85 + 0.75 * 0.99)
    deviation = np.sqrt(0.25**2 * 0.1275 / 10_000 + 0.75**2 * 0.0099 / 10_000)
    assert expected.accuracy - expected.low == pytest.approx(1.96 * deviation, rel=0.05)


@given(
    labelled=st.dictionaries(st.sampled_from(AgeBucket), st.integers(1, 10_000), min_size=1),
    ages=st.dictionaries(st.sampled_from(AgeBucket), st.tuples(st.integers(1, 1000), st.floats(0, 1))),
)
def test_what_is_expected_lies_between_the_ages(labelled: dict[int, int], ages: dict[int, tuple[int, float]]) -> None:
    """Whatever the ages, the interval's end is a share below the accuracy; and shifts of one step's truths even out."""
    reference = ReferenceAccuracy(
        whole=WHOLE, ages={age: (truths, round(share * truths)) for age, (truths, share) in ages.items()}
    )
    expected = reference.expected(labelled)
    assert expected is not None
    assert 0.0 <= expected.low <= expected.accuracy + 1e-12 <= 1.0 + 1e-9
    total = sum(labelled.values())
    steps = [
        StepTruths(start=place, labelled=number, correct=0, ages=((age, number),))
        for place, (age, number) in enumerate(labelled.items())
    ]
    shifts = sum(step.shift * step.labelled for step in reference.aged(steps))
    assert shifts == pytest.approx(0.0, abs=1e-6 * total)
