"""How the statistics relate: one scale of mean shifts for all of them (statistics §1)."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from monitor.stats.divergences import (
    hellinger_distance,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    total_variation_distance,
)
from monitor.stats.psi import population_stability_index
from tests.oracle.one_column import kullback_leibler_divergence

EDGES = np.linspace(-9.0, 10.0, 1901)


def unit_normal(shift: float, spread: float = 1.0) -> np.ndarray:
    """Return the expected counts, of 1e12, of a normal in cells of a hundredth of a standard deviation."""
    return np.diff(ndtr((EDGES - shift) / spread)) * 1e12


# PSI of unit normals δ apart is δ² exactly, KL δ²/2, Hellinger √(1 − exp(−δ²/8)), total variation 2 Φ(δ/2) − 1.
@pytest.mark.parametrize("shift", [0.1, 0.316, 0.5, 0.7, 1.0])
def test_unit_normals_have_the_closed_forms(shift: float) -> None:
    """On fine cells every statistic has its value of the densities; cells of 0.01 σ and tails cost 1e-4 of it."""
    reference, current = unit_normal(0.0), unit_normal(shift)
    assert population_stability_index(reference, current) == pytest.approx(shift**2, rel=1e-4)
    assert kullback_leibler_divergence(reference, current) == pytest.approx(shift**2 / 2, rel=1e-4)
    assert hellinger_distance(reference, current) == pytest.approx(math.sqrt(1 - math.exp(-(shift**2) / 8)), rel=1e-4)
    assert total_variation_distance(reference, current) == pytest.approx(2 * ndtr(shift / 2) - 1, rel=1e-4)


# The next term of the expansions is δ²/16 of the value for Hellinger² and 3δ²/64·… of the same size for JS.
@pytest.mark.parametrize("shift", [0.1, 0.316, 0.5, 0.7])
def test_small_changes_are_one_scale(shift: float) -> None:
    """JS ≈ PSI/8, JS distance ≈ Hellinger ≈ √(PSI/8): within δ²/8 of the value."""
    reference, current = unit_normal(0.0), unit_normal(shift)
    psi = population_stability_index(reference, current)
    tolerance = shift**2 / 8
    assert jensen_shannon_divergence(reference, current) == pytest.approx(psi / 8, rel=tolerance)
    assert jensen_shannon_distance(reference, current) == pytest.approx(math.sqrt(psi / 8), rel=tolerance)
    assert hellinger_distance(reference, current) == pytest.approx(math.sqrt(psi / 8), rel=tolerance)


def test_the_index_sees_a_change_of_spread_that_the_distance_hardly_sees() -> None:
    """A spread of 1.3 is PSI 0.14, past the first tier; its KS distance is 0.064, half of the first tier's 0.12.

    PSI of N(0, 1) and N(0, s²) is (s² + 1/s²)/2 − 1.
    """
    spread = 1.3
    reference, current = unit_normal(0.0), unit_normal(0.0, spread)
    psi = population_stability_index(reference, current)
    assert psi == pytest.approx((spread**2 + spread**-2) / 2 - 1, rel=1e-3)
    assert psi > 0.1
    gaps = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    assert np.abs(gaps).max() < 0.07
