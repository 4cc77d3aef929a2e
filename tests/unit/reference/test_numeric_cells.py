"""Cells of numeric columns, against brute force and numpy's quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import EmptySampleError
from monitor.reference.arrow_columns import NumericColumn
from monitor.reference.cell_choice import interquartile_range, latency_cells, numeric_cells
from monitor.reference.counting import counts_on_cells, numeric_places
from monitor.reference.layout import SLOTS, ColumnCells, Slot
from monitor.stats.binning import decile_bins

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def _numbers(values: np.ndarray) -> NumericColumn:
    missing = np.zeros(values.size, dtype=np.bool_)
    return NumericColumn(values, missing, ~np.isfinite(values))


def _counts(cells: ColumnCells, values: np.ndarray) -> np.ndarray:
    return counts_on_cells(cells, numeric_places(cells, _numbers(values)))


def _brute_force(cells: ColumnCells, values: np.ndarray) -> list[int]:
    """Count one value at a time, by the definition of cells and slots."""
    counts = [0] * (cells.cells + SLOTS)
    ends = [*cells.edges[1:], math.inf]
    for value in values.tolist():
        if not math.isfinite(value):
            counts[cells.cells + Slot.INVALID] += 1
            continue
        if value < cells.far_low:
            counts[cells.cells + Slot.FAR_LOW] += 1
        if value > cells.far_high:
            counts[cells.cells + Slot.FAR_HIGH] += 1
        if value < cells.edges[0]:
            counts[cells.cells + Slot.BELOW] += 1
        elif value > cells.maximum:
            counts[cells.cells + Slot.ABOVE] += 1
        else:
            (index,) = [i for i, (low, high) in enumerate(zip(cells.edges, ends, strict=True)) if low <= value < high]
            counts[index] += 1
    return counts


@given(st.lists(FLOATS, min_size=1, max_size=60), st.lists(st.floats(), max_size=30))
def test_every_value_is_counted_exactly_once(reference: list[float], current: list[float]) -> None:
    """Whatever the floats: edges increase strictly, the reference lies in cells alone, any value in one place."""
    values = np.array(reference)
    cells = numeric_cells(values, name="x")
    assert list(cells.edges) == sorted(set(cells.edges))
    assert len(cells.points) == len(cells.edges)
    counts = _counts(cells, values)
    assert counts[: cells.cells].sum() == len(reference)
    assert counts.tolist() == _brute_force(cells, values)
    others = np.array(current, dtype=np.float64)
    assert _counts(cells, others).tolist() == _brute_force(cells, others)


@given(st.lists(FLOATS, min_size=1, max_size=60))
def test_a_point_cell_holds_one_value_and_few_values_have_no_other(reference: list[float]) -> None:
    """Up to 1000 distinct values each has a point cell, and every cell that is none is empty in the reference."""
    values = np.array(reference)
    cells = numeric_cells(values, name="x")
    points = np.array(cells.points)
    assert sorted(np.array(cells.edges)[points]) == sorted(set(values.tolist()))
    assert _counts(cells, values)[: cells.cells][~points].sum() == 0
    for index in np.flatnonzero(points[:-1]):
        assert cells.edges[index + 1] == np.nextafter(cells.edges[index], np.inf)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).normal(size=20_000),
        np.random.default_rng(2).standard_cauchy(size=20_000),
        np.random.default_rng(3).lognormal(sigma=2, size=20_000),
        np.random.default_rng(4).uniform(size=1_010),
    ],
    ids=["normal", "Cauchy", "lognormal", "barely over 1000"],
)
def test_deciles_of_a_continuous_column_are_sums_of_cells(values: np.ndarray) -> None:
    """Counts between numpy's deciles equal the sums of cells between the cuts, without any rounding."""
    cells = numeric_cells(values, name="x")
    assert cells.cells <= 1_000
    counts = _counts(cells, values)[: cells.cells]
    starts = decile_bins(counts)
    deciles = np.quantile(values, np.arange(1, 10) / 10)
    by_numpy = np.histogram(values, bins=[-np.inf, *deciles, np.inf])[0]
    assert np.add.reduceat(counts, starts).tolist() == by_numpy.tolist()
    assert np.asarray(cells.edges)[starts[1:]].tolist() == [values[values >= decile].min() for decile in deciles]


