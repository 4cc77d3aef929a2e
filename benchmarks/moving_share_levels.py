"""How often the share test fires where the share itself moves: exact sums for windows, simulated references."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from scipy.stats import betabinom, binom

from benchmarks.figure_table import table
from monitor.arrays import Float64s, Int64s, Mask
from monitor.stats.movement_level import independent_blocks
from monitor.stats.natural_movement import natural_share_movement
from monitor.stats.share_movement import highest_share_variances
from monitor.stats.share_shift import MINIMUM, RELATIVE, share_excess_lows, share_tolerance

REFERENCES = 50
KNOWN_BLOCKS = 1000
"""Of a reference whose movement is taken for known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovingShare:
    """A share that is beta distributed between windows, and so between the blocks of the reference.

    Attributes:
        mean: p0, of the reference.
        kappa: Its variance in units of p(1 - p).
        n: Events of a window, and of each block.
    """

    mean: float
    kappa: float
    n: int

    def chances(self, counts: Int64s, share: float, *, fall: bool) -> Float64s:
        """Return how likely at least (at most) so many of *n* events have the property, of mean *share*."""
        every = np.arange(self.n + 1)
        if self.kappa == 0.0:
            probabilities = binom.pmf(every, self.n, share)
        else:
            worth = 1.0 / self.kappa - 1.0
            probabilities = betabinom.pmf(every, self.n, share * worth, (1.0 - share) * worth)
        sums = np.cumsum(probabilities if fall else probabilities[::-1])
        return np.asarray(sums[counts if fall else self.n - counts])


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a share that is as far off as it may be is proven to be further, and one that only moves."""

    at_the_edge: float
    unchanged: float


@cache
def rates(moving: MovingShare, *, blocks: int | None, alpha: float) -> Rates:
    """Return the rates in multiples of *alpha*, each the larger of a rise and a fall.

    Args:
        blocks: Of the reference, from which κ is estimated; None: it is known.
    """
    counts = _references(moving, blocks=blocks or KNOWN_BLOCKS)
    known, m = counts.sum(axis=1), counts.shape[1] * moving.n
    if blocks is None:
        variances = np.full(len(counts), moving.kappa)
    else:
        variances = np.array([_estimated(block_counts, moving.n, alpha=alpha) for block_counts in counts])
    tolerance = share_tolerance(moving.mean)
    edge, unchanged = 0.0, 0.0
    for direction in (1, -1):
        limits = _first_proven(moving, known, m, variances, direction=direction, alpha=alpha)
        possible = (limits <= moving.n) & (limits >= 0)
        at_edge = moving.mean + direction * tolerance
        for share in (moving.mean, at_edge):
            if not 0.0 < share < 1.0 or not possible.any():
                continue
            chances = moving.chances(limits[possible], share, fall=direction < 0)
            rate = float(chances.sum()) / len(counts) / alpha
            edge, unchanged = (max(edge, rate), unchanged) if share == at_edge else (edge, max(unchanged, rate))
    return Rates(at_the_edge=edge, unchanged=unchanged)


def _references(moving: MovingShare, *, blocks: int) -> Int64s:
    """Return shape ``(REFERENCES, blocks)``: the counts of the blocks."""
    random = np.random.default_rng([blocks, moving.n, round(1e6 * moving.mean), round(1e6 * moving.kappa)])
    shape = (REFERENCES, blocks)
    if moving.kappa == 0.0:
        return random.binomial(moving.n, moving.mean, shape).astype(np.int64)
    worth = 1.0 / moving.kappa - 1.0
    shares = random.beta(moving.mean * worth, (1.0 - moving.mean) * worth, shape)
    return random.binomial(moving.n, shares).astype(np.int64)


def _estimated(counts: Int64s, n: int, *, alpha: float) -> float:
    movement = natural_share_movement(counts, np.full(len(counts), n))
    assert movement is not None
    if not 0 < counts.sum() < n * len(counts):
        return 0.0
    kappa, sampling, effective = (
        np.array([value]) for value in (movement.kappa, movement.sampling, independent_blocks(movement))
    )
    return float(
        highest_share_variances(kappa, sampling, effective, shorter=np.zeros(1, dtype=np.bool_), alpha=alpha)[0]
    )


def _first_proven(
    moving: MovingShare, known: Int64s, m: int, variances: Float64s, *, direction: int, alpha: float
) -> Int64s:
    """Return the count nearest to the reference's share that is proof; one that cannot be, where none is."""
    usual = moving.n * known // m
    none, enough = np.zeros_like(usual), (moving.n - usual if direction > 0 else usual) + 1
    while (enough - none > 1).any():
        middle = (none + enough) // 2
        proven = _proven(moving, known, m, usual + direction * middle, variances, alpha=alpha)
        none, enough = np.where(proven, none, middle), np.where(proven, middle, enough)
    return np.asarray(usual + direction * enough)


def _proven(moving: MovingShare, known: Int64s, m: int, counts: Int64s, variances: Float64s, *, alpha: float) -> Mask:
    inside = np.clip(counts, 0, moving.n)
    excess = share_excess_lows(
        known, m, inside, moving.n, minimum=MINIMUM, relative=RELATIVE, alpha=alpha, block_variance=variances
    )
    proven: Mask = (excess > np.maximum(MINIMUM, RELATIVE * known / m)) & (counts == inside)
    return proven


MEANS, KAPPAS, N = (0.001, 0.01, 0.05), (1e-4, 1e-3, 5e-3), (200, 2000, 20_000)
BLOCKS = (7, 28, 168)
ALPHA = 1e-5


@cache
def moving_share_levels() -> str:
    """How often a share that moves by itself is proven to be past its tolerance."""
    rows = []
    for mean, kappa, n in product(MEANS, KAPPAS, N):
        moving = MovingShare(mean=mean, kappa=kappa, n=n)
        known, *estimated = (rates(moving, blocks=blocks, alpha=ALPHA) for blocks in (None, *BLOCKS))
        rows.append(
            (
                f"{100 * mean:g} %",
                f"{kappa:g}",
                f"{n:,}",
                _text(known.at_the_edge),
                *(_text(result.at_the_edge) for result in estimated),
                *(_text(result.unchanged) for result in estimated),
            )
        )
    return table(
        (
            "Share",
            "κ",
            "events",
            "at the edge, κ known",
            *(f"from {blocks} blocks" for blocks in BLOCKS),
            *(f"unchanged, from {blocks} blocks" for blocks in BLOCKS),
        ),
        rows,
        note="Multiples of alpha (0.00001 for one test), the larger of a rise and a fall; of windows as long as the "
        f"blocks.\nExact for the window, {REFERENCES} references.",
    )


def _text(rate: float) -> str:
    if rate < 0.1:
        return "under 0.1"
    return f"{float(f'{rate:.2g}'):,.4g}" if rate < 100 else f"{int(float(f'{rate:.2g}')):,}"
