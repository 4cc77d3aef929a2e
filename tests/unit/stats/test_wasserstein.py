"""The Wasserstein distance of cells against scipy's of the clipped raw samples."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from scipy.stats import wasserstein_distance as raw_distance

from monitor.arrays import Float64s
from monitor.errors import BinMismatchError, EmptySampleError
from monitor.reference.cell_choice import interquartile_range
from monitor.stats.wasserstein import relative_widths, wasserstein_distance, wasserstein_distances
from tests.unit.stats.samples import SAMPLES, cells_of


def clipped_distance(reference: Float64s, current: Float64s) -> float:
    """Return scipy's distance of the raw samples, moved into the reference's 1st to 99th percentile, per IQR."""
    low, high = np.quantile(reference, [0.01, 0.99])
    return raw_distance(np.clip(reference, low, high), np.clip(current, low, high)) / interquartile_range(reference)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_shift_has_the_distance_of_the_raw_samples(name: str) -> None:
    """On 1000 cells the error is under 2 % where there is a shift, whatever the tails and ties.

    Worst of 60 seeds: Pareto, 1.1 % from 1,500 events on; under 500 events the steps inside a cell of the window
    weigh more, and it was 3.3 %.
    """
    generator = np.random.default_rng(25)
    for n, tolerance in ((200, 0.035), (1500, 0.02), (6000, 0.02)):
        reference, current = SAMPLES[name](generator, 20_000, 0.0), SAMPLES[name](generator, n, 1.0)
        on_reference, on_current, _, edges = cells_of(reference, current, 1000)
        result = wasserstein_distance(on_reference, on_current, edges=edges)
        assert result == pytest.approx(clipped_distance(reference, current), rel=tolerance)


@pytest.mark.parametrize("name", ["Poisson", "rounded"])
def test_few_distinct_values_are_exact(name: str) -> None:
    """With one cell per value the distance is scipy's to 1e-9, shifted or not."""
    generator = np.random.default_rng(26)
    for moved in (0.0, 1.0):
        reference, current = SAMPLES[name](generator, 8000, 0.0), SAMPLES[name](generator, 1500, moved)
        on_reference, on_current, _, edges = cells_of(reference, current, 1000)
        result = wasserstein_distance(on_reference, on_current, edges=edges)
        assert result == pytest.approx(clipped_distance(reference, current), abs=1e-9)


def test_two_normals_by_mathematics() -> None:
    """A shift of unit normals by 0.5 is 0.5 over their IQR of 1.349, less the 2.5 % that lie past the percentiles."""
    edges = np.linspace(-6.0, 6.0, 24_001)
    counts = [np.diff(ndtr(edges - at)) for at in (0.0, 0.5)]
    clipped = quad(lambda x: ndtr(x) - ndtr(x - 0.5), ndtri(0.01), ndtri(0.99))[0]
    assert clipped == pytest.approx(0.5 * 0.975, abs=1e-3)
    result = wasserstein_distance(counts[0], counts[1], edges=edges)
    # Percentiles taken at edges 0.0005 apart: 1e-5 of the gap there.
    assert result == pytest.approx(clipped / (2.0 * ndtri(0.75)), rel=1e-4)


def test_cumulative_shares_that_cross_inside_a_cell_are_integrated_as_lines() -> None:
    """From +a at one edge to −b at the other, a straight line covers (a² + b²) / 2(a + b) of the width."""
    # Reference 0.4, 0.2, 0.4; current 0.2, 0.7, 0.1: gaps 0.2 and −0.3 at the inner edges.
    result = wasserstein_distance(np.array([40, 20, 40]), np.array([20, 70, 10]), edges=np.array([0.0, 1.0, 2.0, 3.0]))
    areas = 0.2 / 2 + (0.2**2 + 0.3**2) / (2 * 0.5) + 0.3 / 2
    # Quartiles at 25/40 of the first cell and at 15/40 of the last.
    assert result == pytest.approx(areas / (2.375 - 0.625), rel=1e-12)


def test_what_lies_far_outside_counts_as_if_at_the_clipping_percentile() -> None:
    """Values at 10⁶ move the distance as much as values just past the 99th percentile."""
    edges = np.array([*np.linspace(0.0, 1.0, 101), 1e6])
    reference = np.append(np.full(100, 10), 0)
    near, far = reference.copy(), reference.copy()
    near[:50] -= 2
    far[:50] -= 2
    near[99] += 100
    far[100] += 100
    distances = [wasserstein_distance(reference, value, edges=edges) for value in (near, far)]
    assert distances[0] == pytest.approx(distances[1], rel=1e-12)


def test_a_column_without_a_spread_is_not_measured() -> None:
    """An interquartile range of 0 has no scale: NaN, not a division by zero; so has a range that overflows."""
    edges = np.array([0.0, 0.0, 1.0, 2.0])
    assert math.isnan(wasserstein_distance(np.array([90, 5, 5]), np.array([1, 1, 1]), edges=edges))
    widest = np.array([-1.7e308, 1.6e308, 1.7e308])
    assert math.isnan(wasserstein_distance(np.array([10, 10]), np.array([1, 3]), edges=widest))


def test_windows_and_columns_side_by_side_have_the_distances_they_have_alone() -> None:
    """One call for a concatenation gives each column's own value; an empty one disturbs no other."""
    generator = np.random.default_rng(27)
    lengths, starts = [5, 1, 8, 4], np.array([0, 5, 6, 14])
    edges = [np.sort(generator.normal(size=length + 1)) for length in lengths]
    reference, current = generator.integers(1, 50, 18), generator.integers(0, 50, (3, 18))
    current[1, 6:14] = 0
    low = np.concatenate([edge[:-1] for edge in edges])
    high = np.concatenate([edge[1:] for edge in edges])
    widths = relative_widths(reference, low=low, high=high, starts=starts)
    together = wasserstein_distances(reference, current, widths=widths, starts=starts)
    for window in range(3):
        for column, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            if (window, column) == (1, 2):
                assert math.isnan(together[window, column])
                continue
            own = slice(start, start + length)
            alone = wasserstein_distance(reference[own], current[window, own], edges=edges[column])
            assert together[window, column] == pytest.approx(alone, rel=1e-12, abs=1e-12)


def test_arrays_that_do_not_fit_are_refused() -> None:
    """Cells without their edges, and empty sides, have no distance."""
    counts = np.array([1, 2, 3])
    with pytest.raises(BinMismatchError, match="4 edges"):
        wasserstein_distance(counts, counts, edges=np.array([0.0, 1.0, 2.0]))
    with pytest.raises(EmptySampleError):
        wasserstein_distance(counts, np.zeros(3), edges=np.arange(4.0))
    with pytest.raises(BinMismatchError):
        relative_widths(counts, low=np.arange(3.0), high=np.arange(4.0), starts=np.array([0]))
    with pytest.raises(BinMismatchError):
        wasserstein_distances(counts, counts, widths=np.ones(4), starts=np.array([0]))
    empty = relative_widths(np.array([0, 0, 3]), low=np.arange(3.0), high=np.arange(1.0, 4.0), starts=np.array([0, 2]))
    assert np.isnan(empty).tolist() == [True, True, False]