def test_a_heavy_value_among_many_has_a_cell_of_its_own() -> None:
    """Of 60 % zeros in a continuous column each zero, and nothing else, is in the zero's point cell."""
    random = np.random.default_rng(5)
    values = np.where(random.uniform(size=50_000) < 0.6, 0.0, random.normal(size=50_000))
    cells = numeric_cells(values, name="x")
    zero = cells.edges.index(0.0)
    assert cells.points[zero]
    assert sum(cells.points) == 1
    assert _counts(cells, values)[zero] == (values == 0.0).sum()
    assert cells.edges[zero + 1] == np.nextafter(0.0, 1.0)
    nearly_zero = _counts(cells, np.array([1e-300, -1e-300]))
    assert nearly_zero[zero] == 0
    assert nearly_zero[: cells.cells].sum() == 2


def test_no_cell_but_points_holds_more_than_its_quantile() -> None:
    """A cell that is no point holds at most a 1000th of the reference beyond its own ties."""
    values = np.round(np.random.default_rng(6).normal(size=30_000), 3)
    cells = numeric_cells(values, name="x")
    counts = _counts(cells, values)[: cells.cells]
    heaviest_light_value = 30  # a value on more than 30 of 30,000 rows is a point
    assert counts[~np.array(cells.points)].max() <= 30 + heaviest_light_value


def test_a_constant_column_has_one_cell_and_no_far_values_but_others() -> None:
    """A column of one value: one point cell; what differs is below, above and far out."""
    cells = numeric_cells(np.full(500, 7.0), name="x")
    assert (cells.edges, cells.points, cells.maximum) == ((7.0,), (True,), 7.0)
    counts = _counts(cells, np.array([6.0, 7.0, 8.0]))
    assert counts.tolist() == [1, 0, 0, 1, 1, 0, 1, 1]


def test_far_bounds_are_three_widths_outside_the_percentiles() -> None:
    """On 0…100 with q01 = 1 and q99 = 99 the bounds are 1 - 3·98 and 99 + 3·98."""
    cells = numeric_cells(np.arange(1.0, 101.0), name="x")
    assert (cells.far_low, cells.far_high) == (1 - 3 * 98, 99 + 3 * 98)


def test_values_next_to_a_near_constant_are_not_far_out() -> None:
    """With 99.5 % zeros both percentiles are 0; the rest of the reference still is not far out of itself."""
    values = np.concatenate([np.zeros(995), np.arange(1.0, 6.0)])
    cells = numeric_cells(values, name="x")
    assert _counts(cells, values)[cells.cells + Slot.FAR_HIGH] == 0


def test_the_largest_floats_do_not_overflow_into_an_edge() -> None:
    """Extremes of the float range give finite edges and every value its cell."""
    values = np.array([-np.finfo(np.float64).max, 0.0, np.finfo(np.float64).max])
    cells = numeric_cells(values, name="x")
    assert all(math.isfinite(edge) for edge in cells.edges)
    assert _counts(cells, values)[: cells.cells].sum() == 3


def test_both_zeros_are_one_value() -> None:
    """-0.0 and 0.0 share a cell, and give the same cells in either order."""
    assert numeric_cells(np.array([-0.0, 0.0]), name="x") == numeric_cells(np.array([0.0, -0.0]), name="x")
    assert math.copysign(1.0, numeric_cells(np.array([-0.0]), name="x").edges[0]) == 1.0


def test_no_values_have_no_cells() -> None:
    """An empty column is refused, not given an invented cell."""
    with pytest.raises(EmptySampleError, match="x: a column without numbers"):
        numeric_cells(np.array([]), name="x")


def test_latency_cells_are_twenty_to_the_decade() -> None:
    """From 0.1 ms to 100 s each cell is 10^(1/20) times as wide as the one before."""
    cells = latency_cells(name="latency_ms")
    assert (cells.edges[0], cells.maximum, cells.cells) == (0.1, 100_000.0, 120)
    ratios = np.array([*cells.edges[1:], cells.maximum]) / np.array(cells.edges)
    assert ratios == pytest.approx(10 ** (1 / 20), rel=1e-5)  # six digits of each edge
    counts = _counts(cells, np.array([0.05, 0.1, 12.3, 1e5, 2e5]))
    assert (counts[: cells.cells].sum(), counts[cells.cells + Slot.BELOW], counts[cells.cells + Slot.ABOVE]) == (
        3,
        1,
        1,
    )


def test_the_interquartile_range_is_that_of_the_sample() -> None:
    """Of 1…100 the quartiles are 25 and 75."""
    assert interquartile_range(np.arange(1.0, 101.0)) == 50.0
