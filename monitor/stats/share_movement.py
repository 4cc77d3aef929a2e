"""How far a share moves between blocks of time, at most: its natural movement with the doubt of few blocks."""

import numpy as np
from scipy.special import chdtri

from monitor.arrays import Float64s, Int64s, Mask
from monitor.errors import BinMismatchError
from monitor.stats.movement_level import level_factors

CONFIDENCE = 0.9
"""Of the bound: one-sided, for what a movement that is taken for smaller than it is costs only some of the promise."""

HIDDEN = 0.99
"""Confidence that shorter blocks do not hide more of a longer window's movement than they are raised by."""

MINIMUM_EVENTS, MINIMUM_BLOCKS = 50, 5


def share_movement_bound(
    counts: Int64s, totals: Int64s, *, minimum_events: int = MINIMUM_EVENTS, minimum_blocks: int = MINIMUM_BLOCKS
) -> float | None:
    r"""Return what the variance of a share between blocks is at most, beyond that of sampling.

    With :math:`d_b = (p_b - p_{-b}) / \sqrt{p (1 - p)}` the difference of each block from all others,

    .. math:: \kappa = \max\left(0, \bar{d^2} \frac{k'}{\chi^2_{0.1}(k')} - \operatorname{mean}_b
              \left[ \frac{1}{n_b} + \frac{1}{m - n_b} \right] \right), \qquad
              k' = \min\left( (k - 1) \frac{1 - \rho}{1 + \rho}, \frac{2 k \bar{d^2}^2}{\operatorname{var} d^2} \right)

    ρ is the lag-1 autocorrelation of *d*, 0 at least, so that blocks that move together count as fewer; the second
    bound of k' is for squares with a heavier tail than chi-squared has, as those of rare errors.

    Args:
        counts: Shape ``(blocks,)``, in the order of time. Events with the property.
        totals: Shape ``(blocks,)``. All events of the block.
        minimum_events: A block with fewer is not judged.
        minimum_blocks: With fewer usable blocks the answer is None: not measured.

    Returns:
        A variance in units of p(1 − p); None also for a share of exactly 0 or 1, which shows nothing of movement.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.

    References:
        Satterthwaite (1946) for k'; Bartlett (1946) for autocorrelated blocks.
    """
    if counts.ndim != 1 or counts.shape != totals.shape:
        raise BinMismatchError(f"expected two equal shapes (blocks,), found {counts.shape} and {totals.shape}")
    successes, events = int(counts.sum()), int(totals.sum())
    usable = (totals >= max(minimum_events, 1)) & (totals < events)
    if usable.sum() < max(minimum_blocks, 2) or successes in (0, events):
        return None
    share = successes / events
    k, n = counts[usable], totals[usable]
    gaps = (k / n - (successes - k) / (events - n)) / np.sqrt(share * (1.0 - share))
    squares = gaps * gaps
    mean = float(squares.mean())
    if mean == 0.0:
        return 0.0
    effective = _effective_blocks(gaps, squares)
    highest = mean * effective / float(chdtri(effective, CONFIDENCE))
    return max(0.0, highest - float(np.mean(1.0 / n + 1.0 / (events - n))))


def highest_share_variances(
    variances: Float64s, sampling: Float64s, blocks: Float64s, *, shorter: Mask, alpha: float
) -> Float64s:
    r"""Return what the variance of a share may be that a test with the error probability *alpha* allows for.

    A share's blocks show movement and chance as one variance, known like that of :math:`k'` independent ones; what few
    of them hide by chance is as much a part of it as what they show:

    .. math:: \kappa' = (s + \kappa) c - s, \qquad c = \frac{F^{-1}(1 - \alpha; 1, k')}{\chi^{2\,-1}(1 - \alpha; 1)}

    With a window like the blocks the rate is then *alpha* whatever they show. Blocks of a shorter length bound a longer
    window's movement too, but its own chance is smaller and covers less of their error. Of these *c* is at least
    :math:`k' / \chi^2_{0.01}(k')`, so that κ′ is too small once in a hundred references.

    Args:
        variances: κ, as from `natural_share_movement`; of a share that has events, for one without any cannot move.
        sampling: *s*, of the blocks.
        blocks: k', as from `independent_blocks`.
        shorter: Where the blocks are shorter than the window that will be judged.

    References:
        Satterthwaite (1946).
    """
    factors = level_factors(1.0, blocks, alpha=alpha) / chdtri(1.0, alpha)
    factors = np.where(shorter, np.maximum(factors, blocks / chdtri(blocks, HIDDEN)), factors)
    highest: Float64s = (sampling + variances) * factors - sampling
    return highest


def _effective_blocks(gaps: Float64s, squares: Float64s) -> float:
    blocks, mean, variance = len(gaps), float(squares.mean()), float(squares.var(ddof=1))
    rho = max(0.0, float(np.sum(gaps[1:] * gaps[:-1])) / float(squares.sum()))
    together = (blocks - 1) * (1.0 - rho) / (1.0 + rho)
    by_tail = 2.0 * blocks * mean * mean / variance if variance > 0.0 else together
    return max(1.0, min(together, by_tail))
