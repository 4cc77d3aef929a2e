"""Ages, labels, the probing schedule and the verdict on accuracy."""

import pytest

from monitor.spec import AccuracySpec
from monitor.stats.proportion import newcombe_difference, wilson_interval
from monitor.truth.accuracy import PerformanceCounts, is_mature, judge_accuracy
from monitor.truth.age_buckets import AgeBucket, age_bucket
from monitor.truth.comparison import ComparisonRules, is_correct
from monitor.truth.probing import next_probe_seconds
from monitor.types import Scale, Tier, Verdict

RULES = ComparisonRules(threshold=0.5, positive="1", negative="0", regression=False)
HOUR = Scale(length=60, step=5)
REFERENCE = PerformanceCounts(sampled=10_000, labelled=10_000, correct=9_000)
MINUTE = 60_000


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
    """A label counts as sent; without one the score stands for the positive or the negative label."""
    assert is_correct(label=label, score=score, truth=truth, rules=RULES) is correct


def test_probes_come_soon_then_ever_more_rarely_up_to_the_horizon() -> None:
    """1 s, 10 s, 1 m, 10 m, 1 h, doubling, a last look at the horizon itself, then never again."""
    horizon = 10 * 3600.0
    found = [next_probe_seconds(each, horizon_seconds=horizon) for each in range(11)]
    assert found == [1, 10, 60, 600, 3600, 7200, 14400, 28800, horizon, None, None]


def test_maturity_needs_number_and_share() -> None:
    """99 truths are too few; 100 of 126 are under four in five; 100 of 125 are mature."""
    spec = AccuracySpec()
    assert not is_mature(PerformanceCounts(sampled=99, labelled=99, correct=99), spec)
    assert not is_mature(PerformanceCounts(sampled=126, labelled=100, correct=99), spec)
    assert is_mature(PerformanceCounts(sampled=125, labelled=100, correct=99), spec)


def test_a_floor_is_critical_only_when_proven() -> None:
    """Whether accuracy lies under the floor is asked of Wilson's upper bound, not of the number."""
    spec = AccuracySpec(floor=0.8, drop=None)
    for correct in range(700, 801):
        counts = PerformanceCounts(sampled=1000, labelled=1000, correct=correct)
        judged = judge_accuracy(counts, reference=REFERENCE, scale=HOUR, spec=spec)
        proven = wilson_interval(correct, 1000, confidence=spec.confidence).high < 0.8
        assert judged.result.verdict is (Verdict.CRITICAL if proven else Verdict.OK)


def test_a_drop_is_a_warning_only_when_proven() -> None:
    """The difference to the reference must be over the drop with Newcombe's interval."""
    spec = AccuracySpec(drop=0.03)
    for correct in range(700, 901, 3):
        counts = PerformanceCounts(sampled=1000, labelled=1000, correct=correct)
        judged = judge_accuracy(counts, reference=REFERENCE, scale=HOUR, spec=spec)
        proven = newcombe_difference(9_000, 10_000, correct, 1000, confidence=spec.confidence).low > 0.03
        assert [each.tier for each in judged.result.findings] == ([Tier.WARNING] if proven else [])


def test_without_a_reference_accuracy_nothing_has_dropped() -> None:
    """A reference without truths cannot prove a drop; the number is told all the same."""
    nothing = PerformanceCounts(sampled=10_000, labelled=0, correct=0)
    counts = PerformanceCounts(sampled=1000, labelled=1000, correct=100)
    judged = judge_accuracy(counts, reference=nothing, scale=HOUR, spec=AccuracySpec())
    assert (judged.result.verdict, judged.accuracy) == (Verdict.OK, 0.1)
    assert "Accuracy 0.100" in judged.result.sentence


def test_a_regression_is_not_measured() -> None:
    """No metric, no verdict: inconclusive, neither good nor bad news."""
    counts = PerformanceCounts(sampled=1000, labelled=1000, correct=0)
    judged = judge_accuracy(counts, reference=REFERENCE, scale=HOUR, spec=AccuracySpec(), measurable=False)
    assert (judged.accuracy, judged.result.verdict, judged.result.findings) == (None, Verdict.INCONCLUSIVE, ())
