"""Ages, labels, the probing schedule and the verdict on accuracy."""

from collections.abc import Sequence

import pytest

from monitor.performance.correctness import ComparisonRules, is_correct
from monitor.performance.delayed_labels import next_look_seconds
from monitor.performance.error_detector import ProofRules, StepTruths, lasting_errors
from monitor.performance.error_movement import ErrorMovement
from monitor.performance.expected_accuracy import REFERENCE_CONFIDENCE, PerformanceCounts, ReferenceAccuracy
from monitor.performance.false_warnings import chance_of_a_look
from monitor.performance.verdict import JudgedAccuracy, is_mature, judge_accuracy
from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.stats.proportions import wilson_interval
from monitor.truth_age import AgeBucket, age_bucket
from monitor.types import Scale, Tier, Verdict

RULES = ComparisonRules(threshold=0.5, positive="1", negative="0", regression=False)
HOUR = Scale(length=60, step=5)
REFERENCE = ReferenceAccuracy(whole=PerformanceCounts(sampled=10_000, labelled=10_000, correct=9_000))
INDEPENDENT = ErrorMovement({5: 0.0})
EXPECTED = wilson_interval(9_000, 10_000, confidence=REFERENCE_CONFIDENCE).low
MINUTE = 60_000
START = 1_789_948_800_000  # 2026-09-21T00:00:00Z


def judged_hour(counts: PerformanceCounts, steps: Sequence[StepTruths], spec: AccuracySpec) -> JudgedAccuracy:
    """Judge an hour of truths that do not depend on each other."""
    return judge_accuracy(counts, steps=steps, reference=REFERENCE, scale=HOUR, spec=spec, movement=INDEPENDENT)


def rules_of(spec: AccuracySpec) -> ProofRules:
    """Return what the proofs of `judged_hour` must hold."""
    return ProofRules(confidence=spec.confidence, usual=1.0 - EXPECTED, chance=chance_of_a_look(spec, [HOUR]))


