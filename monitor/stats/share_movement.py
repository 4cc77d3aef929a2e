"""How far a share moves between blocks of time, at most: its natural movement with the doubt of few blocks."""

import numpy as np
from scipy.special import chdtri

from monitor.arrays import Float64s, Int64s
from monitor.errors import BinMismatchError

CONFIDENCE = 0.9
"""Of the bound: one-sided, for what a movement that is taken for smaller than it is costs only some of the promise."""

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


def _effective_blocks(gaps: Float64s, squares: Float64s) -> float:
    blocks, mean, variance = len(gaps), float(squares.mean()), float(squares.var(ddof=1))
    rho = max(0.0, float(np.sum(gaps[1:] * gaps[:-1])) / float(squares.sum()))
    together = (blocks - 1) * (1.0 - rho) / (1.0 + rho)
    by_tail = 2.0 * blocks * mean * mean / variance if variance > 0.0 else together
    return max(1.0, min(together, by_tail))
