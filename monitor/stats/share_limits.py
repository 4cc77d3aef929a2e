"""One-sided limits of a share: exact binomial ones of a count, and beta ones of a share that naturally moves."""

import numpy as np
import numpy.typing as npt
from scipy.special import betaincc, betaincinv

from monitor.arrays import Float64s, Mask

_STEPS = 40
_LEAST = -100.0  # of the logarithm of a share
_LEAST_EVENTS = 1e-9
_LARGEST = 1e12


def exact_limits(successes: Float64s, n: Float64s, *, upper: Mask, alpha: npt.ArrayLike) -> Float64s:
    """Return the one-sided Clopper-Pearson limit of each share; the share itself where *n* is infinite."""
    shares, failures = successes / n, n - successes
    # An upper limit is 1 minus the lower one of the failures, which is 0 when there are none.
    a, b = np.where(upper, failures, successes), np.where(upper, successes, failures) + 1.0
    certain = (a <= 0.0) | np.isinf(n)
    low = betaincinv(np.where(certain, 1.0, a), np.where(certain, 1.0, b), alpha)
    low = np.where(a <= 0.0, 0.0, low)
    limits: Float64s = np.where(np.isinf(n), shares, np.where(upper, 1.0 - low, low))
    return limits


def beta_events(variance: npt.ArrayLike) -> Float64s:
    r"""Return how many events a beta distribution with the variance κ μ(1 − μ) is worth: :math:`1 / \kappa - 1`.

    Args:
        variance: κ, positive; from 1 on, the most that a share can have, hardly any are left.
    """
    events: Float64s = np.maximum(1.0 / np.asarray(variance, dtype=np.float64) - 1.0, _LEAST_EVENTS)
    return events


def movement_limits(shares: Float64s, variance: Float64s, *, upper: Mask, alpha: npt.ArrayLike) -> Float64s:
    r"""Return the mean about which a share moves that reaches each of *shares* with probability *alpha* only.

    Between times the share is taken for beta distributed, with mean μ and variance :math:`\kappa \mu (1 - \mu)`: a
    rare one moves upwards far further than a normal one of the same variance does. The lower limit is the μ with

    .. math:: P(\mathrm{Beta}(\mu \varphi, (1 - \mu) \varphi) \ge p) = \alpha, \qquad \varphi = 1 / \kappa - 1

    Args:
        shares: Shares that were reached, in [0, 1].
        variance: κ; from 1 on, the most that a share can have, nearly every mean reaches every share.
        upper: Whether the highest such mean is asked for instead of the lowest.

    Returns:
        The share itself where its variance is 0.
    """
    parts, kappa, highest, errors = np.broadcast_arrays(shares, variance, upper, alpha)
    limits = parts.astype(np.float64)
    moving = kappa > 0.0
    if not moving.any():
        return limits
    # The highest mean of a share is 1 minus the lowest of the rest.
    part = np.where(highest, 1.0 - parts, parts)[moving]
    events = beta_events(kappa[moving])
    error = errors[moving]
    low, high = np.full(part.shape, _LEAST), np.log(np.maximum(part, np.exp(_LEAST)))
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        mean = np.exp(middle)
        above = betaincc(mean * events, (1.0 - mean) * events, part) > error
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    lowest = np.where(part <= 0.0, 0.0, np.exp(low))
    limits[moving] = np.where(highest[moving], 1.0 - lowest, lowest)
    return limits


def combined_limits(shares: Float64s, first: Float64s, second: Float64s, *, upper: Mask) -> Float64s:
    r"""Return the limit of each share for two independent causes at once, from the limit for each cause alone.

    It is as far off as the root of the sum of squares (Zou & Donner); and where the mean that is asked for has a larger
    variance than at the limits of the causes alone, as it has towards a half, at least as far as

    .. math:: \frac{(\mu - p)^2}{\mu (1 - \mu)} = \sum_i \frac{(\lambda_i - p)^2}{\lambda_i (1 - \lambda_i)}

    says: Wilson's interval by the two limits.

    References:
        Zou & Donner (2008); Wilson (1927).
    """
    margin = np.hypot(shares - first, shares - second)
    squares = _scaled_square(shares, first) + _scaled_square(shares, second)
    side = np.where(upper, 1.0, -1.0)
    wilson = 2.0 * shares + squares + side * np.sqrt(squares * (squares + 4.0 * shares * (1.0 - shares)))
    furthest = side * np.maximum(side * (shares + side * margin), side * wilson / (2.0 * (1.0 + squares)))
    limits: Float64s = np.clip(furthest, 0.0, 1.0)
    return limits


def _scaled_square(shares: Float64s, limits: Float64s) -> Float64s:
    spread = np.maximum(limits * (1.0 - limits), np.finfo(np.float64).tiny)
    return np.minimum((shares - limits) ** 2 / spread, _LARGEST)
