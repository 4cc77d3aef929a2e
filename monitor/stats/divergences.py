"""Divergences of binned samples: Jensen–Shannon, Kullback–Leibler, Hellinger, total variation, L-infinity."""

import numpy as np
from scipy.special import xlog1py

from monitor.arrays import Float64s
from monitor.stats.columnar import ONE_COLUMN, Counts, Starts, paired_shares, require_one_column, require_pseudocount
from monitor.stats.psi import PSEUDOCOUNT


def jensen_shannon_divergence(reference: Counts, current: Counts) -> float:
    r"""Return how much an event says about which of the two samples it came from, in nats.

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


def jensen_shannon_divergences(reference: Counts, current: Counts, *, starts: Starts) -> Float64s:
    """Return the divergence of every column; arguments, shapes and errors as of `paired_shares`."""
    shares = paired_shares(reference, current, starts=starts)
    both = shares.reference + shares.current
    # With t = (q − p) / (p + q) the sum is Σ (p + q)/4 · [(1 + t) ln(1 + t) + (1 − t) ln(1 − t)]: of nearly equal
    # shares it loses digits of t only, and the distance is not the root of a rounding error.
    t = (shares.current - shares.reference) / np.where(both > 0.0, both, 1.0)
    return shares.sums(0.25 * both * (xlog1py(1.0 + t, t) + xlog1py(1.0 - t, -t)))


def jensen_shannon_distances(reference: Counts, current: Counts, *, starts: Starts) -> Float64s:
    """Return the distance of every column; arguments and shapes as of `paired_shares`."""
    return np.asarray(np.sqrt(jensen_shannon_divergences(reference, current, starts=starts)), dtype=np.float64)


def kullback_leibler_divergences(
    reference: Counts, current: Counts, *, pseudocount: float = PSEUDOCOUNT, starts: Starts
) -> Float64s:
    r"""Return for every column how surprised one is by reference events who expects the window's shares, in nats.

    .. math:: \mathrm{KL} = \sum_i p_i \ln (p_i / q_i)

    with *p* the reference and *q* the window as proportions, as Evidently has it. Not symmetric: swap the arguments
    for the other direction; the two add up to the PSI. About PSI/2 for small changes. Arguments, shapes and errors as
    of `population_stability_indexes`.

    References:
        Kullback & Leibler (1951), I(1 : 2).
    """
    require_pseudocount(pseudocount)
    shares = paired_shares(reference, current, starts=starts, pseudocount=pseudocount)
    p, q = shares.reference, shares.current
    # Each term p ln(p/q) − p + q is at least 0; the plain terms, of either sign, can add up to just under it.
    return np.maximum(shares.sums(p * np.log(p / q) - p + q), 0.0)


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


def hellinger_distances(reference: Counts, current: Counts, *, starts: Starts) -> Float64s:
    """Return the distance of every column; arguments, shapes and errors as of `paired_shares`."""
    shares = paired_shares(reference, current, starts=starts)
    squares = np.square(np.sqrt(shares.reference) - np.sqrt(shares.current))
    # Shares that add up to 1 only to rounding could otherwise be a hair over 1 apart.
    return np.asarray(np.sqrt(np.minimum(0.5 * shares.sums(squares), 1.0)), dtype=np.float64)


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


def total_variation_distances(reference: Counts, current: Counts, *, starts: Starts) -> Float64s:
    """Return the distance of every column; arguments, shapes and errors as of `paired_shares`."""
    shares = paired_shares(reference, current, starts=starts)
    # Shares that add up to 1 only to rounding could otherwise be a hair over 1 apart.
    return np.minimum(0.5 * shares.sums(np.abs(shares.current - shares.reference)), 1.0)


def l_infinity_distances(reference: Counts, current: Counts, *, starts: Starts) -> Float64s:
    r"""Return the largest change of any bin's share, of every column.

    .. math:: L_\infty = \max_i |p_i - q_i|

    with *p* and *q* the two histograms as proportions. A metric, symmetric; between 0 and 1, blind to many small
    changes. Arguments, shapes and errors as of `paired_shares`.

    References:
        Breck et al. (2019), *Data Validation for Machine Learning*, section 3.2.
    """
    shares = paired_shares(reference, current, starts=starts)
    return shares.maxima(np.abs(shares.current - shares.reference))
