"""How likely a window proves what is true of a column, and how many events that takes."""

import math

from scipy.special import chndtr

from monitor.planning.comparison import Comparison
from monitor.stats.psi import PSEUDOCOUNT
from monitor.stats.psi_bounds import chance_level
from monitor.types import Tier

POWER = 0.9
MOST_VALUES = 1 << 30


def proving_probability(comparison: Comparison, *, psi: float, tier: float, n: float) -> float:
    r"""Return how likely a window of *n* values proves *tier* when its true PSI is *psi*, endurance left out.

    .. math:: P(\chi^2_{B-1}(N \psi') > N T_\tau), \quad \psi' = \psi \left(\frac{n}{n + B/2}\right)^2

    ψ' is what half a count in every bin leaves of ψ where the reference's bins are equal. Simulated for shifts of
    the mean and of the spread and for one bin that grows, the power is within 0.02 of this; a bin that nearly vanishes
    is the exception: it takes up to 1.75 times the events (at alpha of 1e-5 and PSI up to 0.5).
    """
    size = comparison.size(n)
    threshold = comparison.threshold(tier, n)
    if math.isinf(threshold):
        return 0.0
    return _upper_tail(size * threshold, bins=comparison.bins, noncentrality=size * _shrunk(psi, comparison, n))


def half_probability(comparison: Comparison, *, psi: float, tier: float, n: float) -> float:
    """Return how likely one half of a window of *n* values shows *tier* by itself when the half's true PSI is *psi*."""
    if comparison.bins < 2:
        return 0.0
    half, size = n / 2.0, comparison.half_size(n)
    level = tier + chance_level(bins=comparison.bins, n=half, m=comparison.m_half, kappa=comparison.kappa_half)
    return _upper_tail(size * level, bins=comparison.bins, noncentrality=size * _shrunk(psi, comparison, half))


def reaching_probability(comparison: Comparison, *, psi: float, level: Tier, tier: float, n: float) -> float:
    """Return how likely a finding of *level* endures when this window and the one before have a true PSI of *psi*.

    The product of what has to hold: the window proves it, both halves show it, and from alert on the window before
    proves it too. They share their reference and go along, so the product is a lower bound, and a close one.
    """
    proven = proving_probability(comparison, psi=psi, tier=tier, n=n)
    windows = 1 if level is Tier.WARNING else 2
    return float(proven**windows * half_probability(comparison, psi=psi, tier=tier, n=n) ** 2)


def values_needed(comparison: Comparison, *, psi: float, level: Tier, tier: float, power: float = POWER) -> int | None:
    """Return the fewest values in a window that reach *level* with probability *power*; None: no number does.

    None is the answer for a *psi* not above *tier*, and where the column's own movement or a small reference hides it.
    """

    def enough(n: int) -> bool:
        return reaching_probability(comparison, psi=psi, level=level, tier=tier, n=n) >= power

    if psi <= tier or not enough(MOST_VALUES):
        return None
    low, high = 1, MOST_VALUES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _shrunk(psi: float, comparison: Comparison, n: float) -> float:
    return psi / (1.0 + PSEUDOCOUNT * comparison.bins / n) ** 2


def _upper_tail(value: float, *, bins: int, noncentrality: float) -> float:
    return 1.0 - float(chndtr(value, bins - 1, noncentrality))
