"""The tier's threshold against scipy's distributions; against simulation in test_rule_simulated."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2

from monitor.errors import EmptySampleError
from monitor.stats.movement_level import level_factors
from monitor.stats.psi_bounds import (
    distance_lower_bound,
    effective_size,
    proven_lower_bound,
    proven_lower_bounds,
    tier_threshold,
)


def test_natural_movement_bounds_what_traffic_can_prove() -> None:
    """Without movement N is the harmonic sum; with it N never passes 1/kappa."""
    assert effective_size(300, 600) == pytest.approx(200.0)
    assert effective_size(10**9, 10**9, 0.01) == pytest.approx(100.0, rel=1e-6)


@pytest.mark.parametrize("tier", [0.0, 0.1, 0.3])
@pytest.mark.parametrize(("n", "kappa", "nu"), [(200, 0.0, 9.0), (6000, 0.002, 2.5), (10**7, 0.0, 9.0)])
def test_the_threshold_is_the_larger_of_both_terms(tier: float, n: int, kappa: float, nu: float) -> None:
    """T is max(ncx2.ppf(1−α, B−1, Nτ)/N, (B−1)/N/ν · chi2.ppf(1−α, ν)) by scipy.stats."""
    size = 1.0 / (1.0 / n + 1.0 / 20_000 + kappa)
    expected = max(ncx2.ppf(1 - 1e-5, 9, size * tier) / size, 9 / size / nu * chi2.ppf(1 - 1e-5, nu))
    result = tier_threshold(tier, bins=10, n=n, m=20_000, kappa=kappa, nu=nu, alpha=1e-5)
    assert result == pytest.approx(expected, rel=1e-10)


def test_uncalibrated_means_all_degrees_of_freedom() -> None:
    """Without natural movement nu is B − 1, and at tier 0 both terms are the same chi-squared quantile."""
    result = tier_threshold(0.0, bins=10, n=1000, m=1000, alpha=1e-3)
    assert result == tier_threshold(0.0, bins=10, n=1000, m=1000, kappa=0.0, nu=9.0, alpha=1e-3)
    assert result == pytest.approx(chi2.isf(1e-3, 9) / 500.0, rel=1e-10)


@pytest.mark.parametrize("size", [200, 6000, 10**6])
@pytest.mark.parametrize("alpha", [1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("kappa", [0.0, 0.001])
def test_the_lower_bound_inverts_the_threshold(size: int, alpha: float, kappa: float) -> None:
    """T at psi_low is the observed value, and psi_low of T is the tier, to 1e-9."""
    # 1 − α is a double: at α = 1e-8 its last digit is a relative 1e-8 of α, which large values feel.
    rounding = 1e-16 / alpha
    for psi in (0.05, 0.11, 0.24, 1.0, 5.0):
        low = proven_lower_bound(psi, bins=10, n=size, m=10**6, kappa=kappa, alpha=alpha)
        if low > 0.0:
            threshold = tier_threshold(low, bins=10, n=size, m=10**6, kappa=kappa, alpha=alpha)
            assert threshold == pytest.approx(psi, rel=rounding, abs=1e-9)
    for tier in (0.05, 0.1, 0.2, 0.3):
        threshold = tier_threshold(tier, bins=10, n=size, m=10**6, kappa=kappa, alpha=alpha)
        low = proven_lower_bound(threshold, bins=10, n=size, m=10**6, kappa=kappa, alpha=alpha)
        assert low == pytest.approx(tier, rel=rounding, abs=1e-9)


def test_the_lower_bound_equals_a_root_search_over_scipys_survival_function() -> None:
    """The non-centrality found in one call is the one that bisection finds on scipy.stats.ncx2."""
    size = effective_size(5000, 20_000)
    root = brentq(lambda tau: ncx2.sf(size * 0.3, 9, size * tau) - 1e-4, 1e-9, 0.3, xtol=1e-14)
    result = proven_lower_bound(0.3, bins=10, n=5000, m=20_000, alpha=1e-4)
    assert result == pytest.approx(root, abs=1e-9)


def test_nothing_is_proven_under_the_columns_own_movement() -> None:
    """Between the first term at 0 and the second term psi_low is 0; above, the first term alone decides."""
    level = tier_threshold(0.0, bins=10, n=5000, m=20_000, kappa=0.01, nu=1.5, alpha=1e-4)
    sampling_only = chi2.isf(1e-4, 9) / effective_size(5000, 20_000, 0.01)
    assert level > sampling_only
    arguments: dict[str, Any] = {"bins": 10, "n": 5000, "m": 20_000, "kappa": 0.01, "nu": 1.5, "alpha": 1e-4}
    assert proven_lower_bound(level * (1 - 1e-12), **arguments) == 0.0
    assert proven_lower_bound(level * (1 + 1e-12), **arguments) > 0.0


def test_columns_at_once_equal_columns_alone() -> None:
    """The array form gives the scalar values, NaN for an empty or unmeasured column, nothing for one bin."""
    columns = {
        "bins": np.array([10, 5, 31, 10, 1, 10]),
        "n": np.array([500, 5000, 800, 0, 500, 500]),
        "m": np.full(6, 20_000),
        "kappa": np.array([0.0, 0.002, 1e-4, 0.0, 0.0, 0.0]),
    }
    nus = np.array([9.0, 1.5, 20.0, 9.0, 1.0, 9.0])
    psi = np.array([0.4, 0.3, 0.01, 0.4, 0.4, np.nan])
    size = 1.0 / (1.0 / np.maximum(columns["n"], 1) + 1.0 / columns["m"] + columns["kappa"])
    levels = (columns["bins"] - 1) / size * level_factors(nus, np.inf, alpha=1e-5)
    bounds = proven_lower_bounds(psi, level=levels, alpha=1e-5, **columns)
    for i in (0, 1, 2, 4, 5):
        alone = {name: values[i].item() for name, values in columns.items()}
        expected = proven_lower_bound(psi[i], nu=nus[i].item(), alpha=1e-5, **alone)
        assert bounds[i] == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert np.isnan(bounds[3])
    assert bounds[4] == 0.0


def test_the_distance_bound_subtracts_smirnovs_margin() -> None:
    """At α = 2 exp(−2) the margin is 1/√N, and a bound under 0 is 0."""
    alpha = 2.0 * math.exp(-2.0)
    assert distance_lower_bound(0.3, n=200, m=200, alpha=alpha) == pytest.approx(0.2, rel=1e-12)
    assert distance_lower_bound(0.05, n=200, m=200, alpha=alpha) == 0.0
    assert math.isnan(distance_lower_bound(math.nan, n=200, m=200, alpha=alpha))


def test_no_events_and_impossible_levels_are_refused() -> None:
    """A comparison without events has no size; a level of 0 or a negative movement or tier is an error."""
    with pytest.raises(EmptySampleError):
        effective_size(0, 100)
    with pytest.raises(ValueError, match="kappa"):
        effective_size(100, 100, -0.1)
    with pytest.raises(ValueError, match="alpha"):
        tier_threshold(0.1, bins=10, n=100, m=100, alpha=0.0)
    with pytest.raises(ValueError, match="tier"):
        tier_threshold(-0.1, bins=10, n=100, m=100, alpha=1e-3)
