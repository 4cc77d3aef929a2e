"""Hellinger distance of two binned samples."""

import numpy as np

from monitor.stats.columns import Counts, Reals, Starts
from monitor.stats.paired_shares import ONE_COLUMN, paired_shares, require_one_column


def hellinger_distance(reference: Counts, current: Counts) -> float:
    r"""Return the distance of the square roots of the shares.

    .. math:: H = \sqrt{\tfrac12 \sum_i (\sqrt{p_i} - \sqrt{q_i})^2}

    with *p* and *q* the two histograms as proportions. A metric, symmetric; about √(PSI/8) for small changes.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.

    Returns:
        Between 0.0 (the proportions agree) and 1.0 (no bin is shared).

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.

    References:
        Hellinger (1909); Le Cam & Yang (2000), section 3.1.

    Examples:
        >>> import numpy as np
        >>> from driftline import stats
        >>> round(stats.hellinger_distance(np.array([50, 30, 20]), np.array([20, 30, 50])), 4)
        0.2599
        >>> stats.hellinger_distance(np.array([1, 0]), np.array([0, 1]))
        1.0
    """
    require_one_column(reference, current)
    return float(hellinger_distances(reference, current, starts=ONE_COLUMN)[0])


def hellinger_distances(reference: Counts, current: Counts, *, starts: Starts) -> Reals:
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
    squares = np.square(np.sqrt(shares.reference) - np.sqrt(shares.current))
    # Shares that add up to 1 only to rounding could otherwise be a hair over 1 apart.
    return np.asarray(np.sqrt(np.minimum(0.5 * shares.sums(squares), 1.0)), dtype=np.float64)
