"""The mixture of hour profiles, and a column's movement around it."""

import numpy as np
import pytest

from monitor.stats.natural_movement import (
    HourlyBlocks,
    mixture_shares,
    mixture_size,
    natural_movement,
    seasonal_movement,
)

HOURS = 24


def test_one_hour_is_its_own_profile() -> None:
    """A window inside one hour is compared with that hour's shares and with as many events as it has."""
    weights = np.zeros(HOURS)
    weights[7] = 1.0
    shares = np.random.default_rng(1).dirichlet(np.ones(10), HOURS)
    events = np.arange(1, HOURS + 1) * 100
    assert np.array_equal(mixture_shares(weights, shares), shares[7])
    assert mixture_size(weights, events) == pytest.approx(800)


def test_all_hours_by_their_own_traffic_are_the_whole_reference() -> None:
    """Weighted as the reference itself came, the mixture is its overall histogram and worth all its events."""
    counts = np.random.default_rng(2).integers(50, 500, (HOURS, 10))
    events = counts.sum(axis=1)
    weights = events / events.sum()
    mixed = mixture_shares(weights, counts / events[:, None])
    assert mixed == pytest.approx(counts.sum(axis=0) / counts.sum())
    assert mixture_size(weights, events) == pytest.approx(events.sum())


def test_the_size_is_the_variance_of_a_mixed_share() -> None:
    """Over 20,000 drawn references the variance of a mixed share is q(1-q)/m, where the hours have one share."""
    random = np.random.default_rng(3)
    weights, events, share = np.array([0.7, 0.2, 0.1]), np.array([100, 400, 50]), 0.3
    drawn = random.binomial(events, share, (20_000, 3)) / events
    variance = (drawn @ weights).var()
    # the standard error of a variance from 20,000 draws is 1 %
    assert variance == pytest.approx(share * (1 - share) / mixture_size(weights, events), rel=0.04)


def _cycle(random: np.random.Generator, *, days: int, per_hour: int, swing: float, length: int) -> HourlyBlocks:
    """Deciles of a unit normal whose mean follows the hour; blocks of *length* hours."""
    edges = np.array([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816])
    rows = days * 24
    hours = np.arange(rows) % 24
    means = swing * np.sin(2 * np.pi * hours / 24)
    values = random.normal(means[:, None], 1.0, (rows, per_hour))
    places = np.searchsorted(edges, values)
    counts = np.stack([np.bincount(place, minlength=10) for place in places])
    return HourlyBlocks(blocks=np.arange(rows) // length, hours=hours, counts=counts)


def test_hours_explain_a_daily_cycle() -> None:
    """Of the movement that a cycle of 0.4 sigma makes in windows of 4 hours, the hours leave under a tenth."""
    cycle = _cycle(np.random.default_rng(4), days=14, per_hour=600, swing=0.4, length=4)
    blocks = np.add.reduceat(cycle.counts, np.arange(0, len(cycle.blocks), 4))
    plain, seasonal = natural_movement(blocks), seasonal_movement(cycle, profiles=HOURS)
    assert plain is not None
    assert seasonal is not None
    assert seasonal.kappa < plain.kappa / 10
    assert seasonal.blocks == plain.blocks == 84


def test_without_a_cycle_there_is_nothing_left_either_way() -> None:
    """A column whose shares are steady has no movement around its hours: kappa is within its own noise of 0."""
    cycle = _cycle(np.random.default_rng(5), days=14, per_hour=600, swing=0.0, length=4)
    seasonal = seasonal_movement(cycle, profiles=HOURS)
    assert seasonal is not None
    # The mean of 84 PSI/9 has a standard error of (1/2400) * sqrt(2/9/84); four of them.
    assert seasonal.kappa < 4 * (1 / 2400 + 1 / 8000) * np.sqrt(2 / 9 / 84)


def test_a_block_whose_hour_was_never_seen_again_is_not_judged() -> None:
    """One day has no second hour of a kind: there is nothing to compare a block with."""
    cycle = _cycle(np.random.default_rng(6), days=1, per_hour=600, swing=0.4, length=1)
    assert seasonal_movement(cycle, profiles=HOURS) is None
