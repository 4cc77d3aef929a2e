"""The KS distance of cells against scipy's distance of the raw samples."""

import math

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import ks_2samp, kstwo

from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.kolmogorov_smirnov import kolmogorov_smirnov, kolmogorov_smirnov_distances, two_sample_ks_p_value
from tests.unit.stats.samples import SAMPLES, cells_of


@pytest.mark.parametrize("moved", [0.0, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_the_raw_distance_lies_inside_the_printed_bound(name: str, moved: float) -> None:
    """D ≤ scipy's D ≤ D + bound, whatever the tails and ties, shifted or not, on coarse and fine cells."""
    generator = np.random.default_rng(20)
    reference, current = SAMPLES[name](generator, 8000, 0.0), SAMPLES[name](generator, 1500, moved)
    exact = ks_2samp(reference, current, method="asymp").statistic
    for cells in (7, 100, 1000):
        on_reference, on_current, point_cells, _ = cells_of(reference, current, cells)
        result = kolmogorov_smirnov(on_reference, on_current, point_cells=point_cells)
        assert result.distance <= exact + 1e-12
        assert exact <= result.distance + result.error_bound + 1e-12
        # A wide bound would prove nothing: a quantile cell holds its share, and less than one heavy value more.
        assert result.error_bound <= 2.0 / cells


@pytest.mark.parametrize("name", ["Poisson", "rounded"])
def test_few_distinct_values_are_exact(name: str) -> None:
    """With one cell per value the bound is 0 and the distance is scipy's."""
    generator = np.random.default_rng(21)
    reference, current = SAMPLES[name](generator, 8000, 0.0), SAMPLES[name](generator, 1500, 1.0)
    on_reference, on_current, point_cells, _ = cells_of(reference, current, 1000)
    result = kolmogorov_smirnov(on_reference, on_current, point_cells=point_cells)
    assert result.error_bound == 0.0
    assert result.distance == pytest.approx(ks_2samp(reference, current, method="asymp").statistic, abs=1e-12)


def test_the_bound_is_reached() -> None:
    """Samples that part inside one cell have the distance the bound allows and the edges cannot see."""
    result = kolmogorov_smirnov(np.array([10]), np.array([4]), point_cells=np.array([False]))
    assert result.distance == 0.0
    assert result.error_bound == ks_2samp([1.0] * 10, [2.0] * 4).statistic == 1.0


@pytest.mark.parametrize(
    ("shift", "distance"), [(0.1, 0.040), (0.316, 0.126), (0.447, 0.177), (0.548, 0.216), (1.0, 0.383)]
)
def test_shifted_normals_have_the_documented_distance(shift: float, distance: float) -> None:
    """Unit normals δ apart have D = 2Φ(δ/2) − 1."""
    edges = np.linspace(-8.0, 9.0, 1701)
    counts = [np.rint(np.diff(ndtr(edges - at)) * 1e12).astype(np.int64) for at in (0.0, shift)]
    result = kolmogorov_smirnov(counts[0], counts[1], point_cells=np.zeros(1700, dtype=bool))
    assert result.distance == pytest.approx(2.0 * ndtr(shift / 2.0) - 1.0, abs=1e-5)
    assert result.distance == pytest.approx(distance, abs=6e-4)


def test_an_empty_column_is_not_measured_and_disturbs_no_other() -> None:
    """Empty sides give NaN in their own column only; alone they are refused."""
    reference, current = np.array([3, 1, 0, 0, 2, 2]), np.array([0, 4, 1, 1, 2, 2])
    point_cells = np.zeros(6, dtype=bool)
    result = kolmogorov_smirnov_distances(reference, current, point_cells=point_cells, starts=np.array([0, 2, 4]))
    np.testing.assert_allclose(result.distances, [0.75, np.nan, 0.0], atol=1e-15)
    np.testing.assert_allclose(result.error_bounds, [0.25, np.nan, 0.5], atol=1e-15)
    with pytest.raises(EmptySampleError):
        kolmogorov_smirnov(reference[2:4], current[2:4], point_cells=point_cells[2:4])


def test_windows_broadcast_against_one_reference_of_cells() -> None:
    """A leading axis of windows gives each window the values it has alone."""
    generator = np.random.default_rng(2)
    reference, current = generator.integers(0, 50, 12), generator.integers(0, 50, (3, 12))
    point_cells, starts = generator.random(12) < 0.3, np.array([0, 2, 7])
    together = kolmogorov_smirnov_distances(reference, current, point_cells=point_cells, starts=starts)
    for window, row, bounds in zip(current, together.distances, together.error_bounds, strict=True):
        alone = kolmogorov_smirnov_distances(reference, window, point_cells=point_cells, starts=starts)
        np.testing.assert_array_equal(row, alone.distances)
        np.testing.assert_array_equal(bounds, alone.error_bounds)


def test_cells_that_do_not_match_are_refused() -> None:
    """Reference, current and mask must lie on the same cells."""
    counts, mask = np.array([1, 2, 3]), np.array([False, True])
    with pytest.raises(BinMismatchError):
        kolmogorov_smirnov(counts, counts, point_cells=mask)
    with pytest.raises(BinMismatchError):
        kolmogorov_smirnov_distances(counts, counts, point_cells=mask, starts=np.array([0]))


def test_the_textbook_p_value_is_kolmogorovs() -> None:
    """P(K > 1.3581) is 0.05, and the finite-sample value of scipy is within 0.01 from 200 a side on."""
    n, m = 600, 300
    assert two_sample_ks_p_value(1.3581015 * math.sqrt(1 / n + 1 / m), n, m) == pytest.approx(0.05, abs=1e-6)
    for distance in (0.05, 0.1, 0.15, 0.25):
        assert two_sample_ks_p_value(distance, 200, 200) == pytest.approx(kstwo.sf(distance, 100), abs=0.04)
        assert two_sample_ks_p_value(distance, 5000, 5000) == pytest.approx(kstwo.sf(distance, 2500), abs=0.01)
    assert two_sample_ks_p_value(0.0, n, m) == 1.0
    with pytest.raises(EmptySampleError):
        two_sample_ks_p_value(0.1, 0, 5)
