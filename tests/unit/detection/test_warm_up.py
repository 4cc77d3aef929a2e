"""A version that warms up, and one with a reference of its own: what is judged, by what, and how certainly."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.detection import OwnPrediction, PreparedReference, examine_window, prepare_reference
from monitor.reference.layout import CellsLayout, ColumnRole
from monitor.reference.profile import ColumnMovement, ReferenceProfile
from monitor.results import WindowResult
from monitor.types import Calibration, IncidentKind, InconclusiveReason, Statistic, Tier, Verdict
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, Table, count, layout_of, profile_of, spec_of

SCORE, LABEL = "prediction.score", "prediction.label"
generator = np.random.default_rng(7)


def table(rows: int, *, power: float = 1.0, positive: float = 0.3) -> dict[str, Any]:
    return {
        "x": generator.normal(size=rows),
        SCORE: generator.beta(2, 2, size=rows) ** power,
        LABEL: np.where(generator.random(rows) < positive, "yes", "no"),
    }


def layout_with_label(reference: Table) -> CellsLayout:
    columns = layout_of(reference).columns
    roles = {SCORE: ColumnRole.SCORE, LABEL: ColumnRole.LABEL}
    return CellsLayout(
        columns=tuple(msgspec.structs.replace(column, role=roles.get(column.name, column.role)) for column in columns)
    )


REFERENCE = table(20_000)
LAYOUT = layout_with_label(REFERENCE)


def profile(**movement: dict[int, ColumnMovement]) -> ReferenceProfile:
    return profile_of(LAYOUT, count(LAYOUT, REFERENCE), **movement)


def prepared(**given: Any) -> PreparedReference:
    spec = spec_of(LAYOUT, prediction={"score": True, "label": True})
    return prepare_reference(spec, profile(), **given)


def judge(reference: PreparedReference, window: Mapping[str, Any]) -> WindowResult:
    halves = [{name: values[at::2] for name, values in window.items()} for at in (0, 1)]
    first, second = (count(LAYOUT, half) for half in halves)
    events = len(window["x"])
    return decide_window(
        reference,
        scale=HOUR,
        first_half=first,
        second_half=second,
        events=events,
        previous=first + second,
        previous_events=events,
    )


def endured(result: WindowResult) -> set[tuple[str, Statistic, Tier]]:
    return {(finding.column, finding.statistic, finding.tier) for finding in result.findings if finding.endured}


def test_another_score_is_shown_and_not_judged() -> None:
    """The same window is critical drift of the score without a warm-up."""
    window = table(4_000, power=3.0)
    assert (SCORE, Statistic.PSI, Tier.CRITICAL) in endured(judge(prepared(), window))
    result = judge(prepared(warming=True), window)
    assert (result.verdict, result.findings, result.moved) == (Verdict.OK, (), ())
    assert result.sentence.startswith("nothing moved: largest PSI ")
    assert result.sentence.endswith(" events. The prediction of this version is warming up: not judged for drift.")
    assert result.calm_below == (True, True, True)
    score = next(column for column in result.columns if column.name == SCORE)
    assert score.inconclusive is InconclusiveReason.WARMING_UP
    assert score.psi is not None
    assert score.psi > 0.3


def test_inputs_are_judged_in_the_warm_up() -> None:
    window = table(4_000) | {"x": generator.normal(2.0, size=4_000)}
    assert ("x", Statistic.PSI, Tier.CRITICAL) in endured(judge(prepared(warming=True), window))


@pytest.mark.parametrize(("positive", "tier"), [(0.45, None), (0.8, Tier.CRITICAL)])
def test_other_decisions_count_when_they_are_critical(positive: float, tier: Tier | None) -> None:
    """A recalibrated version decides alike; one whose decisions are others must not hide in its warm-up."""
    result = judge(prepared(warming=True), table(4_000, power=3.0, positive=positive))
    assert endured(result) == (set() if tier is None else {(LABEL, Statistic.PSI, tier)})
    assert result.verdict is (Verdict.OK if tier is None else Verdict.CRITICAL)


@pytest.mark.parametrize(
    ("broken", "statistic"),
    [
        ([None] * 4_000, Statistic.SCHEMA),
        ([None, None, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55] * 500, Statistic.MISSING),
        ([float("nan"), float("nan"), 0.3, 0.35, 0.4, 0.45, 0.5, 0.55] * 500, Statistic.INVALID),
        ([0.97] * 4_000, Statistic.STUCK),
    ],
)
def test_a_broken_prediction_is_broken_in_the_warm_up(broken: list[float | None], statistic: Statistic) -> None:
    window = table(4_000) | {SCORE: broken}
    result = judge(prepared(warming=True), window)
    assert {(finding.column, finding.statistic) for finding in result.of_kind(IncidentKind.DATA_QUALITY)} == {
        (SCORE, statistic)
    }
    assert result.of_kind(IncidentKind.DRIFT) == ()


def test_where_only_the_prediction_is_judged_the_window_says_that_it_warms_up() -> None:
    unmonitored = {"x": {"kind": "numeric", "monitor": False}}
    spec = spec_of(LAYOUT, prediction={"score": True, "label": True}, columns=unmonitored)
    result = judge(prepare_reference(spec, profile(), warming=True), table(4_000, power=3.0))
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, InconclusiveReason.WARMING_UP)
    assert result.sentence == "warming up: what this version predicts is still being learnt (4,000 events)."


def test_the_own_reference_is_of_the_prediction_alone() -> None:
    """Drift against it is found, what is like it is calm; missing values are judged by the model's reference."""
    stretch = table(6_000, power=3.0) | {"x": generator.normal(5.0, size=6_000)}
    own = OwnPrediction(counts=count(LAYOUT, stretch), minutes=24 * 60)
    judged = prepared(own=own)
    assert endured(judge(judged, table(4_000, power=3.0))) == set()
    assert (SCORE, Statistic.PSI, Tier.CRITICAL) in endured(judge(judged, table(4_000)))
    assert ("x", Statistic.PSI, Tier.CRITICAL) in endured(judge(judged, table(4_000) | {"x": stretch["x"][:4_000]}))


