"""What blocks of several lengths show together: the memory of the shorter ones, and the lowest level."""

import numpy as np
import pytest

from monitor.arrays import Float64s
from monitor.stats.movement_lengths import blocks_of_lengths, lowest_levels
from monitor.stats.movement_level import MovementEstimates, effective_blocks

SAMPLING = 0.004
"""Of an hour's blocks."""


def of_lengths(
    kappas: tuple[float, ...], *, hours: tuple[int, ...] = (1, 24), days: int = 7, rho: float = 0.0
) -> MovementEstimates:
    """Return one column's estimates from *days*, κ of each length; *rho* of the longest, 0 of the others."""
    column = np.array(hours, dtype=np.float64)[:, np.newaxis]
    return MovementEstimates(
        kappa=np.array(kappas)[:, np.newaxis],
        nu=np.full_like(column, 3.0),
        blocks=24.0 * days / column,
        autocorrelation=np.where(column == column[-1], rho, 0.0),
        sampling=SAMPLING / column,
        freedom=np.full_like(column, 9.0),
    )


def blocks_of(estimates: MovementEstimates) -> Float64s:
    """Return k' of each length of one column, all of them measured."""
    return blocks_of_lengths(estimates, measured=np.ones(estimates.kappa.shape, dtype=np.bool_))[:, 0]


def test_hours_that_do_not_average_out_within_days_are_worth_what_days_are() -> None:
    """With κ of a day nearly that of an hour, a week's hours say no more than its seven days, whatever ρ was seen."""
    hours, days = blocks_of(of_lengths((0.001, 0.0009)))
    assert hours < 3.0 < 100.0 < effective_blocks(of_lengths((0.001, 0.0009)))[0, 0]
    assert days == effective_blocks(of_lengths((0.001, 0.0009)))[1, 0]


def test_hours_that_average_out_keep_most_of_their_blocks() -> None:
    """κ of a day is a twenty-fourth of an hour's, as of independent ones."""
    independent = of_lengths((0.01, 0.01 / 24), days=28)
    alone = effective_blocks(independent)[0, 0]
    assert 0.7 * alone < blocks_of(independent)[0] <= alone


def test_without_movement_chance_divided_by_chance_costs_little() -> None:
    """A column that does not move keeps enough blocks for its level to rise by under a tenth."""
    still = of_lengths((0.0, 0.0))
    measured = np.ones((2, 1), dtype=np.bool_)
    together, alone = (
        lowest_levels(
            still,
            own=0,
            measured=mask,
            usable=measured,
            sampling=np.full((2, 1), SAMPLING),
            alpha=1e-5,
        )
        for mask in (measured, np.array([[True], [False]]))
    )
    assert alone.factors[0] <= together.factors[0] < 1.1 * alone.factors[0]


def test_a_month_knows_the_memory_of_days_better_than_a_week() -> None:
    """Of the same movement, four times the days are more than four times the blocks."""
    week, month = (blocks_of(of_lengths((0.001, 0.0009), days=days, rho=0.3))[0] for days in (7, 28))
    assert month > 4.0 * week


def test_what_a_longer_length_took_from_a_shorter_one_is_no_witness() -> None:
    """A day's numbers that are the hour's, for there were too few days, bound nothing."""
    estimates = of_lengths((0.001, 0.001))
    hours_alone = blocks_of_lengths(estimates, measured=np.array([[True], [False]]))
    np.testing.assert_array_equal(hours_alone, effective_blocks(estimates))


@pytest.mark.parametrize("own", [0, 1, 2])
def test_the_lowest_level_is_of_the_windows_own_length_or_a_shorter_one(own: int) -> None:
    """The lengths after the windows' own give no level, however low it were; ties are its own."""
    estimates = of_lengths((0.002, 0.0001, 0.00001), hours=(1, 4, 24), days=28)
    usable = np.ones((3, 1), dtype=np.bool_)
    sampling = np.full((3, 1), SAMPLING / (1, 4, 24)[own])
    lowest = lowest_levels(estimates, own=own, measured=usable, usable=usable, sampling=sampling, alpha=1e-5)
    assert lowest.kappa[0] == estimates.kappa[own, 0]
    none_usable = lowest_levels(estimates, own=own, measured=~usable, usable=~usable, sampling=sampling, alpha=1e-5)
    assert none_usable.factors[0] == none_usable.own_factors[0]
