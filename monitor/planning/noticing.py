"""How long a sudden shift goes on before it is noticed, while windows slide into it."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.planning.comparison import Comparison
from monitor.planning.power import POWER, half_probability, proving_probability
from monitor.planning.shift import psi_of_shift
from monitor.types import Scale, Tier

RESOLUTION = 1 / 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticing:
    """Minutes from the shift to the end of the window that shows it, at the most; and that window's scale."""

    minutes: float
    scale: Scale


def first_noticed(
    comparisons: Iterable[Comparison], *, sigmas: float, level: Tier, tier: float, events_per_minute: float
) -> Noticing | None:
    """Return when the quickest of *comparisons* (one a scale) reaches *level*; None when none ever does."""
    found = (
        noticed_at_scale(each, sigmas=sigmas, level=level, tier=tier, events_per_minute=events_per_minute)
        for each in comparisons
    )
    return min((each for each in found if each is not None), key=lambda each: each.minutes, default=None)


def noticed_at_scale(
    comparison: Comparison, *, sigmas: float, level: Tier, tier: float, events_per_minute: float
) -> Noticing | None:
    """Return when a shift of *sigmas* reaches *level* at this scale with a probability of 90 %, or None.

    ::

        |-------- previous --------|--------- window ---------|
                          shift ^-- share of it is enough for a warning (no previous window needed)
          shift ^-- for alert and critical the window is full and so much of the previous one has to be shifted

    The window that is enough ends up to one step later than it might; where it is too early, later ones only help.
    """
    n = comparison.values(comparison.scale.length * events_per_minute)

    def reached(share: float) -> bool:
        if level is Tier.WARNING:
            return _alone(comparison, sigmas=sigmas, tier=tier, n=n, share=share) >= POWER
        before = proving_probability(comparison, psi=psi_of_shift(sigmas, share=share), tier=tier, n=n)
        return before * _alone(comparison, sigmas=sigmas, tier=tier, n=n, share=1.0) >= POWER

    if n <= 0 or not reached(1.0):
        return None
    low, high = 0.0, 1.0
    while high - low > RESOLUTION:
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    whole_windows = high if level is Tier.WARNING else 1.0 + high
    return Noticing(minutes=whole_windows * comparison.scale.length + comparison.scale.step, scale=comparison.scale)


def _alone(comparison: Comparison, *, sigmas: float, tier: float, n: float, share: float) -> float:
    """Return how likely the window proves *tier* in the whole and both halves, its last *share* being shifted."""
    whole = proving_probability(comparison, psi=psi_of_shift(sigmas, share=share), tier=tier, n=n)
    halves = [psi_of_shift(sigmas, share=min(max(part, 0.0), 1.0)) for part in (2 * share - 1, 2 * share)]
    for psi in halves:
        whole *= half_probability(comparison, psi=psi, tier=tier, n=n)
    return whole
