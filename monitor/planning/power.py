"""Statistical power: events needed, detection delay, per column and scale."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.special import chndtr

from monitor.detection import PreparedReference
from monitor.detection.drift_rule import tier_levels
from monitor.planning.advice_context import psi_of_shift
from monitor.planning.column_comparison import ColumnComparison, comparisons_at
from monitor.planning.false_alarms import evaluations_a_month
from monitor.planning.results import ColumnPlan, EventsNeeded, ScalePlan
from monitor.stats.psi import PSEUDOCOUNT
from monitor.stats.psi_bounds import chance_level
from monitor.types import Scale, Tier

RESOLUTION = 1 / 256

POWER = 0.9
NO_PSI = 50.0  # from there on: no two samples of a thousand million values are so far apart
MOST_VALUES = 1 << 30

TRUE_PSI = (0.15, 0.2, 0.3, 0.5)
LEVELS = (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionDelay:
    """Minutes from the shift to the end of the window that shows it, at the most; and that window's scale."""

    minutes: float
    scale: Scale


def first_detection(
    comparisons: Iterable[ColumnComparison], *, sigmas: float, level: Tier, tier: float, events_per_minute: float
) -> DetectionDelay | None:
    """Return when the quickest of *comparisons* (one a scale) reaches *level*; None when none ever does."""
    delays = (
        detection_at_scale(comparison, sigmas=sigmas, level=level, tier=tier, events_per_minute=events_per_minute)
        for comparison in comparisons
    )
    return min((delay for delay in delays if delay is not None), key=lambda delay: delay.minutes, default=None)


def detection_at_scale(
    comparison: ColumnComparison, *, sigmas: float, level: Tier, tier: float, events_per_minute: float
) -> DetectionDelay | None:
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
    return DetectionDelay(
        minutes=whole_windows * comparison.scale.length + comparison.scale.step, scale=comparison.scale
    )


def _alone(comparison: ColumnComparison, *, sigmas: float, tier: float, n: float, share: float) -> float:
    """Return how likely the window proves *tier* in the whole and both halves, its last *share* being shifted."""
    whole = proving_probability(comparison, psi=psi_of_shift(sigmas, share=share), tier=tier, n=n)
    halves = [psi_of_shift(sigmas, share=min(max(part, 0.0), 1.0)) for part in (2 * share - 1, 2 * share)]
    for psi in halves:
        whole *= half_probability(comparison, psi=psi, tier=tier, n=n)
    return whole


def proving_probability(comparison: ColumnComparison, *, psi: float, tier: float, n: float) -> float:
    r"""Return how likely a window of *n* values proves *tier* when its true PSI is *psi*, endurance left out.

    .. math:: P(\chi^2_{B-1}(N \psi') > N T_\tau), \quad \psi' = \psi \left(\frac{n}{n + B/2}\right)^2

    ψ' is what half a count in every bin leaves of ψ where the reference's bins are equal. Simulated for shifts of
    the mean and of the spread and for one bin that grows, the power is within 0.02 of this; a bin that nearly vanishes
    is the exception: there the index varies more, and it takes more events.
    """
    size = comparison.size(n)
    threshold = comparison.threshold_of_shift(tier, n)
    if math.isinf(threshold):
        return 0.0
    return _upper_tail(size * threshold, bins=comparison.bins, noncentrality=size * _shrunk(psi, comparison, n))


def half_probability(comparison: ColumnComparison, *, psi: float, tier: float, n: float) -> float:
    """Return how likely one half of a window of *n* values shows *tier* by itself when the half's true PSI is *psi*."""
    if comparison.bins < 2:
        return 0.0
    half, size = n / 2.0, comparison.half_size(n)
    level = tier + chance_level(bins=comparison.bins, n=half, m=comparison.m_half, kappa=comparison.kappa_half)
    return _upper_tail(size * level, bins=comparison.bins, noncentrality=size * _shrunk(psi, comparison, half))


def reaching_probability(comparison: ColumnComparison, *, psi: float, level: Tier, tier: float, n: float) -> float:
    """Return how likely a finding of *level* endures when this window and the one before have a true PSI of *psi*.

    The product of what has to hold: the window proves it, both halves show it, and from alert on the window before
    proves it too. They share their reference and go along, so the product is a lower bound, and a close one.
    """
    proven = proving_probability(comparison, psi=psi, tier=tier, n=n)
    windows = 1 if level is Tier.WARNING else 2
    return float(proven**windows * half_probability(comparison, psi=psi, tier=tier, n=n) ** 2)