def window_of(correct: int) -> tuple[PerformanceCounts, tuple[StepTruths, ...]]:
    """Return an hour of 1,000 truths of which *correct* are right, as even over its first ten steps as they can be."""
    shares = [correct * (place + 1) // 10 - correct * place // 10 for place in range(10)]
    steps = tuple(
        StepTruths(start=START + place * 5 * MINUTE, labelled=100, correct=share) for place, share in enumerate(shares)
    )
    return PerformanceCounts(sampled=1000, labelled=1000, correct=correct), steps


@pytest.mark.parametrize(
    ("age", "bucket"),
    [
        (-5 * MINUTE, AgeBucket.M1),
        (MINUTE, AgeBucket.M1),
        (MINUTE + 1, AgeBucket.M5),
        (60 * MINUTE, AgeBucket.H1),
        (1440 * MINUTE, AgeBucket.D1),
        (90 * 1440 * MINUTE, AgeBucket.D90),
        (90 * 1440 * MINUTE + 1, AgeBucket.OLDER),
    ],
)
def test_a_bucket_holds_ages_up_to_its_name(age: int, bucket: AgeBucket) -> None:
    """The age that names a bucket is its last; a truth before its prediction is youngest."""
    assert age_bucket(event_time=10**12, known_at=10**12 + age) is bucket


@pytest.mark.parametrize(
    ("label", "score", "truth", "correct"),
    [
        ("1", 0.1, "1", True),  # the label that was sent outweighs the score
        (None, 0.5, "1", True),  # from the threshold on: positive
        (None, 0.4999, "1", False),
        (None, 0.4999, "0", True),
        (None, None, "1", False),
    ],
)
def test_a_prediction_is_compared_by_its_label_or_score(
    label: str | None, score: float | None, truth: str, correct: bool
) -> None:
    """A label counts as sent; without one the score decides which label it is."""
    assert is_correct(label=label, score=score, truth=truth, rules=RULES) is correct


def looks(*, matched: bool, horizon: float) -> list[float]:
    due_seconds, elapsed = [], 0.0
    while (due := next_look_seconds(elapsed, matched=matched, horizon_seconds=horizon)) is not None:
        due_seconds.append(due)
        elapsed = due
    return due_seconds


def test_looks_come_soon_then_ever_more_rarely_up_to_the_horizon() -> None:
    """1 s, 10 s, 1 m, 10 m, 1 h, doubling, a last look at the horizon itself, then never again."""
    horizon = 10 * 3600.0
    assert looks(matched=False, horizon=horizon) == [1, 10, 60, 600, 3600, 7200, 14400, 28800, horizon]
    assert looks(matched=False, horizon=5) == [1, 5]


def test_a_truth_with_a_prediction_looks_five_times_in_thirty_days() -> None:
    """Enough for another version's late prediction, and a third of the writes that a truth without any costs."""
    day = 86_400.0
    assert looks(matched=True, horizon=30 * day) == [60, 3600, day, 7 * day, 30 * day]
    assert looks(matched=True, horizon=3600) == [60, 3600]
    assert len(looks(matched=False, horizon=30 * day)) == 15


def test_looks_that_were_missed_are_made_up_for_by_one() -> None:
    """After an idle spell the next look is the first one that still lies ahead."""
    assert next_look_seconds(5000, matched=False, horizon_seconds=1e6) == 7200
    assert next_look_seconds(5000, matched=True, horizon_seconds=1e6) == 86_400


def test_maturity_needs_number_and_share() -> None:
    """99 truths are too few; 100 of 126 are under four in five; 100 of 125 are mature."""
    spec = AccuracySpec()
    assert not is_mature(PerformanceCounts(sampled=99, labelled=99, correct=99), spec)
    assert not is_mature(PerformanceCounts(sampled=126, labelled=100, correct=99), spec)
    assert is_mature(PerformanceCounts(sampled=125, labelled=100, correct=99), spec)


@pytest.mark.parametrize("correct", range(700, 801, 4))
def test_a_floor_is_critical_only_when_proven(correct: int) -> None:
    """The window's accuracy being under the floor is not enough; the sentence and the numbers are the proof's."""
    spec = AccuracySpec(floor=0.8, drop=None)
    counts, steps = window_of(correct)
    judged = judged_hour(counts, steps, spec)
    proven = lasting_errors(steps, allowed=1.0 - 0.8, rules=rules_of(spec))
    assert judged.interval == wilson_interval(correct, 1000, confidence=spec.confidence)
    assert judged.result.verdict is (Verdict.OK if proven is None else Verdict.CRITICAL)
    for finding in judged.result.findings:
        assert proven is not None
        assert (finding.value, finding.bound) == pytest.approx((proven.accuracy, 1.0 - proven.bound), rel=1e-9)
        assert finding.value < finding.bound < finding.threshold == 0.8


@pytest.mark.parametrize("correct", range(700, 901, 8))
def test_a_drop_is_a_finding_of_the_worst_tier_that_is_proven(correct: int) -> None:
    """What counts as the reference's accuracy is the lower end of its interval: it was measured on a sample too."""
    counts, steps = window_of(correct)
    judged = judged_hour(counts, steps, AccuracySpec())
    proven = {
        tier: errors
        for tier, drop in DropSpec().tiers
        if (errors := lasting_errors(steps, allowed=1.0 - EXPECTED + drop, rules=rules_of(AccuracySpec())))
    }
    assert [finding.tier for finding in judged.result.findings] == ([max(proven)] if proven else [])
    for finding in judged.result.findings:
        assert finding.threshold == dict(DropSpec().tiers)[finding.tier]
        assert finding.threshold < finding.bound < EXPECTED - finding.value
        assert finding.since == proven[finding.tier].since


def test_some_floors_and_drops_of_these_are_proven() -> None:
    """The tests above see no finding, and findings of the floor and of each tier."""
    spec = AccuracySpec(floor=0.8)
    tiers = {
        correct: [finding.tier for finding in judged_hour(*window_of(correct), spec).result.findings]
        for correct in (700, 740, 764, 810, 900)
    }
    assert tiers == {
        700: [Tier.CRITICAL, Tier.CRITICAL],
        740: [Tier.CRITICAL, Tier.ALERT],
        764: [Tier.ALERT],
        810: [Tier.WARNING],
        900: [],
    }


@pytest.mark.parametrize(
    ("labelled", "correct", "verdict", "calm"),
    [
        (2000, 1500, Verdict.CRITICAL, (False, False, False)),  # 0.75, proven under the floor
        (100, 66, Verdict.ALERT, (False, False, False)),  # under the floor, and few truths prove the alert only
        (100, 78, Verdict.OK, (False, False, False)),  # under the floor, and not even the warning is proven
        (100, 82, Verdict.OK, (False, False, True)),  # 0.08 under the reference: as far as an alert
        (100, 85, Verdict.OK, (False, True, True)),
        (100, 88, Verdict.OK, (True, True, True)),
        (20_000, 17_000, Verdict.WARNING, (False, True, True)),
        (20_000, 16_400, Verdict.ALERT, (False, False, True)),
    ],
)
def test_calm_is_read_from_the_accuracy_itself(
    labelled: int, correct: int, verdict: Verdict, calm: tuple[bool, bool, bool]
) -> None:
    """Raised by the proven bound, cleared by the value: too few truths to prove a drop are no calm."""
    spec = AccuracySpec(floor=0.8)
    counts = PerformanceCounts(sampled=labelled, labelled=labelled, correct=correct)
    steps = (StepTruths(start=START, labelled=labelled, correct=correct),)
    result = judged_hour(counts, steps, spec).result
    assert (result.verdict, result.calm_below) == (verdict, calm)


def test_the_sentence_says_since_when() -> None:
    """An hour of which the last quarter went wrong: since when, how bad, what was allowed, and the whole."""
    steps = tuple(
        StepTruths(start=START + place * 5 * MINUTE, labelled=100, correct=90 if place < 9 else 60)
        for place in range(12)
    )
    counts = PerformanceCounts(sampled=1300, labelled=1200, correct=9 * 90 + 3 * 60)
    judged = judged_hour(counts, steps, AccuracySpec())
    assert judged.result.sentence == (
        "Accuracy 0.600 of 300 truths since 2026-09-21T00:45:00Z, reference 0.900: at least 0.189 lower at 99.9%: "
        "critical 0.12 proven; the whole 1h window 0.825 (0.786 to 0.858), 1,200 truths of 1,300 sampled predictions."
    )


def test_without_a_reference_accuracy_nothing_has_dropped() -> None:
    """A reference without truths cannot prove a drop; the number is reported all the same."""
    nothing = ReferenceAccuracy(whole=PerformanceCounts(sampled=10_000, labelled=0, correct=0))
    counts = PerformanceCounts(sampled=1000, labelled=1000, correct=100)
    judged = judge_accuracy(counts, steps=window_of(100)[1], reference=nothing, scale=HOUR, spec=AccuracySpec())
    assert (judged.result.verdict, judged.accuracy) == (Verdict.OK, 0.1)
    assert "Accuracy 0.100" in judged.result.sentence


def test_a_regression_is_not_measured() -> None:
    """No metric, no verdict: inconclusive, neither good nor bad news."""
    counts = PerformanceCounts(sampled=1000, labelled=1000, correct=0)
    judged = judge_accuracy(counts, steps=(), reference=REFERENCE, scale=HOUR, spec=AccuracySpec(), measurable=False)
    assert (judged.accuracy, judged.result.verdict, judged.result.findings) == (None, Verdict.INCONCLUSIVE, ())
