"""The bound by the index's own variance: its level with the truth exactly at a tier, and its arithmetic."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime, brentq

from benchmarks.psi_levels import TIERS, N, PsiAtTier, at_tier, emptying
from monitor.errors import BinMismatchError
from monitor.stats.psi import population_stability_index
from monitor.stats.psi_bounds import proven_lower_bound
from monitor.stats.psi_variance import proven_stability_index, shift_threshold, variance_lower_bounds


def two_bins(share: float, *, falls: bool) -> PsiAtTier:
    """Return a share of the reference that falls, or rises, until the index is 0.2."""
    reference, sign = np.array([share, 1.0 - share]), -1.0 if falls else 1.0

    def change(size: float) -> np.ndarray:
        weights = reference * np.exp(np.array([sign * size, 0.0]))
        return weights / weights.sum()

    return PsiAtTier(reference=reference, current=at_tier(reference, change, 0.2), tier=0.2, n=1)


@pytest.mark.parametrize("n", N)
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("bins", [2, 10, 30])
def test_an_emptying_bin_is_proven_as_rarely_as_promised(bins: int, tier: float, n: int) -> None:
    """A bin of 5 % empties until the index is at the tier: exact for two bins, by weighted samples for more."""
    reference, change = emptying(bins)
    case = PsiAtTier(reference=reference, current=at_tier(reference, change, tier), tier=tier, n=n)
    assert case.rates(seed=1).both <= (1.0 if bins == 2 else 1.1) * case.alpha


def test_the_index_alone_takes_an_emptying_bin_for_proof() -> None:
    """Without the variance the same column passes its tier more than a thousand times as often."""
    reference, change = emptying(10)
    case = PsiAtTier(reference=reference, current=at_tier(reference, change, 0.2), tier=0.2, n=6000)
    assert case.rates().alone > 1000 * case.alpha


@pytest.mark.parametrize("alpha", [1e-3, 1e-5, 1e-6])
@pytest.mark.parametrize("m", [2000, 20_000, 1_000_000])
@pytest.mark.parametrize("n", [200, 500, 2000])
def test_two_bins_hold_their_level_whatever_the_share(n: int, m: int, alpha: float) -> None:
    """The exact sum at tier 0.2 is at most alpha for shares that fall and shares that rise."""
    for share in (0.05, 0.2, 0.3, 0.5, 0.7):
        for falls in (True, False):
            shares = two_bins(share, falls=falls)
            case = PsiAtTier(
                reference=shares.reference, current=shares.current, tier=shares.tier, n=n, m=m, alpha=alpha
            )
            assert case.rates().both <= alpha, (share, falls)


def test_weighted_samples_agree_with_the_exact_sum() -> None:
    """What more bins are measured by gives for two bins what the sum gives, as well as so few draws can."""
    case = two_bins(0.3, falls=False)
    case = PsiAtTier(reference=case.reference, current=case.current, tier=0.2, n=2000, alpha=1e-3)
    exact = case.rates().alone
    reference, current, weights = case._weighted_counts(3)
    threshold = [
        proven_lower_bound(population_stability_index(known, seen), bins=2, n=2000, m=20_000, alpha=1e-3) > 0.2
        for known, seen in zip(reference[::4], current[::4], strict=True)
    ]
    assert 4.0 * float(weights[::4][threshold].sum()) == pytest.approx(exact, rel=0.25)


def test_the_variance_is_that_of_the_index_along_its_gradient() -> None:
    """By finite differences of the index in both samples' shares, with natural movement on the window's side."""
    reference, current = np.array([4000.0, 9000.0, 7000.0]), np.array([100.0, 550.0, 350.0])
    p, q = (reference + 0.5) / 20_001.5, (current + 0.5) / 1001.5
    kappa, alpha, z = 0.002, 0.001, 3.090232306167813

    def index(shares: np.ndarray) -> float:
        return float(((shares[3:] - shares[:3]) * np.log(shares[3:] / shares[:3])).sum())

    gradient = approx_fprime(np.concatenate([p, q]), index, 1e-8)
    of_p, of_q = (
        float(shares @ slopes**2 - (shares @ slopes) ** 2) for shares, slopes in ((p, gradient[:3]), (q, gradient[3:]))
    )
    size = 1.0 / (1 / 1000 + 1 / 20_000 + kappa)
    excess = index(np.concatenate([p, q])) - 2 / size
    deviation = np.sqrt(of_q * (1 / 1000 + kappa) + of_p / 20_000) / (2.0 * np.sqrt(excess))
    expected = max(np.sqrt(excess) - z * (1.0 + 0.5 / np.sqrt(size)) * deviation, 0.0) ** 2
    assert expected > 0.0
    result = variance_lower_bounds(
        reference, current, starts=np.zeros(1, dtype=np.intp), kappa=np.array([kappa]), alpha=alpha
    )
    assert result == pytest.approx([expected], rel=1e-5)


def test_columns_together_equal_columns_alone() -> None:
    """A column's bound does not depend on its neighbours; without values it is not measured, equal shares prove 0."""
    columns = [([500, 500], [10, 90]), ([5, 5, 5], [0, 0, 0]), ([100, 100, 100], [40, 40, 40]), ([0, 0], [3, 4])]
    reference, current = (np.concatenate([np.array(pair[side]) for pair in columns]) for side in (0, 1))
    lows = variance_lower_bounds(
        reference, current, starts=np.array([0, 2, 5, 8]), kappa=np.array([0.0, 0.0, 0.01, 0.0]), alpha=0.001
    )
    alone = variance_lower_bounds(
        np.array([500, 500]), np.array([10, 90]), starts=np.array([0]), kappa=np.zeros(1), alpha=0.001
    )
    assert lows[0] == alone[0] > 0.0
    assert np.isnan(lows).tolist() == [False, True, False, True]
    assert lows[2] == 0.0


