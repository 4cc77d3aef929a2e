"""Total variation distance of two binned samples."""

import numpy as np

from monitor.stats.columns import Counts, Reals, Starts
from monitor.stats.paired_shares import ONE_COLUMN, paired_shares, require_one_column


def total_variation_distance(reference: Counts, current: Counts) -> float:
    r"""Return the share of events that would have to change bins to make the two samples agree.

    .. math:: \mathrm{TV} = \tfrac12 \sum_i |p_i - q_i|

    with *p* and *q* the two histograms as proportions. A metric, symmetric.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.

    Returns:
        Between 0.0 (the proportions agree) and 1.0 (no bin is shared).

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.

    References:
        Levin & Peres (2017), *Markov Chains and Mixing Times*, proposition 4.2.

    Examples:
        >>> import numpy as np
        >>> from driftline import stats
        >>> round(stats.total_variation_distance(np.array([50, 30, 20]), np.array([20, 30, 50])), 4)  # 30 of 100 moved
        0.3
    """
    require_one_column(reference, current)
    return float(total_variation_distances(reference, current, starts=ONE_COLUMN)[0])


def total_variation_distances(reference: Counts, current: Counts, *, starts: Starts) -> Reals:
    """Return the distance of every column of a concatenation, for one window or many.

    Args:
        reference: Shape ``(..., bins of all columns)``.
        current: Shape ``(..., bins of all columns)``; leading axes (windows) broadcast against the reference's.
        starts: Shape ``(columns,)``. First bin of each column.

    Returns:
        Shape ``(..., columns)``; NaN (not measured) where either side of a column is empty.

    Raises:
        BinMismatchError: Last axes differ or do not fit *starts*.
    """
    shares = paired_shares(reference, current, starts=starts)
    # Shares that add up to 1 only to rounding could otherwise be a hair over 1 apart.
    return np.minimum(0.5 * shares.sums(np.abs(shares.current - shares.reference)), 1.0)
