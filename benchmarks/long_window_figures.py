"""How often natural movement passes its level in windows of a day, by the reference's hours and days; simulated."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from benchmarks.movement_figures import estimates_of
from benchmarks.wandering_columns import wandering_paths
from monitor.arrays import Float64s
from monitor.stats.movement_level import MovementEstimates, credible_movement, level_factors

BINS, HOURS = 10, 24
REFERENCES = 300
_CHANCES = np.concatenate([np.linspace(0.0, 0.99, 100)[:-1], 1.0 - np.geomspace(0.01, 1e-12, 100)])


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWindows:
    """Rates in multiples of the nominal one, and the median level in mean PSIs of a day without movement.

    Attributes:
        by_days, by_hours, lowest: By the blocks of a day, by those of an hour, by the lower of both levels.
    """

    by_days: float
    by_hours: float
    lowest: float
    level: float


def day_windows(*, days: int, movement: float, memory: float, alpha: float) -> DayWindows:
    """Return how often a far-off day passes its level, against references of so many *days*.

    Args:
        movement: κ between hours, in sampling variances of an hour, in one direction.
        memory: Of its Ornstein-Uhlenbeck process, in hours.
    """
    random = np.random.default_rng([days, round(1000 * movement), round(memory)])
    freedom = BINS - 1
    contrasts = random.standard_normal((REFERENCES, HOURS * days, freedom))
    paths = wandering_paths(random, (REFERENCES, HOURS * days, 1), memory=memory, along=1)
    contrasts[:, :, :1] += np.sqrt(freedom * movement) * paths
    sampling = 1.0 / HOURS
    of_hours = estimates_of(contrasts, sampling=1.0)
    of_days = estimates_of(contrasts.reshape(REFERENCES, days, HOURS, freedom).mean(axis=2), sampling=sampling)
    levels = [_levels(estimates, sampling=of_days.sampling, alpha=alpha) for estimates in (of_days, of_hours)]
    lowest = np.minimum(*levels)
    between_days = movement * _variance_of_day(memory)
    rates = [
        float(np.mean(_passing(level, sampling=sampling, movement=between_days))) / alpha for level in (*levels, lowest)
    ]
    return DayWindows(
        by_days=rates[0], by_hours=rates[1], lowest=rates[2], level=float(np.median(lowest)) / (freedom * sampling)
    )


def _levels(estimates: MovementEstimates, *, sampling: Float64s, alpha: float) -> Float64s:
    """Return the level as `monitor.detection.scale_movement` has it from blocks of one length."""
    credible = credible_movement(estimates, alpha=alpha, sampling=sampling)
    factors = level_factors(credible.nu, credible.blocks, alpha=alpha)
    levels: Float64s = estimates.freedom * (sampling + estimates.kappa) * factors
    return levels


def _variance_of_day(memory: float) -> float:
    """Return the variance of a day's mean of hours that have the variance 1."""
    apart = np.abs(np.subtract.outer(np.arange(HOURS), np.arange(HOURS)))
    correlations = np.exp(-apart / memory) if memory else (apart == 0).astype(np.float64)
    return float(correlations.mean())


def _passing(levels: Float64s, *, sampling: float, movement: float) -> Float64s:
    """Return the chance that a day's PSI, sampling in all directions and movement in one, is past each level."""
    freedom = BINS - 1
    quiet = (_CHANCES[1:] + _CHANCES[:-1]) / 2.0
    left = levels[:, np.newaxis] - sampling * chi2.ppf(quiet, freedom - 1)
    chances: Float64s = chi2.sf(left / (sampling + freedom * movement), 1) @ np.diff(_CHANCES)
    return chances
