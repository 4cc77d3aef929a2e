"""What an observed population stability index, or distance, proves about the true one."""

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, chndtr, chndtrinc, chndtrix, ndtri

from monitor.arrays import Float64s
from monitor.errors import EmptySampleError
from monitor.stats.movement_level import MovementLevel

Level = TypeVar("Level", float, Float64s)

_STEPS = 12
_ROUNDING = 1e-15  # of a probability near 1, with some room


def noncentrality(values: Float64s, freedom: Float64s, probability: float) -> Float64s:
    r"""Return λ with :math:`F(x; f, \lambda) = p` for each value, at least 0.

    The root of a variable has nearly the variance 1 whatever λ, so that :math:`\Phi^{-1}(F)` falls by nearly 1 where
    √λ grows by 1: the secant method in √λ needs a handful of evaluations of F, a tenth of what scipy's search costs.
    A root that it does not reach as closely as floats resolve probabilities is left to scipy.

    Args:
        values, freedom: Shape ``(columns,)``, positive.
        probability: p, for which F(x; f, 0) must be at least p; else the answer is not meant.

    References:
        Sankaran (1959) for the root's distribution.
    """
    wanted = float(ndtri(probability))
    precision = max(1e-12, _ROUNDING * math.sqrt(2.0 * math.pi) * math.exp(wanted * wanted / 2.0))
    root = np.sqrt(np.maximum(np.sqrt(np.maximum(values - (freedom - 1.0) / 2.0, 0.0)) - wanted, 0.0) ** 2)
    before, gap_before = root + 0.01, _gap(values, freedom, root + 0.01, wanted)
    gap = _gap(values, freedom, root, wanted)
    for _ in range(_STEPS):
        slope = np.where(root != before, (gap - gap_before) / np.where(root != before, root - before, 1.0), -1.0)
        step = gap / np.where(slope < -0.1, slope, -1.0)
        before, gap_before = root, gap
        root = np.maximum(root - step, 0.0)
        gap = _gap(values, freedom, root, wanted)
        if np.all(np.abs(gap) <= precision):
            break
    noncentralities: Float64s = root**2
    missed = ~(np.abs(gap) <= precision)
    if missed.any():
        noncentralities[missed] = chndtrinc(values[missed], freedom[missed], probability)
    return noncentralities


def _gap(values: Float64s, freedom: Float64s, root: Float64s, wanted: float) -> Float64s:
    with np.errstate(all="ignore"):
        gap: Float64s = ndtri(chndtr(values, freedom, root**2)) - wanted
    return gap


def effective_size(n: float, m: float, kappa: float = 0.0) -> float:
    r"""Return :math:`N = 1 / (1/n + 1/m + \kappa)`, the independent events a comparison is worth.

    Args:
        n: Current events.
        m: Reference events.
        kappa: The column's natural movement, a variance on the scale of 1/events; whatever the traffic,
            N stays under 1/kappa.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: *kappa* is negative.

    References:
        Rao & Scott (1981), overdispersed chi-squared statistics.
    """
    if not (n > 0 and m > 0):
        raise EmptySampleError(f"current holds {n} events, reference {m}")
    if kappa < 0.0:
        raise ValueError(f"kappa must not be negative, found {kappa}")
    return 1.0 / (1.0 / n + 1.0 / m + kappa)


def chance_level(*, bins: int, n: float, m: float, kappa: float = 0.0) -> float:
    r"""Return :math:`(B - 1) / N`, what sampling and natural movement add to an observed PSI on average.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: *kappa* is negative.
    """
    return (bins - 1) / effective_size(n, m, kappa)


def tier_threshold(
    tier: float,
    *,
    bins: int,
    n: float,
    m: float,
    kappa: float = 0.0,
    nu: float | None = None,
    level: MovementLevel | None = None,
    alpha: float,
) -> float:
    r"""Return the PSI above which the true PSI is proven to exceed *tier*.

    .. math:: T_\tau = \max\left( \frac{F^{-1}(1 - \alpha; B - 1, N \tau)}{N},
              \; \frac{B - 1}{N \nu} \chi^{2,-1}(1 - \alpha; \nu) \right)

    with *F* the non-central chi-squared distribution. The second term is the level that the column's own
    movement passes with probability *alpha* when nothing has changed.

    Args:
        tier: τ, the PSI that matters, at least 0.
        bins: B. A single bin can prove nothing: the threshold is infinite.
        n: Current events.
        m: Reference events.
        kappa: Natural movement at the window's length; 0 when uncalibrated.
        nu: Degrees of freedom of that movement; B − 1 (None) when uncalibrated.
        level: What the second term is made of instead, where *kappa* and *nu* come from a number of blocks.
        alpha: Error probability of this one test.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: *tier*, *kappa* or *alpha* is out of its range.

    References:
        Yurdakul (2018) for the null; arXiv 2307.11878 for the non-central tolerance; Satterthwaite (1946) for ν.
    """
    size = effective_size(n, m, kappa)
    if tier < 0.0:
        raise ValueError(f"a tier must not be negative, found {tier}")
    _require_probability(alpha)
    if bins < 2:
        return math.inf
    boundary = float(chndtrix(1.0 - alpha, bins - 1, size * tier)) / size
    known = MovementLevel(kappa=kappa, nu=bins - 1.0 if nu is None else nu) if level is None else level
    return max(boundary, known.psi(bins=bins, n=n, m=m, alpha=alpha))


