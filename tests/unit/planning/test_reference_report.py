"""What a reference lets each column see: the rule's own thresholds, and the remarks on unusual ones."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor.detection import prepare_reference
from monitor.planning import Traffic
from monitor.planning.reference_report import ReferenceReport, few_rows, reference_report, rows_for_scales, too_few_rows
from monitor.reference.build import build_profile
from monitor.reference.description import TableColumns, spec_description
from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.stats.psi_bounds import tier_threshold
from monitor.stats.psi_variance import shift_threshold

START = 1_780_272_000_000
SPEC = parse_spec(
    """
model: m
task: binary_classification
reference: m.reference
columns:
  x: {kind: numeric}
  still: {kind: numeric}
  flag: {kind: categorical, monitor: false}
prediction: {score: true}
windows: {scales: [{length: 10m, step: 1m}, {length: 1h, step: 5m}]}
""",
    source="test",
)


def profile_of(rows: int) -> ReferenceProfile:
    random = np.random.default_rng(1)
    table = pa.table(
        {
            "x": pa.array(random.normal(size=rows), mask=np.arange(rows) % 4 == 3),
            "still": np.full(rows, 3.0),
            "flag": random.choice(["a", "b"], size=rows),
            "score": random.uniform(size=rows),
            "at": START + np.arange(rows) * 1000,
        },
        schema=pa.schema(
            [
                ("x", pa.float64()),
                ("still", pa.float64()),
                ("flag", pa.string()),
                ("score", pa.float64()),
                ("at", pa.int64()),
            ]
        ),
    )
    known = tuple(table.column_names)
    description, problems = spec_description(SPEC, TableColumns(timestamp="at"), known=known)
    assert problems == ()
    return build_profile(table, description=description, source="test")


@pytest.fixture(scope="module")
def report() -> ReferenceReport:
    return reference_report(SPEC, profile_of(20_000), traffic=Traffic(events_per_minute=60.0, source="test"))


def test_the_proven_psi_is_the_larger_of_both_thresholds(report: ReferenceReport) -> None:
    """At 600 events, a quarter of them missing, the number is that of 450 values, by `shift_threshold` the larger."""
    profile = profile_of(20_000)
    prepared = prepare_reference(SPEC, profile)
    movement, level = profile.columns[0].movement[10], prepared.movements[10].level_of(0)
    of_values: dict[str, Any] = {"bins": 10, "n": 450, "m": 15_000, "kappa": movement.kappa, "alpha": prepared.alpha}
    expected = shift_threshold(0.1, **of_values)
    assert expected > tier_threshold(0.1, level=level, **of_values)
    result = report.columns[0].scales["10m"]
    assert result.proven_from == pytest.approx(expected, rel=1e-12)
    assert (result.status, movement.status) == ("measured", "measured")
    assert report.events == {"10m": 600.0, "1h": 3600.0}


def test_columns_are_described(report: ReferenceReport) -> None:
    """Cells, bins, shares, and which of them say nothing."""
    x, still, flag, score = report.columns
    assert (x.kind, x.bins, x.missing, x.uninformative) == ("numeric", 10, 0.25, False)
    assert (still.constant, still.bins, still.uninformative, still.scales["1h"].proven_from) == ("3", 1, True, None)
    assert (flag.monitored, dict(flag.scales), flag.uninformative) == (False, {}, False)
    assert (score.role, score.name) == ("score", "prediction.score")
    assert any(remark.startswith("still: always 3") for remark in report.remarks)


def test_a_window_with_few_values_is_not_judged() -> None:
    """Three events a minute are 30 in ten minutes: not concluded, and a column that never is says nothing."""
    report = reference_report(SPEC, profile_of(20_000), traffic=Traffic(events_per_minute=3.0, source="test"))
    assert [scale.concludes for scale in report.columns[0].scales.values()] == [False, False]
    assert report.columns[0].uninformative


def _spec(min_events: int) -> ModelSpec:
    return SPEC.model_copy(update={"windows": SPEC.windows.model_copy(update={"min_events": min_events})})


def test_rows_that_are_needed_are_enough_and_one_less_is_not() -> None:
    """The threshold at the answer is at most the critical tier, and past it with a row less."""
    profile = profile_of(1000)
    prepared = prepare_reference(SPEC, profile)
    result = rows_for_scales(SPEC, profile)
    assert [str(value.scale) for value in result] == ["10m", "1h"]
    for value in result:
        assert value.needed is not None
        assert value.events == pytest.approx(60 * value.scale.length, rel=0.01)

        def proven_from(rows: int, n: float = value.events or 0.0) -> float:
            return max(
                tier_threshold(0.1, bins=10, n=n, m=rows, alpha=prepared.alpha),
                shift_threshold(0.1, bins=10, n=n, m=rows, kappa=0.0, alpha=prepared.alpha),
            )

        assert proven_from(value.needed) <= 0.3 < proven_from(value.needed - 1)


@pytest.mark.parametrize(
    ("rows", "min_events", "refused"), [(1, 200, True), (199, 200, True), (200, 200, False), (30, 20, False)]
)
def test_what_no_window_may_be_no_reference_may_be(rows: int, min_events: int, refused: bool) -> None:
    """The limit is the spec's own."""
    assert (too_few_rows(_spec(min_events), profile_of(rows)) is not None) == refused


def test_small_references_say_what_they_are_too_small_for() -> None:
    """250 rows at 600 events a window prove nothing under 0.3; 20,000 rows are small for nothing."""
    said = few_rows(SPEC, profile_of(250))
    assert said is not None
    assert said.startswith("250 rows are few: at 10m drift is proven from a PSI of 0.")
    assert few_rows(SPEC, profile_of(20_000)) is None
