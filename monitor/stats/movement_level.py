"""The level that a column's natural movement passes by chance, where kappa comes from few time blocks."""

import math
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
_AUTOCORRELATION_MARGIN = 1.5
_NU_MARGIN = 3.0
_MOVEMENT_AT_LEAST = 0.8


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
    """Degrees of freedom that such estimates allow, and how many independent blocks they are worth; arrays."""

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


def credible_movement(estimates: MovementEstimates, *, sampling: Float64s | None = None) -> CredibleMovement:
    r"""Return the degrees of freedom and the effective blocks with which the level of a mean block PSI holds.

    **Movement's share.** Blocks that move little by chance must not pass for ones that do not move: with
    :math:`c = 1 + 1/\sqrt k` the mean block PSI may be *c* times what was seen, of which movement then makes

    .. math:: f = 1 - s / (c (s + \kappa))

    (*s* the sampling variance, which is known). **Degrees of freedom.** Sampling has B − 1 of them and movement may
    have a single one, whose variance then is :math:`b = 1 - f + (B - 1) f`. Where two moments agree, chi-squared has
    too light a tail for such a sum, where three do too heavy a one; the geometric mean is close to the exact quantiles:

    .. math:: \nu = \sqrt{\frac{(B - 1)^2}{v_2} \frac{v_2^3}{v_3^2}} = (B - 1) \frac{v_2}{v_3}, \quad
              v_j = (B - 2) (1 - f)^j + b^j

    Blocks that show more than that are believed to :math:`1 - 3/\sqrt{k'}` of it, ones that show less than one from a
    hundred effective blocks on. **Effective blocks.** With ρ the autocorrelation of the blocks, raised by its bias, by
    one and a half standard errors and by what sampling hides of it,

    .. math:: k' = (k - 1) \frac{1 - \rho}{1 + \rho}, \quad
              \rho = \frac{\hat\rho + (1 + 3 \hat\rho) / k + 1.5 \sqrt{(1 - \hat\rho^2) / (k \nu)}}
                         {\max(\kappa / (s + \kappa), 0.8)}

    Nothing is pooled over columns: one that wanders among many quiet ones would borrow their quiet. The constants are
    round ones that keep the level in the simulations of docs/statistics.md.

    Args:
        sampling: Sampling variance of the windows that will be judged; None: as of the blocks.

    References:
        Satterthwaite (1946), Imhof (1961) for the sum; Bartlett (1946), Marriott & Pope (1954) for ρ's error and bias.
    """
    blocks, freedom = estimates.blocks, estimates.freedom
    mean = estimates.sampling + estimates.kappa
    credible_kappa = mean * (1.0 + _MEAN_MARGIN / np.sqrt(blocks)) - estimates.sampling
    nu_of_blocks = _fewest_degrees(credible_kappa / (estimates.sampling + credible_kappa), freedom)
    effective = _effective_blocks(blocks, estimates.autocorrelation, nu=nu_of_blocks, movement=estimates.kappa / mean)
    judged = estimates.sampling if sampling is None else sampling
    fewest = _fewest_degrees(credible_kappa / (judged + credible_kappa), freedom)
    shown = estimates.nu * (1.0 - _NU_MARGIN / np.sqrt(effective))
    nu = np.clip(np.maximum(fewest, shown), 1.0, freedom)
    below_one = (effective >= WELL_MEASURED) & (estimates.nu < 1.0)
    return CredibleMovement(nu=np.where(below_one, estimates.nu, nu), blocks=effective)


def independent_blocks(movement: NaturalMovement) -> float:
    """Return how many independent blocks a movement in one direction is worth; 0.0 where there were none."""
    if movement.blocks == 0:
        return 0.0
    mean = movement.sampling + movement.kappa
    effective = _effective_blocks(
        np.array([float(movement.blocks)]),
        np.array([movement.autocorrelation]),
        nu=np.ones(1),
        movement=np.array([movement.kappa / mean]),
    )
    return float(effective[0])


def _fewest_degrees(movement: Float64s, freedom: Float64s) -> Float64s:
    sampling = 1.0 - movement
    largest = sampling + freedom * movement
    squares = (freedom - 1.0) * sampling**2 + largest**2
    cubes = (freedom - 1.0) * sampling**3 + largest**3
    degrees: Float64s = np.clip(freedom * squares / cubes, 1.0, freedom)
    return degrees


def _effective_blocks(blocks: Float64s, autocorrelation: Float64s, *, nu: Float64s, movement: Float64s) -> Float64s:
    seen = np.clip(autocorrelation, 0.0, 1.0)
    raised = autocorrelation + (1.0 + 3.0 * seen) / blocks
    raised = raised + _AUTOCORRELATION_MARGIN * np.sqrt((1.0 - seen**2) / (blocks * nu))
    rho = np.clip(raised / np.maximum(movement, _MOVEMENT_AT_LEAST), 0.0, 1.0)
    effective: Float64s = np.maximum((blocks - 1.0) * (1.0 - rho) / (1.0 + rho), FEWEST_BLOCKS)
    return effective


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