def values_needed(
    comparison: ColumnComparison, *, psi: float, level: Tier, tier: float, power: float = POWER
) -> int | None:
    """Return the fewest values in a window that reach *level* with probability *power*; None: no number does.

    None is the answer for a *psi* not above *tier*, and where the column's own movement or a small reference hides it.
    """

    def enough(n: int) -> bool:
        return reaching_probability(comparison, psi=psi, level=level, tier=tier, n=n) >= power

    if psi <= tier or not enough(MOST_VALUES):
        return None
    return bisect_left(range(MOST_VALUES), True, lo=2, key=enough)


def _shrunk(psi: float, comparison: ColumnComparison, n: float) -> float:
    return psi / (1.0 + PSEUDOCOUNT * comparison.bins / n) ** 2


def _upper_tail(value: float, *, bins: int, noncentrality: float) -> float:
    return 1.0 - float(chndtr(value, bins - 1, noncentrality))


def scale_plan_of(prepared: PreparedReference, scale: Scale, *, events_per_minute: float) -> ScalePlan:
    """Return what *scale* can see; at least one column has to be judged."""
    events = scale.length * events_per_minute
    ranked = by_proof(prepared, comparisons_at(prepared, scale), events=events)
    typical, worst = typical_of(prepared, ranked, events=events), ranked[0]
    return ScalePlan(
        scale=str(scale),
        length=scale.length,
        step=scale.step,
        events=events,
        concludes=events >= prepared.min_events,
        evaluations=evaluations_a_month(scale),
        typical=typical.column,
        worst=worst.column,
        needed=_needed(prepared, typical),
        needed_by_worst=_needed(prepared, worst),
        columns=tuple(column_plan_of(prepared, comparison, events=events) for comparison in ranked),
    )


def by_proof(
    prepared: PreparedReference, comparisons: Sequence[ColumnComparison], *, events: float
) -> tuple[ColumnComparison, ...]:
    """Return *comparisons* with that first whose warning takes the largest PSI in a window of *events*.

    Columns with too few values there, and then those of a single bin, come last: PSI says nothing about them.
    """
    tier = prepared.drift.tiers.warning

    def order(comparison: ColumnComparison) -> tuple[bool, bool, float, str]:
        n = comparison.values(events)
        return (
            comparison.bins < 2,
            n < prepared.min_events,
            -comparison.threshold_of_shift(tier, n),
            comparison.column,
        )

    return tuple(sorted(comparisons, key=order))


def typical_of(prepared: PreparedReference, ranked: Sequence[ColumnComparison], *, events: float) -> ColumnComparison:
    """Return the one in the middle (the worse of two) of those that PSI judges, or else of those that it could."""
    several_bins = [comparison for comparison in ranked if comparison.bins > 1]
    judged = [comparison for comparison in several_bins if comparison.values(events) >= prepared.min_events]
    able = judged or several_bins or ranked
    return able[(len(able) - 1) // 2]


def events_needed(prepared: PreparedReference, comparison: ColumnComparison, *, psi: float, level: Tier) -> int | None:
    """Return the events in a window that reach *level* with 90 %: what the values need, never under `min_events`."""
    tier = dict(tier_levels(prepared.drift.tiers))[level]
    values = values_needed(comparison, psi=psi, level=level, tier=tier)
    return None if values is None else math.ceil(max(values, prepared.min_events) / comparison.valid_share)


def _needed(prepared: PreparedReference, comparison: ColumnComparison) -> tuple[EventsNeeded, ...]:
    return tuple(
        EventsNeeded(
            tier=level.word,
            psi=psi,
            events=events_needed(prepared, comparison, psi=psi, level=level),
        )
        for level in LEVELS
        for psi in TRUE_PSI
    )


def column_plan_of(prepared: PreparedReference, comparison: ColumnComparison, *, events: float) -> ColumnPlan:
    """Return what one column shows at one scale in a window of *events*."""
    n = comparison.values(events)
    proven_from = comparison.threshold_of_shift(prepared.drift.tiers.warning, n)
    return ColumnPlan(
        column=comparison.column,
        bins=comparison.bins,
        values=n,
        concludes=n >= prepared.min_events,
        kappa=comparison.kappa,
        nu=comparison.level.nu,
        status=comparison.status,
        overdispersion=1.0 + comparison.kappa / (1.0 / n + 1.0 / comparison.m),
        proven_from=proven_from if proven_from < NO_PSI else None,
        blunt=proven_from > prepared.drift.tiers.critical,
    )
