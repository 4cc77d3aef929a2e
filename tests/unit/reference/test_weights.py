"""Row weights: worth, counts, cells and movement of weighed references."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.reference.arrow_columns import UncountableColumn
from monitor.reference.build import build_profile
from monitor.reference.cell_choice import interquartile_range, numeric_cells
from monitor.reference.counting import whole_counts
from monitor.reference.description import ReferenceDescription
from monitor.reference.layout import SLOTS
from monitor.reference.profile import ReferenceProfile
from monitor.reference.rows import read_weights, scaled_weights
from monitor.spec.model import ColumnKind
from monitor.stats.psi_bounds import tier_threshold

START = 1_780_272_000_000
POSITIVE = st.floats(min_value=1e-6, max_value=1e6)


def _profile(table: pa.Table, weights: np.ndarray | None, **described: object) -> ReferenceProfile:
    description = ReferenceDescription(features=(("x", ColumnKind.NUMERIC),), **described)  # type: ignore[arg-type]
    scaled = None if weights is None else scaled_weights(weights)
    return build_profile(table, description=description, source="x", weights=scaled)


@given(st.lists(POSITIVE, min_size=1, max_size=50))
def test_rows_are_worth_at_most_what_they_are(raw: list[float]) -> None:
    """Kish's size lies between 1 and the number of rows, and the scaled weights add up to it."""
    scaled = scaled_weights(np.array(raw))
    assert 1 <= scaled.effective_rows <= len(raw)
    assert scaled.values.sum() == pytest.approx(scaled.effective_rows, rel=1e-9)


def test_kish_by_hand() -> None:
    """Weights 1 and 3 in equal parts: (4 / 2)² / ((1 + 9) / 2) = 0.8 of the rows."""
    assert scaled_weights(np.array([1.0, 3.0] * 500)).effective_rows == 800


@given(st.lists(st.lists(st.floats(0, 20), min_size=4 + SLOTS, max_size=4 + SLOTS), min_size=1, max_size=4))
def test_no_share_below_an_edge_is_off_by_more_than_half_a_row(raw: list[list[float]]) -> None:
    """However the weights fall into cells: cumulative counts are rounded, so errors do not add up."""
    weighed = np.array(raw)
    counts = whole_counts(weighed)
    assert (counts >= 0).all()
    below, exact = counts[:, :-2].cumsum(axis=1), weighed[:, :-2].cumsum(axis=1)
    assert np.abs(below - exact).max() <= 0.5 + 1e-9
    assert np.abs(counts[:, -2:] - weighed[:, -2:]).max() <= 0.5


def test_equal_weights_are_no_weights() -> None:
    """Counts, cells and bins are those of the plain table, whatever the one weight is."""
    values = np.random.default_rng(1).normal(size=5000)
    plain, weighed = (_profile(pa.table({"x": values}), value) for value in (None, np.full(5000, 0.37)))
    assert (weighed.rows, weighed.weighed_rows) == (5000, 5000)
    assert weighed.layout.columns[0].maximum == plain.layout.columns[0].maximum
    for profile in (plain, weighed):
        bins = np.array(profile.columns[0].bins)
        held = np.bincount(bins, weights=profile.counts[: len(bins)])
        assert held == pytest.approx(np.full(10, 500), abs=5)  # a cell is a thousandth


def test_cells_of_weighed_values_are_those_of_repeated_rows() -> None:
    """A weight of 3 cuts as three rows do: each quantile is the same value, to within one distinct value."""
    random = np.random.default_rng(2)
    values, weights = random.normal(size=4000), random.integers(1, 6, size=4000)
    repeated = np.repeat(values, weights)
    weighed, plain = numeric_cells(values, name="x", weights=weights.astype(float)), numeric_cells(repeated, name="x")
    ordered = np.sort(values)
    gaps = [np.searchsorted(ordered, np.quantile(cells.edges, 0.5)) for cells in (weighed, plain)]
    assert abs(int(gaps[0]) - int(gaps[1])) <= 4
    assert interquartile_range(values, weights.astype(float)) == pytest.approx(interquartile_range(repeated), rel=2e-3)
    assert (weighed.far_low, weighed.far_high) == pytest.approx((plain.far_low, plain.far_high), rel=2e-3)