@pytest.mark.parametrize(
    ("lengths", "kappa"), [((60,), 0.01), ((60, 1440), 0.002), ((60, 1440, 10_080), 0.002), ((), 0)]
)
def test_a_short_stretch_is_worth_less(lengths: tuple[int, ...], kappa: float) -> None:
    """It moves as a window of its length does: n values are worth n / (1 + n κ) of a reference that does not."""
    kappas = {60: 0.01, 1440: 0.002, 10_080: 0.0001}
    measured = {
        length: ColumnMovement(kappa=kappas[length], nu=5.0, status=Calibration.MEASURED, blocks=50)
        for length in lengths
    }
    spec = spec_of(LAYOUT, prediction={"score": True, "label": True})
    own = OwnPrediction(counts=count(LAYOUT, table(6_000)), minutes=24 * 60)
    reference = prepare_reference(spec, profile(**{SCORE: measured}), own=own)
    at = [column.name for column in LAYOUT.columns].index(SCORE)
    assert reference.reference.n[at] == pytest.approx(6_000 / (1 + 6_000 * kappa))
    first = reference.order.columns_of_bins[at]
    bins = reference.reference.bins[first : first + reference.order.bins_per_column[at]]
    assert bins.sum() == pytest.approx(reference.reference.n[at])
    assert reference.reference.totals[at, 0] == 20_000


@pytest.mark.parametrize(("minutes", "kappa"), [(None, 0.0001), (30, 0.01), (60, 0.01), (2 * 10_080, 0.0001)])
def test_a_sample_moves_as_the_nearest_length_that_was_measured(minutes: int | None, kappa: float) -> None:
    """Without time stamps as the longest, a validation set is of weeks; shorter than all of them as the shortest."""
    measured = {
        length: ColumnMovement(kappa=value, nu=5.0, status=Calibration.MEASURED, blocks=50)
        for length, value in {60: 0.01, 1440: 0.002, 10_080: 0.0001}.items()
    }
    spec = spec_of(LAYOUT, prediction={"score": True, "label": True})
    own = OwnPrediction(counts=count(LAYOUT, table(6_000)), minutes=minutes)
    reference = prepare_reference(spec, profile(**{SCORE: measured}), own=own)
    at = [column.name for column in LAYOUT.columns].index(SCORE)
    assert reference.reference.n[at] == pytest.approx(6_000 / (1 + 6_000 * kappa))


def test_few_events_are_too_few_in_the_warm_up_too() -> None:
    examined = examine_window(
        prepared(warming=True),
        scale=HOUR,
        first_half=count(LAYOUT, table(20)),
        second_half=count(LAYOUT, table(20)),
        events=40,
    )
    assert {column.inconclusive for column in examined.columns} == {InconclusiveReason.TOO_FEW_EVENTS}
