"""Kullback–Leibler divergence of two binned samples, from the reference to the window."""

import numpy as np

from monitor.stats.columns import Counts, Reals, Starts
from monitor.stats.paired_shares import ONE_COLUMN, paired_shares, require_one_column, require_pseudocount


def kullback_leibler_divergence(reference: Counts, current: Counts, *, pseudocount: float = 0.5) -> float:
    r"""Return how surprised one is by reference events who expects the window's shares.

    .. math:: \mathrm{KL} = \sum_i p_i \ln (p_i / q_i)

    with *p* the reference and *q* the window as proportions, as Evidently has it. Not symmetric: swap the arguments
    for the other direction; the two add up to the PSI. About PSI/2 for small changes.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.
        pseudocount: Observations added to every bin of both sides, as for the PSI; must be positive,
            a bin that is empty in the window makes the unsmoothed divergence infinite.

    Returns:
        In nats: 0.0 when the proportions agree, unbounded above.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.
        ValueError: *pseudocount* is not positive.

    References:
        Kullback & Leibler (1951), I(1 : 2).
    """
    require_one_column(reference, current)
    return float(kullback_leibler_divergences(reference, current, pseudocount=pseudocount, starts=ONE_COLUMN)[0])


def kullback_leibler_divergences(
    reference: Counts, current: Counts, *, pseudocount: float = 0.5, starts: Starts
) -> Reals:
    """Return the divergence of every column of a concatenation, for one window or many.

    Args:
        reference: Shape ``(..., bins of all columns)``.
        current: Shape ``(..., bins of all columns)``; leading axes (windows) broadcast against the reference's.
        pseudocount: As in `kullback_leibler_divergence`.
        starts: Shape ``(columns,)``. First bin of each column.

    Returns:
        Shape ``(..., columns)``, in nats; NaN (not measured) where either side of a column is empty.

    Raises:
        BinMismatchError: Last axes differ or do not fit *starts*.
        ValueError: *pseudocount* is not positive.
    """
    require_pseudocount(pseudocount)
    shares = paired_shares(reference, current, starts=starts, pseudocount=pseudocount)
    p, q = shares.reference, shares.current
    # Each term p ln(p/q) − p + q is at least 0; the plain terms, of either sign, can add up to just under it.
    return np.maximum(shares.sums(p * np.log(p / q) - p + q), 0.0)
