"""What an observed population stability index proves by its own variance, where a bin empties or spread changes.

The non-central chi-squared bound takes the variance of the observed index from the *reference's* shares. That is right
for a small shift. A bin that nearly empties varies far more than its share says: with the true index exactly at a tier
that bound is passed up to ten thousand times as often as it may be. So the proven index is the smaller of two bounds.
"""

import math

import numpy as np
from scipy.special import ndtri

from monitor.arrays import Float64s
from monitor.stats.columnar import ONE_COLUMN, Counts, Starts, paired_shares, paired_totals, require_one_column
from monitor.stats.psi import PSEUDOCOUNT, population_stability_index
from monitor.stats.psi_bounds import effective_size, proven_lower_bound

_WIDENING = 0.5
"""Of a standard deviation that counts estimate, in 1/√N: with it no exact sum over two bins passes its alpha."""

_STEPS = 40


def variance_lower_bounds(
    reference: Counts, current: Counts, *, starts: Starts, kappa: Float64s, alpha: float
) -> Float64s:
    r"""Return the index of every column that its own variance leaves proven.

    .. math:: \mathrm{PSI}_\mathrm{low} = \left( \sqrt c
              - z \Bigl( 1 + \frac{1}{2 \sqrt N} \Bigr) \frac{\sqrt V}{2 \sqrt c} \right)_+^2, \quad
              c = \mathrm{PSI} - \frac{B - 1}{N}, \quad z = \Phi^{-1}(1 - \alpha)

    with *V* the delta method's variance of the index at the observed shares. On the root of the index a shift of the
    mean has the same variance whatever its size, so that this bound then is that of `proven_lower_bound`.

    Args:
        reference, current: Shape ``(bins of all columns,)``.
        starts: Shape ``(columns,)``. First bin of each column.
        kappa: Shape ``(columns,)``. Natural movement of the current shares, as in `proven_lower_bound`.
        alpha: Error probability of one test.

    Returns:
        Shape ``(columns,)``, in nats. 0 where nothing is proven, NaN where either side of a column is empty.

    Raises:
        BinMismatchError: The arrays do not fit each other or *starts*.
        ValueError: *alpha* is not strictly between 0 and 0.5.

    References:
        Bishop, Fienberg & Holland (1975), the delta method for multinomial counts.
    """
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie in (0, 0.5), found {alpha}")
    shares = paired_shares(reference, current, starts=starts, pseudocount=PSEUDOCOUNT)
    bins, m, n = paired_totals(reference, current, starts=starts)
    p, q = shares.reference, shares.current
    log_ratio = np.log(q / p)
    of_current = 1.0 / np.where(shares.measured, n, 1.0) + kappa
    of_reference = 1.0 / np.where(shares.measured, m, 1.0)
    sampling = of_current + of_reference
    variance = of_current * _variances(q, log_ratio + 1.0 - p / q, starts)
    variance += of_reference * _variances(p, 1.0 - q / p - log_ratio, starts)
    excess = shares.sums((q - p) * log_ratio) - (bins - 1) * sampling
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(np.maximum(excess, 0.0))
        deviation = np.sqrt(variance) / (2.0 * root)
        low = root + float(ndtri(alpha)) * (1.0 + _WIDENING * np.sqrt(sampling)) * deviation
    bounds: Float64s = np.where(excess > 0.0, np.maximum(low, 0.0) ** 2, np.where(shares.measured, 0.0, np.nan))
    return bounds


def shift_threshold(tier: float, *, bins: int, n: float, m: float, kappa: float, alpha: float) -> float:
    r"""Return the index from which on `variance_lower_bounds` passes *tier* for small shifts of all bins.

    There :math:`V = 4 \mathrm{PSI} / N`, so that :math:`x = \sqrt c` solves
    :math:`x = \sqrt\tau + z (1 + 1 / (2 \sqrt N)) \sqrt{(1 + (B - 1) / (N x^2)) / N}`.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: *kappa* is negative.
    """
    size = effective_size(n, m, kappa)
    chance = (bins - 1) / size
    margin = -float(ndtri(alpha)) * (1.0 + _WIDENING / math.sqrt(size)) / math.sqrt(size)
    root = math.sqrt(tier) + margin
    for _ in range(_STEPS):
        # The right side falls with x: half a step towards it neither overshoots nor circles.
        root = (root + math.sqrt(tier) + margin * math.sqrt(1.0 + chance / root**2)) / 2.0
    return root**2 + chance


def _variances(shares: Float64s, values: Float64s, starts: Starts) -> Float64s:
    """Return the variance of *values* over the bins of each column, weighted by *shares*."""
    means = np.add.reduceat(shares * values, starts)
    variances: Float64s = np.add.reduceat(shares * values**2, starts) - means**2
    return np.maximum(variances, 0.0)


def proven_stability_index(
    reference: Counts, current: Counts, *, kappa: float = 0.0, nu: float | None = None, alpha: float
) -> float:
    r"""Return how much of the index of two histograms is proven, the smaller of two lower bounds.

    .. math:: \min\left( \mathrm{PSI}_\mathrm{low},
              \left( \sqrt c - z \Bigl( 1 + \frac{1}{2 \sqrt N} \Bigr) \frac{\sqrt V}{2 \sqrt c} \right)_+^2 \right),
              \quad c = \mathrm{PSI} - \frac{B - 1}{N}, \quad z = \Phi^{-1}(1 - \alpha)

    The first is `proven_lower_bound`, which needs the index alone and holds for small shifts of all bins. The second
    takes the index's variance *V* from the counts, and holds where one bin empties as well. The monitor judges by both.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.
        kappa: Natural movement, as in `proven_lower_bound`; 0 where events are independent.
        nu: Degrees of freedom of that movement; B − 1 (None) where it is unknown.
        alpha: Error probability, strictly between 0 and 0.5.

    Returns:
        In nats. 0.0 where not even a true index of 0 is excluded.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.
        ValueError: *kappa* or *alpha* is out of its range.

    References:
        As of `proven_lower_bound`; Bishop, Fienberg & Holland (1975) for the delta method.

    Examples:
        >>> import numpy as np
        >>> from driftline import stats
        >>> usual, emptied = np.array([1000, 19_000]), np.array([0, 1000])  # a bin of 5 %
        >>> round(stats.proven_stability_index(usual, emptied, alpha=0.001), 4)
        0.0562
        >>> round(stats.proven_lower_bound(0.2307, bins=2, n=1000, m=20_000, alpha=0.001), 4)  # by the index alone
        0.1445
    """
    require_one_column(reference, current)
    n, m = float(current.sum()), float(reference.sum())
    by_index = proven_lower_bound(
        population_stability_index(reference, current),
        bins=len(reference),
        n=n,
        m=m,
        kappa=kappa,
        nu=nu,
        alpha=alpha,
    )
    by_variance = variance_lower_bounds(reference, current, starts=ONE_COLUMN, kappa=np.array([kappa]), alpha=alpha)
    return min(by_index, float(by_variance[0]))