def test_the_smaller_of_both_bounds_is_proven() -> None:
    """By the variance where a bin empties, by the index where natural movement alone makes as much."""
    usual, emptied = np.array([1000, 19_000]), np.array([2, 998])
    psi = population_stability_index(usual, emptied)
    assert proven_stability_index(usual, emptied, alpha=0.001) < proven_lower_bound(
        psi, bins=2, n=1000, m=20_000, alpha=0.001
    )
    assert proven_stability_index(usual, emptied, kappa=0.02, nu=1.0, alpha=0.001) == 0.0


def test_a_wrong_argument_is_refused() -> None:
    """An alpha out of range and arrays of different lengths are errors, not numbers."""
    with pytest.raises(ValueError, match="alpha"):
        proven_stability_index(np.array([1, 2]), np.array([1, 2]), alpha=0.5)
    with pytest.raises(BinMismatchError):
        proven_stability_index(np.array([1, 2]), np.array([1, 2, 3]), alpha=0.01)


@pytest.mark.parametrize("n", [300, 1000, 20_000])
@pytest.mark.parametrize("kappa", [0.0, 0.001])
def test_the_threshold_of_a_shift_is_where_the_bound_passes_the_tier(n: int, kappa: float) -> None:
    """Ten even bins all shifted a little have an index whose bound passes the tier near the planned threshold."""
    reference = np.full(10, 2000.0)
    direction = np.linspace(-1.0, 1.0, 10)
    threshold = shift_threshold(0.1, bins=10, n=n, m=20_000, kappa=kappa, alpha=1e-5)

    def gap(size: float) -> float:
        current = n * np.exp(size * direction) / np.exp(size * direction).sum()
        lows = variance_lower_bounds(
            reference, current, starts=np.zeros(1, dtype=np.intp), kappa=np.array([kappa]), alpha=1e-5
        )
        return float(lows[0]) - 0.1

    size = brentq(gap, 0.3, 4.0)
    current = n * np.exp(size * direction) / np.exp(size * direction).sum()
    assert population_stability_index(reference, current) == pytest.approx(threshold, rel=0.05)
