"""Natural movement against streams whose movement was planted."""

import numpy as np
import pytest

from monitor.errors import BinMismatchError
from monitor.stats.natural_movement import natural_movement, natural_share_movement

SHARES = np.full(10, 0.1)


def test_independent_events_do_not_move() -> None:
    """Blocks of one multinomial have a kappa near 0: under a tenth of the sampling variance, at most."""
    generator = np.random.default_rng(40)
    result = natural_movement(generator.multinomial(1000, SHARES, 500))
    assert result is not None
    # The mean of 500 chi-squared(9)/9 has a standard deviation of 0.021; 0.1 is nearly 5 of them.
    assert result.kappa < 0.1 / 1000
    assert result.nu == pytest.approx(9.0, rel=0.25)
    assert result.blocks == 500


@pytest.mark.parametrize("events", [1000, 20_000])
def test_wandering_blocks_show_the_planted_variance_whatever_the_traffic(events: int) -> None:
    """Block shares drawn from a Dirichlet of concentration a have kappa = 1/(a + 1), at any traffic."""
    generator = np.random.default_rng(41)
    concentration = 499.0
    wandering = generator.dirichlet(concentration * SHARES, 400)
    result = natural_movement(generator.multinomial(events, wandering))
    assert result is not None
    # 400 draws of a chi-squared(9)/9 spread by 2.4 %; PSI's terms past the second order add about 3 %.
    assert result.kappa == pytest.approx(1.0 / (concentration + 1.0), rel=0.12)


def test_movement_along_one_direction_has_one_degree_of_freedom() -> None:
    """A column that sways to and fro as a whole has nu near 1, not B − 1."""
    generator = np.random.default_rng(42)
    slope = np.linspace(-1.0, 1.0, 10)
    weights = np.exp(generator.normal(0.0, 0.2, (400, 1)) * slope)
    result = natural_movement(generator.multinomial(50_000, weights / weights.sum(axis=1, keepdims=True)))
    assert result is not None
    assert result.nu == pytest.approx(1.0, abs=0.35)


def test_a_block_is_compared_with_the_reference_without_it() -> None:
    """Two bins by hand: block b of (60, 40) against four of (50, 50) each, pseudocounts negligible."""
    blocks = np.array([[60, 40], [50, 50], [50, 50], [50, 50], [50, 50]]) * 1000
    result = natural_movement(blocks)
    assert result is not None
    outlier = 0.1 * np.log(0.6 / 0.5) + 0.1 * np.log(0.5 / 0.4)
    rest_share = 0.525
    others = (rest_share - 0.5) * (np.log(rest_share / 0.5) + np.log(0.5 / (1 - rest_share)))
    sampling = 1 / 100_000 + 1 / 400_000
    assert result.kappa == pytest.approx((outlier + 4 * others) / 5 - sampling, rel=1e-3)


def test_thin_blocks_are_left_out_and_too_few_are_no_measurement() -> None:
    """Blocks under 50 events are not judged, and with fewer than 5 others there is no answer."""
    generator = np.random.default_rng(43)
    blocks = generator.multinomial(1000, SHARES, 5)
    thin = generator.multinomial(49, SHARES, 3)
    result = natural_movement(np.concatenate([blocks, thin, np.zeros((2, 10), dtype=np.int64)]))
    assert result is not None
    assert result.blocks == 5
    assert natural_movement(np.concatenate([blocks[:4], thin])) is None
    assert natural_movement(np.zeros((8, 10), dtype=np.int64)) is None


def test_blocks_without_any_movement_have_all_degrees_of_freedom() -> None:
    """Equal blocks have kappa 0 and nu B − 1, not a division by zero."""
    result = natural_movement(np.full((6, 4), 100))
    assert result is not None
    assert (result.kappa, result.nu) == (0.0, 3.0)


def test_a_wandering_share_shows_its_planted_variance() -> None:
    """Shares drawn from a beta distribution have kappa = 1/(a + b + 1); independent events have none."""
    generator = np.random.default_rng(44)
    totals = generator.integers(500, 2000, 400)
    wandering = natural_share_movement(generator.binomial(totals, generator.beta(20.0, 180.0, 400)), totals)
    assert wandering is not None
    assert wandering.kappa == pytest.approx(1.0 / 201.0, rel=0.25)
    steady = natural_share_movement(generator.binomial(totals, 0.1), totals)
    assert steady is not None
    assert steady.kappa < 0.25 / 1000
    assert 0.7 < steady.nu <= 1.0
    once = natural_share_movement(np.where(np.arange(400) == 7, totals // 2, 0), totals)
    assert once is not None
    assert 400 * once.nu == pytest.approx(2.0, rel=0.02)


def test_a_share_of_nothing_does_not_move_and_few_blocks_have_no_answer() -> None:
    """A share of 0 or 1 has no variance; under 5 usable blocks there is no answer."""
    totals = np.full(6, 100)
    for counts in (np.zeros(6, dtype=np.int64), totals):
        still = natural_share_movement(counts, totals)
        assert still is not None
        assert (still.kappa, still.autocorrelation, still.blocks) == (0.0, 0.0, 6)
    assert natural_share_movement(np.array([1, 2, 3, 4]), np.full(4, 100)) is None


def test_blocks_of_the_wrong_shape_are_refused() -> None:
    """One row is no set of blocks, one bin no histogram."""
    with pytest.raises(BinMismatchError):
        natural_movement(np.array([1, 2, 3]))
    with pytest.raises(BinMismatchError):
        natural_movement(np.array([[1], [2]]))
    with pytest.raises(BinMismatchError):
        natural_share_movement(np.array([1, 2]), np.array([1, 2, 3]))
