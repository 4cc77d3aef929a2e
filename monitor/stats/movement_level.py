"""The level that a column's natural movement passes by chance, where kappa comes from few time blocks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, chdtrc, chdtri, fdtrc

from monitor.arrays import Float64s
from monitor.stats.natural_movement import NaturalMovement

KNOWN = 1e7
"""From so many effective blocks on kappa counts as known, and F is chi-squared."""

FEWEST_BLOCKS = 0.5
WELL_MEASURED = 100.0
_MEAN_MARGIN = 1.0
AUTOCORRELATION_MARGIN = 1.5
_NU_MARGIN = 3.0
_MARGIN_HIDDEN = 0.8
_STEPS = 60
TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementEstimates:
    """What time blocks show of several columns, or of one column at several lengths; arrays of one shape.

    Attributes:
        kappa, nu, autocorrelation, sampling: As in `NaturalMovement`.
        blocks: How many there were; infinite where nothing is estimated (`uncalibrated`).
        freedom: B - 1, at least 1.
    """

    kappa: Float64s
    nu: Float64s
    blocks: Float64s
    autocorrelation: Float64s
    sampling: Float64s
    freedom: Float64s


@dataclass(frozen=True, slots=True, kw_only=True)
class CredibleMovement:
    """Degrees of freedom that such estimates allow, and how many independent blocks they are worth; arrays.

    Their F has the quantile that was asked for; at another probability it is as close as chi-squared is to the sum.
    """

    nu: Float64s
    blocks: Float64s


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementLevel:
    r"""The PSI that a column without drift reaches: :math:`(B-1)(1/n + 1/m + \kappa) F` with F of (ν, ν k').

    Attributes:
        kappa, nu, blocks: κ, ν and k'; with infinite blocks κ is known and F is chi-squared by its ν.
    """

    kappa: float
    nu: float
    blocks: float = math.inf

    def psi(self, *, bins: int, n: float, m: float, alpha: float) -> float:
        """Return the PSI that is passed with probability *alpha*."""
        return self._mean(bins, n, m) * float(level_factors(self.nu, self.blocks, alpha=alpha))

    def p_value(self, psi: float, *, bins: int, n: float, m: float) -> float:
        """Return the probability of a PSI of at least *psi*."""
        multiple = psi / self._mean(bins, n, m)
        if self.blocks >= KNOWN:
            return float(chdtrc(self.nu, multiple * self.nu))
        return float(fdtrc(self.nu, self.nu * self.blocks, multiple))

    def _mean(self, bins: int, n: float, m: float) -> float:
        return (bins - 1) * (1.0 / n + 1.0 / m + self.kappa)


def credible_movement(
    estimates: MovementEstimates,
    *,
    alpha: float,
    sampling: Float64s | None = None,
    effective: Float64s | None = None,
) -> CredibleMovement:
    r"""Return the degrees of freedom and the effective blocks with which the level of a mean block PSI holds.

    A window's PSI is sampling, in B − 1 directions, and movement, in few of them. In units of its mean:

    **Movement's share.** Blocks that move little by chance must not pass for ones that do not move: with
    :math:`c = 1 + 1/\sqrt k` the mean block PSI may be *c* times what was seen, of which movement then makes

    .. math:: f = 1 - s / (c (s + \kappa))

    (*s* the sampling variance, which is known). **Directions.** The variance of the blocks' PSI is
    :math:`2 (B - 1)^2 / \nu`; sampling explains its own part, and the rest says in how many directions they move:

    .. math:: \frac{1}{\nu} = \frac{1 - \hat f^2}{B - 1} + \frac{\hat f^2}{\nu_m}

    of which ν is believed to :math:`1 - 3/\sqrt{k'}`, and no fewer than one direction until a hundred effective blocks
    show so. **Effective blocks.** Of the autocorrelation sampling has none, so that the movement's is

    .. math:: k' = (k - 1) \frac{1 - \rho}{1 + \rho}, \quad \rho = \frac{\hat\rho}{f} +
              \frac{(1 + 3 \hat\rho) / k + 1.5 \sqrt{(1 - \hat\rho^2) / (k \nu)}}{\max(f, 0.8)}

    with its bias and one and a half standard errors. **Level.** A direction that moves has the variance
    :math:`b = 1 - f + f (B - 1) / \nu_m`. It is known like :math:`k_b = k' b^2 / (b - 1 + f)^2` blocks, for sampling is
    known, and far off it makes the whole: the other directions add a constant,

    .. math:: b \nu_m F^{-1}(1 - \alpha; \nu_m, \nu_m k_b) - b (B - 1 - \nu_m) \ln(1 - (1 - f) / b)

    or :math:`b (B - 1) F^{-1}(1 - \alpha; B - 1, \nu_m k_b)` if that is lower: as if all directions moved so.

    Nothing is pooled over columns: one that wanders among many quiet ones would borrow their quiet. The constants are
    round ones that keep the level in the simulations of docs/statistics.md.

    Args:
        alpha: Error probability of one test.
        sampling: Sampling variance of the windows that will be judged; None: as of the blocks.
        effective: k', as from `blocks_of_lengths`; None: of each length by itself.

    References:
        Satterthwaite (1946), Zolotarev (1961) for the far tail of such a sum; Bartlett (1946), Marriott & Pope (1954)
        for ρ's error and bias.
    """
    freedom = estimates.freedom
    mean = estimates.sampling + estimates.kappa
    most = credible_kappa(estimates)
    if effective is None:
        effective = effective_blocks(estimates)
    directions = _directions(estimates.nu, estimates.kappa / mean, effective, freedom)
    judged = estimates.sampling if sampling is None else sampling
    movement = most / (judged + most)
    levels = _mixture_levels(movement, directions, effective, estimates.blocks, freedom=freedom, alpha=alpha)
    known = _mixture_levels(movement, directions, np.full_like(effective, np.inf), np.inf, freedom=freedom, alpha=alpha)
    nu = _root(lambda nu: chdtrc(nu, known * nu), alpha, lowest=1e-2, highest=freedom)
    blocks = _root(lambda blocks: fdtrc(nu, nu * blocks, levels), alpha, lowest=1e-3, highest=KNOWN)
    return CredibleMovement(
        nu=np.where(movement > 0.0, nu, freedom), blocks=np.where(estimates.blocks < KNOWN, blocks, estimates.blocks)
    )


def credible_kappa(estimates: MovementEstimates) -> Float64s:
    r"""Return the κ that blocks may hide: with :math:`c = 1 + 1/\sqrt k`, :math:`c (s + \kappa) - s`."""
    mean = estimates.sampling + estimates.kappa
    kappa: Float64s = mean * (1.0 + _MEAN_MARGIN / np.sqrt(estimates.blocks)) - estimates.sampling
    return kappa


def effective_blocks(
    estimates: MovementEstimates, *, deviations: Float64s | float = AUTOCORRELATION_MARGIN
) -> Float64s:
    """Return k' of each length by itself, with ρ so many standard *deviations* higher than it is seen."""
    kappa = credible_kappa(estimates)
    return _effective_blocks(
        estimates.blocks,
        estimates.autocorrelation,
        movement=kappa / (estimates.sampling + kappa),
        freedom=estimates.freedom,
        deviations=deviations,
    )


def independent_blocks(movement: NaturalMovement) -> float:
    """Return how many independent blocks the variance of one direction is worth; 0.0 where there were none.

    With ν under 1 a few of them make most of the variance, so that it is known no better than from k ν (Satterthwaite).
    """
    if movement.blocks == 0:
        return 0.0
    blocks, one = np.array([float(movement.blocks)]), np.ones(1)
    mean = (movement.sampling + movement.kappa) * (1.0 + _MEAN_MARGIN / np.sqrt(blocks))
    share = 1.0 - movement.sampling / mean
    effective = _effective_blocks(blocks, np.array([movement.autocorrelation]), movement=share, freedom=one)
    independent = float(_blocks_of_direction(effective, blocks, moving=share, variance=one)[0])
    return min(independent, movement.blocks * movement.nu)


def _effective_blocks(
    blocks: Float64s,
    autocorrelation: Float64s,
    *,
    movement: Float64s,
    freedom: Float64s,
    deviations: Float64s | float = AUTOCORRELATION_MARGIN,
) -> Float64s:
    """Return k', of the movement alone."""
    seen = np.clip(autocorrelation, 0.0, 1.0)
    deviation = np.sqrt((1.0 - seen**2) / (blocks * _fewest_degrees(movement, freedom)))
    margin = (1.0 + 3.0 * seen) / blocks + deviations * deviation
    rho = autocorrelation / np.maximum(movement, TINY) + margin / np.maximum(movement, _MARGIN_HIDDEN)
    rho = np.clip(rho, 0.0, 1.0)
    effective: Float64s = np.maximum((blocks - 1.0) * (1.0 - rho) / (1.0 + rho), FEWEST_BLOCKS)
    return effective


def _fewest_degrees(movement: Float64s, freedom: Float64s) -> Float64s:
    """Return the degrees of freedom of sampling and a movement in one direction, by two and by three moments."""
    sampling = 1.0 - movement
    largest = sampling + freedom * movement
    squares = (freedom - 1.0) * sampling**2 + largest**2
    cubes = (freedom - 1.0) * sampling**3 + largest**3
    degrees: Float64s = np.clip(freedom * squares / cubes, 1.0, freedom)
    return degrees


def _directions(nu: Float64s, movement: Float64s, effective: Float64s, freedom: Float64s) -> Float64s:
    believed = nu * np.maximum(1.0 - _NU_MARGIN / np.sqrt(effective), TINY)
    of_movement = np.maximum(1.0 / believed - (1.0 - movement**2) / freedom, TINY)
    directions = np.clip(movement**2 / of_movement, 1.0, freedom)
    return np.where((effective >= WELL_MEASURED) & (nu < 1.0), nu, directions)


def _mixture_levels(
    movement: Float64s,
    directions: Float64s,
    effective: Float64s,
    blocks: npt.ArrayLike,
    *,
    freedom: Float64s,
    alpha: float,
) -> Float64s:
    """Return how many times its mean the sum of sampling and movement is passed with probability *alpha*."""
    sampling, moving = 1.0 - movement, movement * freedom / directions
    variance = sampling + moving
    known = _blocks_of_direction(effective, blocks, moving=moving, variance=variance)
    others = -variance * (freedom - directions) * np.log1p(-np.minimum(sampling / variance, 1.0 - TINY))
    few = variance * directions * level_factors(directions, known, alpha=alpha) + others
    all_alike = variance * freedom * level_factors(freedom, known * directions / freedom, alpha=alpha)
    levels: Float64s = np.minimum(few, all_alike) / freedom
    return levels


def _blocks_of_direction(
    effective: Float64s, blocks: npt.ArrayLike, *, moving: Float64s, variance: Float64s
) -> Float64s:
    known: Float64s = np.minimum(effective * (variance / np.maximum(moving, TINY)) ** 2, blocks)
    return known


def _root(falling: Callable[[Float64s], Float64s], wanted: float, *, lowest: float, highest: npt.ArrayLike) -> Float64s:
    """Return where a falling function of positive numbers has the wanted value; the limit where it has none."""
    low, high = np.broadcast_arrays(*(np.log(limit) for limit in (lowest, highest)))
    low, high = np.broadcast_arrays(low, high + np.zeros_like(falling(np.exp(high))))
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        above = falling(np.exp(middle)) > wanted
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    root: Float64s = np.exp(high)
    return root


def level_factors(nu: npt.ArrayLike, blocks: npt.ArrayLike, *, alpha: float) -> Float64s:
    r"""Return how many times its mean a block PSI is passed with probability *alpha*: :math:`F^{-1}(1-α; ν, ν k')`.

    Args:
        nu: ν.
        blocks: Effective blocks k'; infinite where the mean is known, and F is chi-squared by its ν.
    """
    numerator, effective = np.broadcast_arrays(np.asarray(nu, dtype=np.float64), np.asarray(blocks, dtype=np.float64))
    denominator = numerator * np.minimum(effective, KNOWN)
    tail = betaincinv(denominator / 2.0, numerator / 2.0, alpha)
    with np.errstate(divide="ignore"):
        factors = np.where(
            effective >= KNOWN, chdtri(numerator, alpha) / numerator, denominator / numerator * (1.0 - tail) / tail
        )
    return np.asarray(factors, dtype=np.float64)
