"""The statistics beyond PSI and KS, as a window stores them, against scipy on the raw samples."""

import msgspec
import numpy as np
import pytest
from scipy.spatial.distance import chebyshev, cityblock, jensenshannon
from scipy.stats import chi2_contingency, entropy, wasserstein_distance

from monitor.reference.cell_choice import interquartile_range
from monitor.result_codec import decode_result, encode_result
from monitor.results import ColumnResult, WindowResult
from monitor.spec.model import FurtherStatistic
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, Table, count, prepared_of
from tests.unit.detection.test_numbers import SAMPLES

ALL = [statistic.value for statistic in FurtherStatistic]
CITIES = ["berlin", "paris", "rome", "vienna"]


def tables() -> tuple[Table, Table]:
    """Return a reference and a window of numeric columns that moved, and of cities that did."""
    generator = np.random.default_rng(99)
    reference = {name: draw(generator, 20_000) for name, draw in SAMPLES.items()}
    current = {name: 1.3 * draw(generator, 4000) + 0.1 for name, draw in SAMPLES.items()}
    # Counts stay counts: where in the gap between two of the reference's values a new one lies, no cell shows.
    current["poisson"] = np.floor(current["poisson"])
    reference["city"] = generator.choice(CITIES, 20_000, p=[0.4, 0.3, 0.2, 0.1])
    current["city"] = generator.choice(CITIES, 4000, p=[0.3, 0.3, 0.2, 0.2])
    return reference, current


def decided(reference: Table, current: Table, *, statistics: list[str]) -> tuple[WindowResult, dict[str, np.ndarray]]:
    """Return the window's result, and each column's counts on its bins, reference first."""
    prepared = prepared_of(reference, drift={"statistics": statistics})
    halves = [
        count(prepared.layout, {name: values[part] for name, values in current.items()})
        for part in (slice(0, 1500), slice(1500, None))
    ]
    result = decide_window(prepared, scale=HOUR, first_half=halves[0], second_half=halves[1], events=4000)
    sides = (prepared.reference.bins, prepared.sample(halves[0] + halves[1]).bins)
    stops = np.append(prepared.order.columns_of_bins[1:], len(sides[0]))
    counted = {
        column.name: np.array([side[start:stop] for side in sides])
        for column, start, stop in zip(prepared.layout.columns, prepared.order.columns_of_bins, stops, strict=True)
    }
    return result, counted


def test_every_statistic_is_scipys() -> None:
    """On the window's bins to 1e-9; the Wasserstein distance is the clipped raw samples' within 2 %."""
    reference, current = tables()
    result, counted = decided(reference, current, statistics=ALL)
    for column in result.columns:
        further = column.further
        assert further is not None
        on_reference, on_current = counted[column.name]
        p, q = on_reference / on_reference.sum(), on_current / on_current.sum()
        table = chi2_contingency([on_reference, on_current], correction=False)
        assert table.expected_freq.min() >= 5.0
        expected = {
            "jensen_shannon": pytest.approx(jensenshannon(p, q), abs=1e-9),
            "kullback_leibler": pytest.approx(entropy(on_reference + 0.5, on_current + 0.5), abs=1e-9),
            "hellinger": pytest.approx(np.sqrt(1 - np.sum(np.sqrt(p * q))), abs=1e-9),
            "total_variation": pytest.approx(cityblock(p, q) / 2, abs=1e-9),
            "l_infinity": pytest.approx(chebyshev(p, q), abs=1e-9),
            "chi_squared": pytest.approx(table.statistic, rel=1e-9),
            "chi_squared_freedom": table.dof,
            "chi_squared_p": pytest.approx(table.pvalue, abs=1e-9),
            "wasserstein": None
            if column.name == "city"
            else pytest.approx(clipped(reference, current, column), rel=0.02),
        }
        assert msgspec.structs.asdict(further) == expected


def clipped(reference: Table, current: Table, column: ColumnResult) -> float:
    """Return scipy's distance of the raw samples inside the reference's 1st to 99th percentile, per IQR."""
    one, other = (np.asarray(table[column.name]) for table in (reference, current))
    low, high = np.quantile(one, [0.01, 0.99])
    return wasserstein_distance(np.clip(one, low, high), np.clip(other, low, high)) / interquartile_range(one)


def test_only_what_is_asked_for_is_stored() -> None:
    """Without `drift.statistics` the stored bytes are what they were; with one of them nothing else is in them."""
    reference, current = tables()
    plain, _ = decided(reference, current, statistics=[])
    assert b"further" not in encode_result(plain)
    one, _ = decided(reference, current, statistics=["hellinger"])
    assert encode_result(one).count(b'"further":{"hellinger":') == len(one.columns)
    assert b"wasserstein" not in encode_result(one)
    stored = decode_result(encode_result(one))
    assert encode_result(stored) == encode_result(one)
    assert (one.verdict, one.findings, one.calm_below) == (plain.verdict, plain.findings, plain.calm_below)


def test_what_cannot_be_judged_has_no_numbers() -> None:
    """A column with too few values is inconclusive, further statistics and all; a constant one has no Wasserstein."""
    generator = np.random.default_rng(100)
    reference = {"thin": generator.normal(size=5000), "constant": np.full(5000, 3.0)}
    current: Table = {"thin": [None] * 3900 + [0.5] * 100, "constant": np.full(4000, 3.0)}
    result, _ = decided(reference, current, statistics=ALL)
    thin, constant = result.columns
    assert (thin.inconclusive, thin.further) == ("too_few_events", None)
    assert constant.further is not None
    assert (constant.further.hellinger, constant.further.chi_squared_p) == (0.0, 1.0)
    assert constant.further.wasserstein is None


def test_values_outside_the_references_range_count_as_if_at_its_ends() -> None:
    """A window far above the maximum moves by the distance to the 99th percentile, not to infinity."""
    generator = np.random.default_rng(101)
    reference = {"x": generator.normal(size=20_000)}
    current = {"x": np.full(4000, 1e12)}
    result, _ = decided(reference, current, statistics=["wasserstein"])
    further = result.columns[0].further
    assert further is not None
    assert further.wasserstein == pytest.approx(clipped(reference, current, result.columns[0]), rel=0.01)
