"""Jensen–Shannon divergence and distance of two binned samples."""

import numpy as np
from scipy.special import xlog1py

from monitor.stats.columns import Counts, Reals, Starts
from monitor.stats.paired_shares import ONE_COLUMN, paired_shares, require_one_column


def jensen_shannon_divergence(reference: Counts, current: Counts) -> float:
    r"""Return how much an event tells about which of the two samples it came from, in nats.

    .. math:: \mathrm{JS} = \tfrac12 \sum_i \left( p_i \ln \frac{p_i}{m_i} + q_i \ln \frac{q_i}{m_i} \right),
              \qquad m_i = \tfrac12 (p_i + q_i)

    with *p* and *q* the two histograms as proportions. Symmetric; finite without pseudocounts, because *m* is
    empty only where both are. About PSI/8 for small changes.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.

    Returns:
        Between 0.0 (the proportions agree) and ln 2 (no bin is shared). In bits: divided by ln 2.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.

    References:
        Lin (1991).
    """
    require_one_column(reference, current)
    return float(jensen_shannon_divergences(reference, current, starts=ONE_COLUMN)[0])


def jensen_shannon_distance(reference: Counts, current: Counts) -> float:
    r"""Return the Jensen–Shannon distance :math:`\sqrt{\mathrm{JS}}`, a metric, between 0 and √(ln 2) = 0.833.

    .. math:: \mathrm{JS} = \tfrac12 \sum_i \left( p_i \ln \frac{p_i}{m_i} + q_i \ln \frac{q_i}{m_i} \right),
              \qquad m_i = \tfrac12 (p_i + q_i)

    About √(PSI/8) for small changes. What NannyML shows is this divided by √(ln 2), which is taken in bits.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.

    Returns:
        Square root of nats: 0.0 when the proportions agree, √(ln 2) when no bin is shared.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.

    References:
        Endres & Schindelin (2003).

    Examples:
        >>> import numpy as np
        >>> from driftline import stats
        >>> round(stats.jensen_shannon_distance(np.array([50, 30, 20]), np.array([20, 30, 50])), 4)
        0.2577
        >>> round(stats.jensen_shannon_distance(np.array([1, 0]), np.array([0, 1])), 4)  # √(ln 2)
        0.8326
    """
    return float(np.sqrt(jensen_shannon_divergence(reference, current)))


def jensen_shannon_divergences(reference: Counts, current: Counts, *, starts: Starts) -> Reals:
    """Return the divergence of every column of a concatenation, for one window or many.

    Args:
        reference: Shape ``(..., bins of all columns)``.
        current: Shape ``(..., bins of all columns)``; leading axes (windows) broadcast against the reference's.
        starts: Shape ``(columns,)``. First bin of each column.

    Returns:
        Shape ``(..., columns)``, in nats; NaN (not measured) where either side of a column is empty.

    Raises:
        BinMismatchError: Last axes differ or do not fit *starts*.
    """
    shares = paired_shares(reference, current, starts=starts)
    both = shares.reference + shares.current
    # With t = (q − p) / (p + q) the sum is Σ (p + q)/4 · [(1 + t) ln(1 + t) + (1 − t) ln(1 − t)]: of nearly equal
    # shares it loses digits of t only, and the distance is not the root of a rounding error.
    t = (shares.current - shares.reference) / np.where(both > 0.0, both, 1.0)
    return shares.sums(0.25 * both * (xlog1py(1.0 + t, t) + xlog1py(1.0 - t, -t)))


def jensen_shannon_distances(reference: Counts, current: Counts, *, starts: Starts) -> Reals:
    """Return the distance of every column; arguments, shapes and errors as of `jensen_shannon_divergences`."""
    return np.asarray(np.sqrt(jensen_shannon_divergences(reference, current, starts=starts)), dtype=np.float64)
