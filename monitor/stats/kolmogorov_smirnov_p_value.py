"""Two-sample Kolmogorov–Smirnov p-value, as textbooks have it (``rule: textbook``)."""

import math

from scipy.special import kolmogorov

from monitor.errors import EmptySampleError


def two_sample_ks_p_value(distance: float, n: int, m: int) -> float:
    r"""Return the asymptotic probability of a distance at least this large when nothing has changed.

    .. math:: P(K > D \sqrt{nm / (n + m)}), \quad K \text{ Kolmogorov-distributed}

    Within 0.01 of the exact value from about 200 events a side on. The default rule does not use it: with
    6,000 events it calls a shift significant that nobody would act on.

    Args:
        distance: D, between 0 and 1.
        n: Current events.
        m: Reference events.

    Returns:
        A probability.

    Raises:
        EmptySampleError: Either sample is empty.

    References:
        Kolmogorov (1933), Smirnov (1939).

    Examples:
        >>> from driftline import stats
        >>> round(stats.two_sample_ks_p_value(0.1, n=500, m=1000), 6)
        0.002545
    """
    if n <= 0 or m <= 0:
        raise EmptySampleError(f"current holds {n} observations, reference {m}")
    return float(kolmogorov(distance * math.sqrt(n * m / (n + m))))
