"""Population stability index of two binned samples, one column at a time or all at once."""

import numpy as np

from monitor.arrays import Float64s
from monitor.stats.columnar import Counts, Starts, paired_shares, require_one_column, require_pseudocount

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

    Examples:
        >>> import numpy as np
        >>> from driftline import stats
        >>> coin, bent = np.array([500, 500]), np.array([750, 250])
        >>> round(stats.population_stability_index(coin, bent), 4)  # ¼ ln 1.5 + ¼ ln 2, less what ½ event a bin hides
        0.274
    """
    require_one_column(reference, current)
    require_pseudocount(pseudocount)
    p = (reference + pseudocount) / (reference + pseudocount).sum()
    q = (current + pseudocount) / (current + pseudocount).sum()
    return float(np.sum((q - p) * np.log(q / p)))


def population_stability_indexes(
    reference: Counts, current: Counts, *, pseudocount: float = PSEUDOCOUNT, starts: Starts
) -> Float64s:
    """Return the index of every column in nats; arguments, shapes and errors as of `paired_shares`.

    Raises:
        ValueError: *pseudocount* is not positive.
    """
    require_pseudocount(pseudocount)
    shares = paired_shares(reference, current, starts=starts, pseudocount=pseudocount)
    p, q = shares.reference, shares.current
    return shares.sums((q - p) * np.log(q / p))
