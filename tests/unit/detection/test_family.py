"""How alpha is split among the tests of a model: the sum never above it, unseen values with their part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from monitor.detection.prepared_reference import UNSEEN_ALPHA, family_of
from monitor.detection.quality_rule import judged_shares
from monitor.results import WindowResult
from monitor.spec.model import ModelSpec
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, Values, count, prepared_of

SCALES = [("10m", "1m"), ("30m", "3m"), ("1h", "5m"), ("4h", "20m"), ("24h", "2h"), ("7d", "12h")]


def spec(*, scales: int = 1, values: int = 0, alpha: float = 0.001) -> ModelSpec:
    """Return one with a tag of so many *values*."""
    return ModelSpec.model_validate(
        {
            "model": "m",
            "task": "binary_classification",
            "reference": "r",
            "columns": {"c": {"kind": "numeric"}},
            "prediction": {"score": True},
            "drift": {"alpha": alpha},
            "windows": {"scales": [{"length": length, "step": step} for length, step in SCALES[:scales]]},
            "segments": [{"tag": "t", "values": [f"v{number}" for number in range(values)]}] if values else [],
        }
    )


@given(
    columns=st.lists(st.sampled_from(["numeric", "constant", "categorical", "not monitored"]), max_size=60),
    scales=st.integers(1, len(SCALES)),
    values=st.integers(0, 5),
    alpha=st.floats(1e-6, 0.4),
)
def test_the_alphas_of_all_tests_sum_up_to_alpha(columns: list[str], scales: int, values: int, alpha: float) -> None:
    """Whatever the columns; no test has less than three fifths of an even split, and none for unseen values less."""
    kinds = np.array(columns, dtype="U13")
    family = family_of(
        spec(scales=scales, values=values, alpha=alpha),
        monitored=kinds != "not monitored",
        numeric=(kinds == "numeric") | (kinds == "constant"),
        constant=kinds == "constant",
    )
    tests_of = {"numeric": 5, "constant": 6, "categorical": 4, "not monitored": 0}
    series = 1 if not values else 2 + values
    assert family.tests == sum(map(tests_of.__getitem__, columns))
    unseen, other = family.alpha_of_unseen(alpha), family.alpha_of_others(alpha)
    total = scales * series * (family.unseen * unseen + (family.tests - family.unseen) * other)
    assert total <= alpha * (1.0 + 1e-12)
    if family.tests:
        even = alpha / (family.tests * scales * series)
        assert total == pytest.approx(alpha)
        assert other >= (1.0 - UNSEEN_ALPHA) * even * (1.0 - 1e-12)
        assert family.unseen == 0 or unseen >= even * (1.0 - 1e-12)


def test_the_tests_that_are_made_are_those_that_were_counted() -> None:
    """PSI of every monitored column, D of numeric ones, and the shares that are judged, each with its alpha."""
    generator = np.random.default_rng(83)
    table: dict[str, Values | list[str]] = {
        "amount": generator.normal(size=2000),
        "city": ["berlin", "paris"] * 1000,
        "flag": np.full(2000, 7.0),
        "prediction.score": generator.random(2000),
    }
    prepared = prepared_of(table)
    shares = judged_shares(prepared)
    others = prepared.monitored.sum() + (prepared.numeric & prepared.monitored).sum() + shares[:, [0, 1, 3]].sum()
    assert (prepared.family.tests, prepared.family.unseen) == (others + shares[:, 2].sum(), 2)
    assert others * prepared.alpha + shares[:, 2].sum() * prepared.unseen_alpha == pytest.approx(0.001)
    # Two of twenty tests have two fifths of alpha.
    assert prepared.family.tests == 20
    assert prepared.unseen_alpha == pytest.approx(0.4 * 0.001 / 2)


def test_a_rare_new_category_needs_as_many_events_as_its_alpha_says() -> None:
    """The least count that is a finding is the least whose chance at the edge is below the unseen tests' alpha."""
    generator = np.random.default_rng(84)
    table: dict[str, Values | list[str]] = {f"n{number}": generator.normal(size=2000) for number in range(19)}
    prepared = prepared_of({**table, "city": ["berlin", "paris"] * 1000})
    quiet = {name: generator.normal(size=1500) for name in table}
    half = 1500

    def decide(unseen: int) -> WindowResult:
        cities = ["rome"] * unseen + ["berlin", "paris"] * half
        counts = count(prepared.layout, {**quiet, "city": cities[:half]})
        return decide_window(prepared, scale=HOUR, first_half=counts, second_half=counts, events=2 * half)

    counts = range(2, 14)
    proven = [unseen for unseen in counts if any(finding.statistic == "unseen" for finding in decide(unseen).findings)]
    tail = binom.sf(2 * np.array(counts) - 1, 2 * half, 0.001)
    by_tail = np.array(counts)[tail < prepared.unseen_alpha].tolist()
    assert proven == by_tail
    # With an even split it would be one pair more.
    assert min(by_tail) < min(np.array(counts)[tail < 0.001 / prepared.family.tests])
