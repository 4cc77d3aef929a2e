"""A collapse of accuracy is critical; each tier of a drop is proven on its own; a window must be full."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.performance.error_detector import ProofRules, StepTruths, lasting_errors, proven_edges
from monitor.performance.error_movement import ErrorMovement
from monitor.performance.expected_accuracy import PerformanceCounts, ReferenceAccuracy
from monitor.performance.verdict import JudgedAccuracy, judge_accuracy
from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.types import InconclusiveReason, Scale, Tier, Verdict

HOUR = Scale(length=60, step=5)
STEP = 5 * 60_000
REFERENCE = ReferenceAccuracy(whole=PerformanceCounts(sampled=20_000, labelled=20_000, correct=17_200))
INDEPENDENT = ErrorMovement({5: 0.0})


def judged(accuracies: list[float], *, seed: int, spec: AccuracySpec | None = None) -> JudgedAccuracy:
    """Judge the last hour of steps of five minutes with 100 truths each, drawn with these *accuracies*."""
    random = np.random.default_rng(seed)
    steps = tuple(
        StepTruths(start=place * STEP, labelled=100, correct=int(random.binomial(100, accuracy)))
        for place, accuracy in enumerate(accuracies)
    )[-12:]
    labelled = sum(step.labelled for step in steps)
    counts = PerformanceCounts(sampled=labelled, labelled=labelled, correct=sum(step.correct for step in steps))
    return judge_accuracy(
        counts, steps=steps, reference=REFERENCE, scale=HOUR, spec=spec or AccuracySpec(), movement=INDEPENDENT
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_collapse_is_critical_by_the_defaults(seed: int) -> None:
    """Accuracy 0.86 down to 0.009 in the last ten minutes: critical in every stream, and since when is known.

    ::

        minutes   0 ................ 50 ... 60
        accuracy  0.86               0.009
    """
    result = judged([0.86] * 10 + [0.009] * 2, seed=seed).result
    assert result.verdict is Verdict.CRITICAL
    assert [finding.since for finding in result.findings] == [10 * STEP]
    assert result.calm_below == (False, False, False)


@pytest.mark.parametrize(("accuracy", "tier"), [(0.80, Tier.WARNING), (0.77, Tier.ALERT), (0.70, Tier.CRITICAL)])
def test_a_fall_is_a_finding_of_its_own_size(accuracy: float, tier: Tier) -> None:
    """0.06, 0.09 and 0.16 lower, with truths enough to prove it: one tier each, and none above what is true."""
    steps = tuple(StepTruths(start=place * STEP, labelled=5000, correct=round(5000 * accuracy)) for place in range(12))
    counts = PerformanceCounts(sampled=60_000, labelled=60_000, correct=round(60_000 * accuracy))
    result = judge_accuracy(
        counts, steps=steps, reference=REFERENCE, scale=HOUR, spec=AccuracySpec(), movement=INDEPENDENT
    ).result
    assert [finding.tier for finding in result.findings] == [tier]


def test_a_sudden_worsening_names_its_own_beginning() -> None:
    """A slow fall that is a warning, then a collapse: the critical finding dates from the collapse."""
    result = judged([0.80] * 10 + [0.3] * 2, seed=1).result
    assert [(finding.tier, finding.since) for finding in result.findings] == [(Tier.CRITICAL, 10 * STEP)]


def test_a_tier_without_a_drop_is_never_reached() -> None:
    """`critical: null` leaves the alert as the worst there is, and calm as long as the alert is calm."""
    result = judged([0.009] * 12, seed=2, spec=AccuracySpec(drop=DropSpec(critical=None))).result
    assert [finding.tier for finding in result.findings] == [Tier.ALERT]
    assert result.calm_below == (False, False, True)


def test_a_window_that_is_not_full_is_shown_and_not_judged() -> None:
    """Half a window of wrong answers: its accuracy is there, with the reason why it proves nothing yet."""
    counts = PerformanceCounts(sampled=1000, labelled=1000, correct=10)
    steps = (StepTruths(start=0, labelled=1000, correct=10),)
    week = Scale(length=7 * 24 * 60, step=720)
    filling = judge_accuracy(
        counts, steps=steps, reference=REFERENCE, scale=week, spec=AccuracySpec(floor=0.5), filling=True
    )
    assert (filling.accuracy, filling.result.verdict, filling.result.reason, filling.result.findings) == (
        0.01, Verdict.INCONCLUSIVE, InconclusiveReason.FILLING, (),
    )  # fmt: skip
    assert filling.result.calm_below is None
    assert filling.result.sentence.startswith("Inconclusive: the series is younger than the window")


@pytest.mark.parametrize(
    ("number", "tiers"),
    [(0.03, (0.03, 0.06, 0.12)), (0.3, (0.3, 0.6, None)), (0, (0.0, None, None)), (1, (1.0, None, None))],
)
def test_a_number_alone_stands_for_three_tiers(number: float, tiers: tuple[float | None, ...]) -> None:
    """The short form, which specs have from before there were tiers; what would be over 1 can never be reached."""
    drop = AccuracySpec.model_validate({"drop": number}).drop
    assert drop is not None
    assert (drop.warning, drop.alert, drop.critical) == tiers


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        (2, "expected a share from 0 to 1, or {warning, alert, critical}, found 2"),
        ({"warning": 0.1}, "expected warning < alert < critical, found 0.1, 0.06, 0.12"),
        ({"warning": 0.06}, "expected warning < alert < critical, found 0.06, 0.06, 0.12"),
    ],
)
def test_drops_that_make_no_sense_are_refused(drop: object, said: str) -> None:
    """With what was expected and what was there."""
    with pytest.raises(ValidationError) as error:
        AccuracySpec.model_validate({"drop": drop})
    assert said in str(error.value)


@given(
    errors=st.lists(st.integers(0, 50), min_size=1, max_size=20),
    allowed=st.lists(st.floats(0.0, 1.2), min_size=1, max_size=5),
)
def test_one_pass_says_what_single_passes_do(errors: list[int], allowed: list[float]) -> None:
    """All tiers at once are as each alone; and what proves a larger share proves every smaller one."""
    steps = [StepTruths(start=place, labelled=50, correct=50 - error) for place, error in enumerate(errors)]
    ascending = sorted(allowed)
    proven = proven_edges(steps, allowed=ascending, rules=ProofRules(confidence=0.999))
    single = [lasting_errors(steps, allowed=edge, rules=ProofRules(confidence=0.999)) for edge in ascending]
    assert proven == tuple(result is not None for result in single)
    assert list(proven) == sorted(proven, reverse=True)
    bounds = [result.bound for result in single if result is not None]
    assert bounds == pytest.approx(sorted(bounds), abs=1e-3)
