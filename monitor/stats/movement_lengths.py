"""The level of a column's natural movement from blocks of several lengths: what each of them shows of the others."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.stats.movement_level import (
    FEWEST_BLOCKS,
    KNOWN,
    TINY,
    CredibleMovement,
    MovementEstimates,
    credible_kappa,
    credible_movement,
    effective_blocks,
    level_factors,
)

_WEEK = 7.0
_RATIO_MARGIN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class LowestLevels:
    """The lowest level of each column; shape ``(columns,)``.

    Attributes:
        kappa, nu, blocks: κ, ν and k' of the length whose level is the lowest.
        factors: F of these.
        own: Degrees of freedom and blocks by the window's own length.
        own_factors: F of *own*.
    """

    kappa: Float64s
    nu: Float64s
    blocks: Float64s
    factors: Float64s
    own: CredibleMovement
    own_factors: Float64s


def lowest_levels(
    estimates: MovementEstimates, *, own: int, measured: Mask, usable: Mask, sampling: Float64s, alpha: float
) -> LowestLevels:
    """Return for each column the movement, of the windows' length or a shorter one, whose level is the lowest.

    A column moves no more between long windows than between short ones, so each of these levels holds its error
    probability by itself, and the lowest of them passes it at most as often as there are ones near the lowest.

    Args:
        estimates: Shape ``(lengths, columns)``, in ascending order of length.
        own: Row of the windows' length. It wins ties, and is that of a column with no usable length at all.
        measured: Of that shape. What blocks of this length showed, not what was taken from a shorter one.
        usable: Of that shape. Which may give a level; longer lengths than the windows' never do.
        sampling: Of that shape. Sampling variance of the windows that will be judged, as blocks of each length give it.
        alpha: Error probability of one test.
    """
    effective = blocks_of_lengths(estimates, measured=measured)
    credible = credible_movement(estimates, alpha=alpha, sampling=sampling, effective=effective)
    factors = level_factors(credible.nu, credible.blocks, alpha=alpha)
    levels = np.where(usable, (sampling + estimates.kappa) * factors, np.inf)[: own + 1]
    rows = own - np.argmin(levels[::-1], axis=0)
    chosen = (rows, np.arange(levels.shape[1]))
    return LowestLevels(
        kappa=estimates.kappa[chosen],
        nu=credible.nu[chosen],
        blocks=credible.blocks[chosen],
        factors=factors[chosen],
        own=CredibleMovement(nu=credible.nu[own], blocks=credible.blocks[own]),
        own_factors=factors[own],
    )


def blocks_of_lengths(estimates: MovementEstimates, *, measured: Mask) -> Float64s:
    r"""Return k' of every length, no more than the longer blocks of the same column show.

    ρ between neighbours is a poor witness of a memory of days where chance hides much of the movement between hours.
    Longer blocks see it: what does not average out between them was not independent. With ℓ the shorter and L the
    longer blocks

    .. math:: k'_\ell \le k^*_L r, \qquad r = \max\left(1, \frac{c_\ell (s_\ell + \kappa_\ell) - s_\ell}
              {\kappa_L + (s_L + \kappa_L) / (2 \sqrt{k_L})}\right)

    *r* is how many independent ones a longer block holds, half its error allowed for: without any movement it is chance
    divided by chance. :math:`k^*` is k' with ρ raised by its bias and

    .. math:: \max\left(0, \left(\frac{7}{k_L}\right)^2 - \frac{r - 1}{k_\ell / k_L - 1}\right)

    standard errors: the days of a week say little of a memory of days, those of a month enough; and what averages out
    as independent blocks do has no long one. The constants are round ones that keep the level in the simulations of
    docs/statistics.md.

    Args:
        estimates: Shape ``(lengths, columns)``, in ascending order of length.
        measured: Of that shape; the others neither bound nor are bounded.
    """
    effective = effective_blocks(estimates)
    kappa, blocks = credible_kappa(estimates), np.minimum(estimates.blocks, KNOWN)
    shown = estimates.kappa + _RATIO_MARGIN * (estimates.sampling + estimates.kappa) / np.sqrt(estimates.blocks)
    for longer in range(1, len(effective)):
        shorter = slice(longer)
        ratio = np.maximum(kappa[shorter] / np.maximum(shown[longer], TINY), 1.0)
        averaged = (ratio - 1.0) / np.maximum(blocks[shorter] / blocks[longer] - 1.0, TINY)
        deviations = np.maximum((_WEEK / blocks[longer]) ** 2 - averaged, 0.0)
        known = effective_blocks(_row(estimates, longer), deviations=deviations)
        bounded = np.maximum(np.minimum(effective[shorter], known * ratio), FEWEST_BLOCKS)
        effective[shorter] = np.where(measured[longer] & measured[shorter], bounded, effective[shorter])
    return effective


def _row(estimates: MovementEstimates, row: int) -> MovementEstimates:
    return MovementEstimates(
        kappa=estimates.kappa[row],
        nu=estimates.nu[row],
        blocks=estimates.blocks[row],
        autocorrelation=estimates.autocorrelation[row],
        sampling=estimates.sampling[row],
        freedom=estimates.freedom[row],
    )
