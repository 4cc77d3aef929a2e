"""Intervals of one share and of the difference of two, by score tests (Wilson, Newcombe)."""

import math
from dataclasses import dataclass

from scipy.special import ndtri

from monitor.errors import EmptySampleError


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A closed interval, ``low <= high``."""

    low: float
    high: float


def wilson_interval(successes: float, n: float, *, confidence: float = 0.95) -> Interval:
    r"""Return Wilson's score interval of a proportion, two-sided.

    .. math:: \frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Args:
        successes: Between 0 and *n*.
        n: Observations, or the independent observations they are worth.
        confidence: Coverage of the interval, strictly between 0 and 1.

    Returns:
        The `Interval` of the proportion, between 0.0 and 1.0.

    Raises:
        EmptySampleError: *n* is not positive.
        ValueError: *successes* or *confidence* is out of its range.

    References:
        Wilson (1927); recommended by Brown, Cai & DasGupta (2001).

    Examples:
        >>> from driftline import stats
        >>> none_missing = stats.wilson_interval(0, 20)
        >>> none_missing.low, round(none_missing.high, 4)
        (0.0, 0.1611)
    """
    return _score_interval(successes, n, _two_sided_z(confidence))


def newcombe_difference(
    successes_1: float, n_1: float, successes_2: float, n_2: float, *, confidence: float = 0.95
) -> Interval:
    r"""Return Newcombe's hybrid score interval of ``p_1 - p_2``, two-sided.

    With Wilson's intervals :math:`(l_i, u_i)` of the two proportions:

    .. math:: d - \sqrt{(p_1 - l_1)^2 + (u_2 - p_2)^2}, \quad d + \sqrt{(u_1 - p_1)^2 + (p_2 - l_2)^2}

    Args:
        successes_1: Between 0 and *n_1*.
        n_1: Observations of the first sample, or the independent observations they are worth.
        successes_2: Between 0 and *n_2*.
        n_2: Of the second sample.
        confidence: Coverage of the interval, strictly between 0 and 1.

    Returns:
        The `Interval` of the difference, between −1.0 and 1.0.

    Raises:
        EmptySampleError: Either sample is empty.
        ValueError: A count or *confidence* is out of its range.

    References:
        Newcombe (1998), *Statistics in Medicine* 17, 873–890, method 10.

    Examples:
        >>> from driftline import stats
        >>> difference = stats.newcombe_difference(56, 70, 48, 80)  # 0.8 and 0.6; the paper's first example
        >>> round(difference.low, 4), round(difference.high, 4)
        (0.0524, 0.3339)
    """
    return _difference_interval(successes_1, n_1, successes_2, n_2, _two_sided_z(confidence))


def _two_sided_z(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must lie in (0, 1), found {confidence}")
    return -float(ndtri((1.0 - confidence) / 2.0))


def _score_interval(successes: float, n: float, z: float) -> Interval:
    if n <= 0:
        raise EmptySampleError(f"a proportion of {n} observations")
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in [0, {n}], found {successes}")
    p = successes / n
    denominator = 1.0 + z * z / n
    centre = (p + z * z / (2.0 * n)) / denominator
    half_width = z * math.sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n)) / denominator
    # At the ends the formula is exact but its rounding is not: 0 of n must include 0.
    low = 0.0 if successes == 0 else max(centre - half_width, 0.0)
    high = 1.0 if successes == n else min(centre + half_width, 1.0)
    return Interval(low=low, high=high)


def _difference_interval(successes_1: float, n_1: float, successes_2: float, n_2: float, z: float) -> Interval:
    one, two = _score_interval(successes_1, n_1, z), _score_interval(successes_2, n_2, z)
    p_1, p_2 = successes_1 / n_1, successes_2 / n_2
    return Interval(
        low=p_1 - p_2 - math.hypot(p_1 - one.low, two.high - p_2),
        high=p_1 - p_2 + math.hypot(one.high - p_1, p_2 - two.low),
    )
