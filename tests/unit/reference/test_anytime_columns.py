"""Which columns may have the anytime-valid rule: those that are known to hold still."""

import numpy as np
import pyarrow as pa
import pytest

from monitor.errors import SpecError
from monitor.reference.build import build_profile
from monitor.reference.checks import anytime_problems, disagreements
from monitor.reference.description import ReferenceDescription
from monitor.reference.profile import ReferenceProfile
from monitor.spec.file import parse_spec
from monitor.spec.model import ColumnKind, ModelSpec

EVENTS_A_MINUTE = 60
MINUTES = 6 * 60


def reference(*, timestamp: str | None = "at") -> ReferenceProfile:
    """Return six hours of a steady column, one that wanders by 0.3σ from ten minutes to the next, and a constant."""
    generator = np.random.default_rng(80)
    rows = MINUTES * EVENTS_A_MINUTE
    wander = np.repeat(generator.normal(0.0, 0.3, MINUTES // 10), 10 * EVENTS_A_MINUTE)
    table = pa.table(
        {
            "steady": generator.normal(size=rows),
            "wandering": generator.normal(size=rows) + wander,
            "constant": np.full(rows, 3.0),
            "score": generator.random(rows),
            "at": 1_780_272_000_000 + np.arange(rows) * (60_000 // EVENTS_A_MINUTE),
        }
    )
    description = ReferenceDescription(
        features=tuple((name, ColumnKind.NUMERIC) for name in ("steady", "wandering", "constant")),
        score="score",
        timestamp=timestamp,
        lengths=(10, 30, 60),
    )
    return build_profile(table, description=description, source="six hours")


def spec(*anytime: str) -> ModelSpec:
    """Return a spec in which the columns *anytime* have that rule."""
    rules = {name: "anytime" if name in anytime else "default" for name in ("steady", "wandering", "constant")}
    return ModelSpec.model_validate(
        {
            "model": "m",
            "task": "binary_classification",
            "reference": "m.reference",
            "columns": {name: {"kind": "numeric", "rule": rule} for name, rule in rules.items()},
            "prediction": {"score": True},
        }
    )


def test_a_column_that_wanders_more_than_sampling_is_refused() -> None:
    """The steady column is accepted; 0.3σ of wander, ten times the sampling variance of 600 events, is not."""
    profile = reference()
    assert anytime_problems(spec("steady"), profile) == ()
    (problem,) = anytime_problems(spec("steady", "wandering"), profile)
    assert problem.startswith("columns.wandering.rule: anytime expected")
    assert "0.0017 in 10m" in problem
    assert "use `rule: default`" in problem
    assert disagreements(spec("wandering"), profile) == (problem,)


def test_without_a_measured_movement_nobody_knows() -> None:
    """No time stamps, or a constant column: refused, with what to do."""
    for name, profile in (("steady", reference(timestamp=None)), ("constant", reference())):
        (problem,) = anytime_problems(spec(name), profile)
        assert f"columns.{name}.rule: expected a column whose movement was measured" in problem
        assert "--timestamp" in problem


def test_a_column_that_is_not_judged_has_no_rule() -> None:
    """`monitor: false` and `rule: anytime` contradict each other, and the spec says so."""
    text = """
model: m
task: binary_classification
reference: m.reference
columns:
  age: {kind: numeric, monitor: false, rule: anytime}
prediction: {score: true}
"""
    with pytest.raises(SpecError, match=r"columns\.age: .*monitor: true"):
        parse_spec(text, source="m.yaml")
