"""The level of natural movement against scipy's F, and what estimates from blocks are believed."""

import numpy as np
import pytest
from scipy.stats import chi2, f

from monitor.stats.false_discovery import psi_p_value
from monitor.stats.movement_level import (
    CredibleMovement,
    MovementEstimates,
    MovementLevel,
    credible_movement,
    independent_blocks,
    level_factors,
)
from monitor.stats.natural_movement import NaturalMovement, lag_one_autocorrelation
from monitor.stats.psi_bounds import distance_lower_bound, tier_threshold


def believed(
    *, blocks: float, kappa: float = 0.0, nu: float = 9.0, autocorrelation: float = 0.0, windows: float | None = None
) -> CredibleMovement:
    """Return what is believed of one column of ten bins whose blocks have a sampling variance of 0.001."""
    return credible_movement(
        MovementEstimates(
            kappa=np.array([kappa]),
            nu=np.array([nu]),
            blocks=np.array([blocks]),
            autocorrelation=np.array([autocorrelation]),
            sampling=np.array([0.001]),
            freedom=np.array([9.0]),
        ),
        alpha=1e-5,
        sampling=None if windows is None else np.array([windows]),
    )


@pytest.mark.parametrize("alpha", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize(("nu", "blocks"), [(1.0, 0.5), (1.0, 6.0), (2.5, 30.0), (9.0, 1000.0)])
def test_the_level_is_a_quantile_of_f(nu: float, blocks: float, alpha: float) -> None:
    """F of (nu, nu k') by scipy.stats, as a multiple of the mean block PSI, and its p-value is alpha again."""
    assert level_factors(nu, blocks, alpha=alpha) == pytest.approx(f.isf(alpha, nu, nu * blocks), rel=1e-6)
    level = MovementLevel(kappa=0.002, nu=nu, blocks=blocks)
    psi = level.psi(bins=10, n=800, m=20_000, alpha=alpha)
    assert psi == pytest.approx(9 * (1 / 800 + 1 / 20_000 + 0.002) * f.isf(alpha, nu, nu * blocks), rel=1e-6)
    assert level.p_value(psi, bins=10, n=800, m=20_000) == pytest.approx(alpha, rel=1e-6)


def test_infinitely_many_blocks_are_chi_squared() -> None:
    """Where kappa is known F is chi-squared by its nu; where the two meet there is no step to speak of."""
    assert level_factors(2.0, np.inf, alpha=1e-5) == pytest.approx(chi2.isf(1e-5, 2) / 2, rel=1e-12)
    assert level_factors(2.0, 9e6, alpha=1e-5) == pytest.approx(level_factors(2.0, 1e7, alpha=1e-5), rel=1e-5)


def test_fewer_blocks_raise_the_threshold_and_its_p_value_follows() -> None:
    """The threshold of a tier and the p-value at the tier know of the same few blocks."""
    known, few = MovementLevel(kappa=0.002, nu=1.0), MovementLevel(kappa=0.002, nu=1.0, blocks=6.0)
    thresholds = [tier_threshold(0.1, bins=10, n=800, m=20_000, level=level, alpha=1e-5) for level in (known, few)]
    assert thresholds[1] > 5 * thresholds[0]
    result = psi_p_value(thresholds[1], bins=10, n=800, m=20_000, level=few)
    assert result == pytest.approx(1e-5, rel=1e-6)


def test_a_distance_proves_nothing_that_movement_reaches() -> None:
    """A shift of the mean by half a standard deviation, PSI 0.238, is a distance of 0.197: under half its root."""
    assert distance_lower_bound(0.197, n=10**6, m=10**6, level=0.238, alpha=1e-5) == 0.0
    assert distance_lower_bound(0.25, n=10**6, m=10**6, level=0.238, alpha=1e-5) > 0.24
    assert distance_lower_bound(0.197, n=10**6, m=10**6, alpha=1e-5) > 0.19
    assert np.isnan(distance_lower_bound(np.nan, n=10**6, m=10**6, level=0.238, alpha=1e-5))


def test_what_nothing_was_estimated_of_keeps_its_numbers() -> None:
    """Infinitely many blocks without kappa, as of an uncalibrated column: all degrees of freedom, known."""
    result = believed(blocks=np.inf)
    assert (result.nu[0], result.blocks[0]) == (9.0, np.inf)


def test_the_fewer_blocks_the_less_is_believed() -> None:
    """Both for a quiet and for a wandering column the factor falls with every block, to chi-squared's."""
    for kappa, nu in ((0.0, 9.0), (0.1, 1.0)):
        factors = []
        for blocks in (5, 7, 10, 14, 28, 60, 100, 1000, 1e9):
            result = believed(blocks=float(blocks), kappa=kappa, nu=nu)
            factors.append(float(level_factors(result.nu, result.blocks, alpha=1e-5)[0]))
        assert np.all(np.diff(factors) < 0)
        assert factors[-1] == pytest.approx(chi2.isf(1e-5, nu) / nu, rel=0.01)


def test_many_directions_are_believed_of_many_blocks_only() -> None:
    """Seven blocks that all differ alike show nine directions by chance; a thousand do not."""
    assert believed(blocks=7, kappa=0.1, nu=9.0).nu[0] < 1.1
    assert 8.0 < believed(blocks=1000, kappa=0.1, nu=9.0).nu[0] <= 9.0
    # Fewer than one direction, so heavy a tail, is believed of many blocks as well.
    assert believed(blocks=1000, kappa=0.1, nu=0.6).nu[0] == pytest.approx(0.6, abs=0.01)
    assert believed(blocks=7, kappa=0.1, nu=0.6).nu[0] >= 1.0


def test_the_more_traffic_the_less_a_movement_hides_in_chance() -> None:
    """In windows of ten times the blocks' events the movement that they may have had makes most of the PSI."""
    assert believed(blocks=14, windows=0.0001).nu[0] < believed(blocks=14).nu[0]


def test_memory_costs_blocks() -> None:
    """A hundred blocks of an autocorrelation of 0.6 are worth under a quarter; ones that repel each other all."""
    assert believed(blocks=100, kappa=0.1, nu=1.0, autocorrelation=0.6).blocks[0] < 25
    assert believed(blocks=100, kappa=0.1, nu=1.0, autocorrelation=-0.5).blocks[0] == pytest.approx(99, rel=0.01)


def test_sampling_hides_no_memory() -> None:
    """Where movement makes under half of the PSI, half of the blocks' likeness is all of the movement's."""
    remembered, forgotten = (
        believed(blocks=168, kappa=0.0008, nu=3.4, autocorrelation=autocorrelation) for autocorrelation in (0.38, 0.0)
    )
    assert remembered.blocks[0] < 10 < 90 < forgotten.blocks[0]


def test_a_share_has_one_direction() -> None:
    """Its independent blocks are those of a movement with nu 1; none where nothing was measured."""
    share = NaturalMovement(kappa=0.1, nu=1.0, blocks=100, autocorrelation=0.6, sampling=0.001)
    moving = 1 - 0.001 / (1.1 * 0.101)
    rho = 0.6 / moving + ((1 + 3 * 0.6) / 100 + 1.5 * 0.8 / 10) / moving
    assert independent_blocks(share) == pytest.approx(99 * (1 - rho) / (1 + rho) / moving**2, rel=1e-9)
    few_make_most_of_it = NaturalMovement(kappa=0.1, nu=0.05, blocks=100, autocorrelation=0.0, sampling=0.001)
    assert independent_blocks(few_make_most_of_it) == pytest.approx(5.0)
    nothing = NaturalMovement(kappa=0.0, nu=1.0, blocks=0, autocorrelation=0.0, sampling=0.0)
    assert independent_blocks(nothing) == 0.0


def test_the_autocorrelation_is_that_of_signed_differences() -> None:
    """What turns round every block repeats itself with the other sign; what nothing moves repeats nothing."""
    swing = np.outer([1.0, -1.0, 1.0, -1.0], [0.3, -0.3])
    assert lag_one_autocorrelation(swing) == pytest.approx(-0.75)
    assert lag_one_autocorrelation(np.abs(swing)) == pytest.approx(0.75)
    assert lag_one_autocorrelation(np.zeros((4, 2))) == 0.0