def proven_lower_bound(
    psi: float, *, bins: int, n: float, m: float, kappa: float = 0.0, nu: float | None = None, alpha: float
) -> float:
    r"""Return ``psi_low``, the tier whose threshold equals the observed *psi*: the true PSI is proven to exceed it.

    .. math:: F(N \, \mathrm{PSI}; B - 1, N \, \mathrm{PSI}_\mathrm{low}) = 1 - \alpha, \qquad
              N = 1 / (1/n + 1/m + \kappa)

    with *F* the non-central chi-squared distribution. The observed value passes ``tier_threshold(tier)`` exactly where
    ``psi_low`` passes ``tier``, so one call settles every tier.

    Args:
        psi: The observed index, in nats.
        bins: B, of both samples. A single bin can prove nothing.
        n: Current events.
        m: Reference events.
        kappa: Natural movement, as from `natural_movement`; 0 where events are independent. A column that wanders
            naturally has more: with 0 its movement is taken for proof.
        nu: Degrees of freedom of that movement; B − 1 (None) where it is unknown.
        alpha: Error probability, strictly between 0 and 0.5.

    Returns:
        In nats. 0.0 where not even a true PSI of 0 is excluded, NaN for a *psi* of NaN (not measured).

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: *kappa* or *alpha* is out of its range.

    References:
        As of `tier_threshold`: Yurdakul (2018), arXiv 2307.11878, Satterthwaite (1946).

    Examples:
        >>> from driftline import stats
        >>> round(stats.proven_lower_bound(0.25, bins=10, n=1000, m=20_000, alpha=0.001), 4)
        0.1524
        >>> stats.proven_lower_bound(0.25, bins=10, n=100, m=20_000, alpha=0.001)  # 100 events may do that by chance
        0.0
    """
    size = effective_size(n, m, kappa)
    _require_probability(alpha)
    if math.isnan(psi):
        return math.nan
    if bins < 2:
        return 0.0
    freedom = bins - 1
    level = MovementLevel(kappa=kappa, nu=float(freedom) if nu is None else nu)
    if psi <= max(float(chdtri(freedom, alpha)) / size, level.psi(bins=bins, n=n, m=m, alpha=alpha)):
        return 0.0
    proven = noncentrality(np.array([psi * size]), np.array([float(freedom)]), 1.0 - alpha)
    return float(proven[0]) / size


def proven_lower_bounds(
    psi: npt.ArrayLike,
    *,
    bins: npt.ArrayLike,
    n: npt.ArrayLike,
    m: npt.ArrayLike,
    kappa: npt.ArrayLike,
    level: npt.ArrayLike,
    alpha: float,
) -> Float64s:
    """Return `proven_lower_bound` of many columns in one call; NaN where *psi* is, or a column has no events.

    Args:
        level: PSI that natural movement passes with probability *alpha*, as of `MovementLevel.psi`.
    """
    _require_probability(alpha)
    observed, freedom, size = np.broadcast_arrays(
        np.asarray(psi, dtype=np.float64), np.asarray(bins) - 1.0, _effective_sizes(n, m, kappa)
    )
    safe_freedom = np.maximum(freedom, 1.0)
    passed = (freedom >= 1.0) & (observed > np.maximum(chdtri(safe_freedom, alpha) / size, np.asarray(level)))
    bounds = np.where(np.isnan(observed) | np.isnan(size), np.nan, 0.0)
    bounds[passed] = noncentrality((observed * size)[passed], freedom[passed], 1.0 - alpha) / size[passed]
    return bounds


def distance_lower_bound(
    distance: float, *, n: float, m: float, kappa: float = 0.0, level: float = 0.0, alpha: float
) -> float:
    r"""Return the proven part of an observed KS distance, never below 0.

    .. math:: D_\mathrm{low} = D - c(\alpha) / \sqrt{N}, \quad c(\alpha) = \sqrt{\ln(2 / \alpha) / 2}

    and 0 up to the distance that natural movement passes with probability *alpha*: no two distributions of a PSI of
    *level* are further apart than :math:`\sqrt{level} / 2`.

    Args:
        level: As of `MovementLevel.psi`.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: *kappa* or *alpha* is out of its range.

    References:
        Smirnov's tail; as a robust lower bound in Deequ (``linfRobust``). Pinsker (1964) for D and PSI.
    """
    _require_probability(alpha)
    size = effective_size(n, m, kappa)
    if distance <= distance_level(level):
        return 0.0
    low = distance - math.sqrt(math.log(2.0 / alpha) / 2.0 / size)
    # Written this way round, NaN (not measured) stays NaN.
    return 0.0 if low < 0.0 else low


def distance_level(level: Level) -> Level:
    """Return the largest KS distance that two distributions of a PSI of *level* can have, by Pinsker's inequality."""
    distance: Level = level**0.5 / 2.0
    return distance


def _effective_sizes(n: npt.ArrayLike, m: npt.ArrayLike, kappa: npt.ArrayLike) -> Float64s:
    current, reference = np.asarray(n, dtype=np.float64), np.asarray(m, dtype=np.float64)
    sampled = np.where((current > 0) & (reference > 0), current * reference, np.nan)
    return np.asarray(sampled / (current + reference + np.asarray(kappa) * sampled), dtype=np.float64)


def _require_probability(alpha: float) -> None:
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie in (0, 0.5), found {alpha}")
