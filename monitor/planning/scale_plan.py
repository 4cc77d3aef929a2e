"""One scale at the model's traffic: its columns, which of them is typical and which worst, and what they need."""

import math
from collections.abc import Sequence

from monitor.detection import Prepared
from monitor.detection.drift_rule import tier_levels
from monitor.planning.answers import ColumnPlan, Needed, ScalePlan
from monitor.planning.comparison import Comparison, comparisons_at
from monitor.planning.false_alarms import evaluations_a_month
from monitor.planning.power import values_needed
from monitor.types import Scale, Tier

TRUE_PSI = (0.15, 0.2, 0.3, 0.5)
LEVELS = (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)


def scale_plan_of(prepared: Prepared, scale: Scale, *, events_per_minute: float) -> ScalePlan:
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
        columns=tuple(column_plan_of(prepared, each, events=events) for each in ranked),
    )


def by_proof(prepared: Prepared, comparisons: Sequence[Comparison], *, events: float) -> tuple[Comparison, ...]:
    """Return *comparisons* with that first whose warning takes the largest PSI in a window of *events*.

    Columns with too few values there, and then those of a single bin, come last: PSI says nothing about them.
    """
    tier = prepared.drift.tiers.warning

    def order(each: Comparison) -> tuple[bool, bool, float, str]:
        n = each.values(events)
        return (each.bins < 2, n < prepared.min_events, -each.threshold(tier, n), each.column)

    return tuple(sorted(comparisons, key=order))


def typical_of(prepared: Prepared, ranked: Sequence[Comparison], *, events: float) -> Comparison:
    """Return the one in the middle (the worse of two) of those that PSI judges, or else of those that it could."""
    several_bins = [each for each in ranked if each.bins > 1]
    judged = [each for each in several_bins if each.values(events) >= prepared.min_events]
    able = judged or several_bins or ranked
    return able[(len(able) - 1) // 2]


def events_needed(prepared: Prepared, comparison: Comparison, *, psi: float, level: Tier) -> int | None:
    """Return the events in a window that reach *level* with 90 %: what the values need, never under `min_events`."""
    tier = dict(tier_levels(prepared.drift.tiers))[level]
    values = values_needed(comparison, psi=psi, level=level, tier=tier)
    return None if values is None else math.ceil(max(values, prepared.min_events) / comparison.valid_share)


def _needed(prepared: Prepared, comparison: Comparison) -> tuple[Needed, ...]:
    return tuple(
        Needed(
            tier=level.name.lower(),
            psi=psi,
            events=events_needed(prepared, comparison, psi=psi, level=level),
        )
        for level in LEVELS
        for psi in TRUE_PSI
    )


def column_plan_of(prepared: Prepared, comparison: Comparison, *, events: float) -> ColumnPlan:
    """Return what one column shows at one scale in a window of *events*."""
    n = comparison.values(events)
    proven_from = comparison.threshold(prepared.drift.tiers.warning, n)
    return ColumnPlan(
        column=comparison.column,
        bins=comparison.bins,
        values=n,
        concludes=n >= prepared.min_events,
        kappa=comparison.kappa,
        nu=comparison.nu,
        status=comparison.status,
        moves=1.0 + comparison.kappa / (1.0 / n + 1.0 / comparison.m),
        proven_from=proven_from if math.isfinite(proven_from) else None,
        blunt=proven_from > prepared.drift.tiers.critical,
    )
