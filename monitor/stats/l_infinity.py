"""L-infinity distance of two binned samples: the bin that changed most."""

import numpy as np

from monitor.stats.columns import Counts, Reals, Starts
from monitor.stats.paired_shares import ONE_COLUMN, paired_shares, require_one_column


def l_infinity_distance(reference: Counts, current: Counts) -> float:
    r"""Return the largest change of any bin's share.

    .. math:: L_\infty = \max_i |p_i - q_i|

    with *p* and *q* the two histograms as proportions. A metric, symmetric; blind to many small changes.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.

    Returns:
        Between 0.0 (the proportions agree) and 1.0 (all events moved from one bin to another).

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.

    References:
        Breck et al. (2019), *Data Validation for Machine Learning*, section 3.2.
    """
    require_one_column(reference, current)
    return float(l_infinity_distances(reference, current, starts=ONE_COLUMN)[0])


def l_infinity_distances(reference: Counts, current: Counts, *, starts: Starts) -> Reals:
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
    return shares.maxima(np.abs(shares.current - shares.reference))