def test_a_weighed_reference_varies_as_its_rows_say() -> None:
    """The mean χ² of 200 references against the truth is B - 1 at Kish's size, and at no other.

    Exponential weights make 2,000 rows worth 1,000. The mean of 200 χ² of 9 degrees has a standard error of
    √(18 / 200) = 0.3; the tolerance is three of them. Counted as 2,000 rows it would be 18.
    """
    random = np.random.default_rng(3)
    true_deciles = np.array([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816])
    results = []
    for _ in range(200):
        profile = _profile(pa.table({"x": random.normal(size=2000)}), random.exponential(size=2000))
        cells = np.array(profile.layout.columns[0].edges)
        bins = np.searchsorted(true_deciles, cells)
        counts = np.bincount(bins, weights=profile.counts[: len(cells)], minlength=10)
        expected = profile.rows / 10
        results.append(((counts - expected) ** 2 / expected).sum())
        assert 850 < profile.rows < 1150
    assert np.mean(results) == pytest.approx(9, abs=0.9)


def test_a_weighed_reference_proves_less_than_its_rows() -> None:
    """800 of 1,000 rows: the threshold is that of 800."""
    profile = _profile(pa.table({"x": np.arange(1000.0)}), np.array([1.0, 3.0] * 500))
    threshold = {m: tier_threshold(0.1, bins=10, n=600, m=m, alpha=1e-5) for m in (profile.rows, 1000)}
    assert profile.rows == 800
    assert threshold[800] > threshold[1000]


def test_weights_that_fade_with_age_invent_no_movement() -> None:
    """Independent rows whose weights halve every day: kappa stays near what the unweighed table has.

    A block's own noise is 1/n_b of its rows, however little it counts for the whole; taken at the whole's scale an old
    block would seem calmer than it is. 1/n of an hour's block is 1/50; kappa must stay a tenth under it.
    """
    random = np.random.default_rng(4)
    rows = 8 * 24 * 50
    at = START + np.arange(rows) * 72_000
    table = pa.table({"x": random.normal(size=rows), "at": at})
    weights = 0.5 ** ((at[-1] - at) / 86_400_000)
    described = {"timestamp": "at", "lengths": (120,)}
    plain, faded = _profile(table, None, **described), _profile(table, weights, **described)
    assert faded.rows < rows / 2
    kappas = [profile.columns[0].movement[120].kappa for profile in (plain, faded)]
    assert max(kappas) < 0.002
    assert faded.columns[0].movement[120].status == "measured"


def test_movement_of_faded_rows_is_found() -> None:
    """The same rows with a mean that wanders from hour to hour: kappa is measured near the unweighed one."""
    random = np.random.default_rng(5)
    rows, hours = 8 * 24 * 200, 8 * 24
    at = START + np.arange(rows) * (hours * 3_600_000 // rows)
    mean = np.repeat(random.normal(0, 0.5, size=hours), rows // hours)
    table = pa.table({"x": mean + random.normal(size=rows), "at": at})
    weights = 0.5 ** ((at[-1] - at) / (2 * 86_400_000))
    plain, faded = (_profile(table, value, timestamp="at", lengths=(120,)) for value in (None, weights))
    kappas = [profile.columns[0].movement[60].kappa for profile in (plain, faded)]
    # The weighed mean of 192 blocks' PSI with an effective 70 of them: its standard error is about a sixth of it.
    assert kappas[1] == pytest.approx(kappas[0], rel=0.5)


def test_accuracy_is_that_of_the_weighed_population() -> None:
    """Right rows of weight 3, wrong ones of weight 1: three quarters are right."""
    table = pa.table({"x": [1.0, 2.0] * 500, "l": ["a", "a"] * 500, "t": ["a", "b"] * 500})
    profile = _profile(table, np.array([3.0, 1.0] * 500), label="l", truth="t")
    assert profile.labelled == 800
    assert profile.correct / profile.labelled == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ([1.0, None, 2.0], "expected a weight of 0 or more in every row, found None in row 2"),
        ([1.0, 2.0, -1.0], "found -1.0 in row 3"),
        ([1.0, float("nan"), float("inf")], r"found nan in row 2 \(2 of 3 rows have none\)"),
        ([0.0, 0.0, 0.0], "expected weights, found 0 in every row"),
        (["a", "b", "c"], "expected numbers, found string"),
    ],
)
def test_what_is_no_weight_is_refused(column: list[object], problem: str) -> None:
    """Each refusal says what was expected, what was found, and where."""
    with pytest.raises(UncountableColumn, match=problem):
        read_weights(pa.chunked_array([column]))
