"""How often natural movement with a memory passes its level, by the reference's blocks of every length; simulated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2

from benchmarks.movement_figures import estimates_of
from benchmarks.wandering_columns import wandering_paths
from monitor.arrays import Float64s, Mask
from monitor.stats.movement_lengths import lowest_levels
from monitor.stats.movement_level import MovementEstimates, credible_movement, level_factors

BINS = 10
LENGTHS = (1, 2, 4, 12, 24)
"""Of blocks, in hours: windows of one, four and twenty-four, and their halves."""

REFERENCES = 1000
_CHANCES = np.concatenate([np.linspace(0.0, 0.99, 100)[:-1], 1.0 - np.geomspace(0.01, 1e-12, 100)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Rates in multiples of the nominal one, and the median level in mean PSIs of a window without movement.

    Attributes:
        each_by_itself: By the lowest level, were each length's memory taken from its own blocks alone.
        together: As it is used: no length's blocks are worth more than the longer ones show.
        level: Of *together*.
    """

    each_by_itself: float
    together: float
    level: float


def windows_of(
    lengths: Sequence[int], *, days: int, movement: float, memory: float, alpha: float
) -> tuple[Windows, ...]:
    """Return how often a far-off window of each of *lengths* passes its level, against references of so many *days*.

    Args:
        lengths: In hours, of `LENGTHS`.
        movement: κ between hours, in sampling variances of an hour, in one direction.
        memory: Of its Ornstein-Uhlenbeck process, in hours.
    """
    random = np.random.default_rng([days, round(1000 * movement), round(memory)])
    freedom, hours = BINS - 1, 24 * days
    contrasts = random.standard_normal((REFERENCES, hours, freedom))
    paths = wandering_paths(random, (REFERENCES, hours, 1), memory=memory, along=1)
    contrasts[:, :, :1] += np.sqrt(freedom * movement) * paths
    centres = contrasts[:, :, 0].mean(axis=1)
    estimates = [_of_blocks(contrasts, hours=length) for length in LENGTHS]
    answers = []
    for length in lengths:
        variance = freedom * movement * _variance_of_mean(length, memory)
        levels = _levels(estimates, length=length, alpha=alpha)
        rates = [
            float(np.mean(_passing(level, centres, sampling=1.0 / length, movement=variance))) / alpha
            for level in levels
        ]
        level = float(np.median(levels[1])) * length / freedom
        answers.append(Windows(each_by_itself=rates[0], together=rates[1], level=level))
    return tuple(answers)


def _of_blocks(contrasts: Float64s, *, hours: int) -> MovementEstimates:
    references, all_hours, freedom = contrasts.shape
    blocks = contrasts.reshape(references, all_hours // hours, hours, freedom).mean(axis=2)
    return estimates_of(blocks, sampling=1.0 / hours)


def _levels(estimates: list[MovementEstimates], *, length: int, alpha: float) -> tuple[Float64s, Float64s]:
    """Return the levels of windows of *length* hours, with each length by itself and as they are used."""
    own = LENGTHS.index(length)
    rows = MovementEstimates(
        kappa=np.stack([row.kappa for row in estimates]),
        nu=np.stack([row.nu for row in estimates]),
        blocks=np.stack([row.blocks for row in estimates]),
        autocorrelation=np.stack([row.autocorrelation for row in estimates]),
        sampling=np.stack([row.sampling for row in estimates]),
        freedom=np.stack([row.freedom for row in estimates]),
    )
    sampling = np.broadcast_to(estimates[own].sampling, rows.kappa.shape)
    measured: Mask = np.ones(rows.kappa.shape, dtype=np.bool_)
    alone = credible_movement(rows, alpha=alpha, sampling=sampling)
    by_itself = ((sampling + rows.kappa) * level_factors(alone.nu, alone.blocks, alpha=alpha))[: own + 1].min(axis=0)
    lowest = lowest_levels(rows, own=own, measured=measured, usable=measured, sampling=sampling, alpha=alpha)
    together = (sampling[own] + lowest.kappa) * lowest.factors
    return (BINS - 1) * by_itself, (BINS - 1) * together


def _variance_of_mean(hours: int, memory: float) -> float:
    """Return the variance of the mean of so many hours that have the variance 1."""
    apart = np.abs(np.subtract.outer(np.arange(hours), np.arange(hours)))
    correlations = np.exp(-apart / memory) if memory else (apart == 0).astype(np.float64)
    return float(correlations.mean())


def _passing(levels: Float64s, centres: Float64s, *, sampling: float, movement: float) -> Float64s:
    """Return for each reference the chance that a window's PSI is past its level.

    It is sampling in all directions and movement in one, in which the reference's own centre counts.
    """
    quiet = (_CHANCES[1:] + _CHANCES[:-1]) / 2.0
    left = levels[:, np.newaxis] - sampling * chi2.ppf(quiet, BINS - 2)
    deviation = np.sqrt(sampling + movement)
    root, centre = np.sqrt(np.maximum(left, 0.0)) / deviation, centres[:, np.newaxis] / deviation
    passes = np.where(left > 0.0, ndtr(centre - root) + ndtr(-centre - root), 1.0)
    chances: Float64s = passes @ np.diff(_CHANCES)
    return chances
