"""When accuracy is calm: when it is back, not when too few truths came to prove that it is not."""

import pytest

from monitor.performance.error_detector import StepTruths
from monitor.performance.verdict import PerformanceCounts, judge_accuracy
from monitor.spec.model import AccuracySpec
from monitor.types import Scale, Verdict

REFERENCE = PerformanceCounts(sampled=10_000, labelled=10_000, correct=9_000)
RULES = AccuracySpec(floor=0.8, drop=0.03)


@pytest.mark.parametrize(
    ("labelled", "correct", "verdict", "calm"),
    [
        (2000, 1500, Verdict.CRITICAL, (False, False, False)),  # 0.75, proven under the floor
        (100, 65, Verdict.WARNING, (False, False, False)),  # 0.65 of few truths: nothing is better
        (100, 78, Verdict.OK, (False, False, False)),  # not even the drop is proven
        (100, 84, Verdict.OK, (False, True, True)),  # above the floor, further under the reference than allowed
        (100, 88, Verdict.OK, (True, True, True)),
        (20_000, 17_000, Verdict.WARNING, (False, True, True)),
    ],
)
def test_calm_is_read_from_the_accuracy_itself(
    labelled: int, correct: int, verdict: Verdict, calm: tuple[bool, bool, bool]
) -> None:
    """Raise and clear thresholds differ: raised by the proven bound, cleared by the value."""
    counts = PerformanceCounts(sampled=labelled, labelled=labelled, correct=correct)
    steps = (StepTruths(start=0, labelled=labelled, correct=correct),)
    result = judge_accuracy(counts, steps=steps, reference=REFERENCE, scale=Scale(60, 5), spec=RULES).result
    assert (result.verdict, result.calm_below) == (verdict, calm)
