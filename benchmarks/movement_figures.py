"""How often natural movement passes its level, by how few time blocks it was estimated from; simulated."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import chdtri, ndtr
from scipy.stats import chi2

from benchmarks.wandering_columns import wandering_paths
from monitor.arrays import Float64s
from monitor.stats.movement_level import MovementEstimates, credible_movement, level_factors

RUNS = 2000
BATCH = 500
_QUIET_STEPS = np.concatenate([np.linspace(0.0, 0.99, 150)[:-1], 1.0 - np.geomspace(0.01, 1e-12, 100)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Wander:
    """A column whose bins sway in one direction, or all independently.

    Attributes:
        bins: B.
        movement: Share of the mean block PSI that movement makes; the rest is sampling.
        memory: Of the Ornstein-Uhlenbeck process that it follows, in blocks.
        directions: In which it moves alike, up to B - 1.
    """

    bins: int = 10
    movement: float = 1.0
    memory: float = 0.0
    directions: int = 1


WANDERS = (
    ("mean wanders, no memory", Wander()),
    ("mean wanders, memory of 1 block", Wander(memory=1.0)),
    ("mean wanders, memory of 2 blocks", Wander(memory=2.0)),
    ("the same in 30 bins", Wander(memory=2.0, bins=30)),
    ("half movement, half chance", Wander(movement=0.5)),
    ("half and half, memory of 2 blocks", Wander(movement=0.5, memory=2.0)),
    ("a third movement, memory of 6 blocks", Wander(movement=0.3, memory=6.0)),
    ("half and half, memory of 6 blocks", Wander(movement=0.5, memory=6.0)),
    ("half and half, memory of 24 blocks", Wander(movement=0.5, memory=24.0)),
    ("every bin by itself", Wander(directions=9)),
    ("only chance", Wander(movement=0.0)),
)
DAYS, HOURS = (5, 7, 14, 28, 100), (28, 168, 672)
DAYS_OF_MEMORY = 2.0
"""Blocks of a day remember no longer than so many; what does is shown of hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """How many times its nominal rate a level is passed, and how many mean block PSIs it is in the median."""

    known: float
    estimated: float
    known_multiple: float
    multiple: float


@cache
def passing(wander: Wander, *, blocks: int, alpha: float) -> Passing:
    """Return the rates with which a far-off block passes the level of κ and ν taken as known, and as estimated.

    Blocks are normal in each of B − 1 directions. Given a reference the chance of passing is exact, so that rates far
    under one in a million take a few thousand references.
    """
    random = np.random.default_rng([blocks, round(10 * wander.memory), wander.bins, wander.directions])
    freedom, rates, multiples = wander.bins - 1, [], []
    # A direction's variance in a block: of sampling, and with movement. In units of the mean block PSI's.
    sampling = 1.0 - wander.movement
    moving = freedom * wander.movement / wander.directions
    for _ in range(RUNS // BATCH):
        contrasts = np.sqrt(sampling) * random.standard_normal((BATCH, blocks, freedom))
        contrasts[:, :, : wander.directions] += np.sqrt(moving) * wandering_paths(
            random, (BATCH, blocks, wander.directions), memory=wander.memory, along=1
        )
        centres = contrasts.mean(axis=1)
        estimates = estimates_of(contrasts, sampling=sampling)
        credible = credible_movement(estimates, alpha=alpha)
        factors = [
            chdtri(estimates.nu, alpha) / estimates.nu,
            level_factors(credible.nu, credible.blocks, alpha=alpha),
        ]
        means = freedom * (estimates.sampling + estimates.kappa)
        rates.append([_passing(wander, means * factor, centres, blocks=blocks) for factor in factors])
        multiples.append(factors)
    known, estimated = np.mean(np.concatenate(rates, axis=1), axis=1) / alpha
    known_multiple, multiple = np.median(np.concatenate(multiples, axis=1), axis=1)
    return Passing(
        known=float(known),
        estimated=float(estimated),
        known_multiple=float(known_multiple),
        multiple=float(multiple),
    )


def estimates_of(contrasts: Float64s, *, sampling: float) -> MovementEstimates:
    """Return what references show whose blocks have these *contrasts*, shape ``(references, blocks, B - 1)``.

    *sampling*: what of a contrast's variance is chance.
    """
    references, blocks, freedom = contrasts.shape
    away = (contrasts - contrasts.mean(axis=1, keepdims=True)) * (blocks / (blocks - 1))
    psi = np.sum(away * away, axis=2)
    mean = psi.mean(axis=1)
    by_chance = sampling * (1.0 + 1.0 / (blocks - 1))
    return MovementEstimates(
        kappa=np.maximum(mean / freedom - by_chance, 0.0),
        nu=np.minimum(2.0 * mean * mean / psi.var(axis=1, ddof=1), freedom),
        blocks=np.full(references, float(blocks)),
        autocorrelation=np.sum(away[:, 1:] * away[:, :-1], axis=(1, 2)) / psi.sum(axis=1),
        sampling=np.full(references, max(by_chance, 1e-12)),
        freedom=np.full(references, float(freedom)),
    )


def passing_when_known(wander: Wander, *, alpha: float) -> float:
    """Return how many times its nominal rate the level of sampling and a known movement is passed; exact."""
    freedom, directions, share = float(wander.bins - 1), float(wander.directions), wander.movement
    credible = credible_movement(
        MovementEstimates(
            kappa=np.array([share]),
            nu=1.0 / np.array([(1.0 - share**2) / freedom + share**2 / directions]),
            blocks=np.array([1e12]),
            autocorrelation=np.zeros(1),
            sampling=np.array([1.0 - share]),
            freedom=np.array([freedom]),
        ),
        alpha=alpha,
    )
    level = freedom * level_factors(credible.nu, credible.blocks, alpha=alpha)
    quiet = (_QUIET_STEPS[1:] + _QUIET_STEPS[:-1]) / 2.0
    left = level - (1.0 - share) * chi2.ppf(quiet, freedom - directions)
    chances = chi2.sf(left / (1.0 - share + freedom * share / directions), directions)
    return float(chances @ np.diff(_QUIET_STEPS)) / alpha


def _passing(wander: Wander, levels: Float64s, centres: Float64s, *, blocks: int) -> Float64s:
    """Return for each reference how likely a block that remembers none of its passes the level.

    Of one moving direction the reference's own centre counts; the other directions are summed over the quantiles of
    their chi-squared. Of many directions the sum is chi-squared itself, their centres in its variance.
    """
    freedom = wander.bins - 1
    sampling = (1.0 - wander.movement) * (1.0 + 1.0 / blocks)
    largest = 1.0 - wander.movement + freedom * wander.movement / wander.directions
    if wander.directions == freedom:
        return np.asarray(chi2.sf(levels / (largest * (1.0 + 1.0 / blocks)), freedom))
    quiet = (_QUIET_STEPS[1:] + _QUIET_STEPS[:-1]) / 2.0
    rest = sampling * chi2.ppf(quiet, freedom - wander.directions)
    left = levels[:, np.newaxis] - rest
    root, centre = np.sqrt(np.maximum(left, 0.0) / largest), centres[:, :1] / np.sqrt(largest)
    passes = np.where(left > 0.0, ndtr(centre - root) + ndtr(-centre - root), 1.0)
    chances: Float64s = passes @ np.diff(_QUIET_STEPS)
    return chances
