"""Population stability index of two binned samples, one column at a time or all at once."""

import numpy as np

from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.columns import Counts, Reals, Starts, column_lengths

PSEUDOCOUNT = 0.5


def population_stability_index(reference: Counts, current: Counts, *, pseudocount: float = PSEUDOCOUNT) -> float:
    r"""Return how far *current* has moved from *reference*, bin by bin.

    .. math:: \mathrm{PSI} = \sum_i (q_i - p_i) \ln (q_i / p_i)

    with *p* and *q* the two histograms as proportions. Symmetric in its arguments.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.
        pseudocount: Observations added to every bin of both sides; must be positive,
            one empty bin makes the unsmoothed index infinite.

    Returns:
        The index in nats: 0.0 when the proportions agree, unbounded above.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.
        ValueError: *pseudocount* is not positive.

    References:
        Kullback & Leibler (1951), the symmetric divergence J(1, 2); as PSI in Siddiqi (2006).
    """
    if reference.ndim != 1 or reference.shape != current.shape:
        raise BinMismatchError(f"expected two equal shapes (bins,), found {reference.shape} and {current.shape}")
    _require_positive(pseudocount)
    if reference.sum() <= 0 or current.sum() <= 0:
        raise EmptySampleError(f"reference holds {reference.sum()} observations, current {current.sum()}")
    p = (reference + pseudocount) / (reference + pseudocount).sum()
    q = (current + pseudocount) / (current + pseudocount).sum()
    return float(np.sum((q - p) * np.log(q / p)))


def population_stability_indexes(
    reference: Counts, current: Counts, *, pseudocount: float = PSEUDOCOUNT, starts: Starts
) -> Reals:
    """Return the index of every column of a concatenation, for one window or many.

    Args:
        reference: Shape ``(..., bins of all columns)``.
        current: Shape ``(..., bins of all columns)``; leading axes (windows) broadcast against the reference's.
        pseudocount: As in `population_stability_index`.
        starts: Shape ``(columns,)``. First bin of each column.

    Returns:
        Shape ``(..., columns)``, in nats; NaN (not measured) where either side of a column is empty.

    Raises:
        BinMismatchError: Last axes differ or do not fit *starts*.
        ValueError: *pseudocount* is not positive.
    """
    bins = reference.shape[-1] if reference.ndim else 0
    if reference.ndim == 0 or current.ndim == 0 or bins != current.shape[-1]:
        raise BinMismatchError(f"expected equal last axes, found {reference.shape} and {current.shape}")
    _require_positive(pseudocount)
    lengths = column_lengths(starts, bins)
    m = np.add.reduceat(reference, starts, axis=-1)
    n = np.add.reduceat(current, starts, axis=-1)
    added = pseudocount * lengths
    p = (reference + pseudocount) / np.repeat(m + added, lengths, axis=-1)
    q = (current + pseudocount) / np.repeat(n + added, lengths, axis=-1)
    index: Reals = np.add.reduceat((q - p) * np.log(q / p), starts, axis=-1)
    return np.where((m > 0) & (n > 0), index, np.nan)


def _require_positive(pseudocount: float) -> None:
    if not pseudocount > 0:
        raise ValueError(f"pseudocount must be positive, found {pseudocount}")
