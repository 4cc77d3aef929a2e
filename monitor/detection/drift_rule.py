"""The default rule for drift: effect and evidence in one number, and endurance (statistics §3.1-3.3)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.detection.comparison import Sample
from monitor.detection.evidence import Evidence, TierLevel
from monitor.detection.measurements import HalfWindow, MeasuredWindow, column_psi
from monitor.detection.prepared_reference import PreparedReference
from monitor.detection.scale_movement import ScaleMovement
from monitor.spec.model import TierSpec
from monitor.stats.psi_bounds import (
    chance_level,
    distance_lower_bound,
    proven_lower_bounds,
)
from monitor.stats.psi_variance import variance_lower_bounds
from monitor.types import Statistic, Tier


def tier_levels(tiers: TierSpec) -> tuple[tuple[Tier, float], ...]:
    """Return each tier with its PSI, the highest first."""
    return ((Tier.CRITICAL, tiers.critical), (Tier.ALERT, tiers.alert), (Tier.WARNING, tiers.warning))


def psi_lower_bounds(prepared: PreparedReference, measured: MeasuredWindow) -> Float64s:
    """Return the proven bound of each column whose PSI passed the warning tier, NaN of the others.

    It is the smaller of two: by the index alone, and by its variance too, without which a bin that empties would pass
    for more than it is. Both have their price, so they are asked only where they can matter.
    """
    return _lower_bounds(
        prepared,
        measured.movement,
        reference=measured.reference,
        current=measured.whole,
        psi=measured.psi,
        conclusive=measured.conclusive,
    )


def _lower_bounds(
    prepared: PreparedReference,
    movement: ScaleMovement,
    *,
    reference: Sample,
    current: Sample,
    psi: Float64s,
    conclusive: Mask,
) -> Float64s:
    lows = np.full(len(psi), np.nan)
    passed = conclusive & (psi > prepared.drift.tiers.warning)
    if passed.any():
        lows[passed] = proven_lower_bounds(
            psi[passed],
            bins=prepared.order.bins_per_column[passed],
            n=current.n[passed],
            m=reference.n[passed],
            kappa=movement.kappa[passed],
            level=movement.levels(prepared.order.bins_per_column, n=current.n, m=reference.n, columns=passed),
            alpha=prepared.alpha,
        )
        by_variance = variance_lower_bounds(
            reference.bins,
            current.bins,
            starts=prepared.order.columns_of_bins,
            kappa=movement.kappa,
            alpha=prepared.alpha,
        )
        lows = np.minimum(lows, by_variance)
    return lows


def drift_evidence(prepared: PreparedReference, measured: MeasuredWindow, *, psi_low: Float64s) -> tuple[Evidence, ...]:
    """Return the evidence of each monitored column, one piece at most: by PSI, else by the KS distance.

    Args:
        psi_low: As from `psi_lower_bounds`.
    """
    by_psi = prepared.monitored & (psi_low > prepared.drift.tiers.warning)
    far_apart = measured.distances > prepared.drift.ks_warning
    by_distance = prepared.monitored & prepared.numeric & measured.conclusive & far_apart
    evidence = {}
    for column in np.flatnonzero(by_psi).tolist():
        evidence[column] = _psi_evidence(prepared, measured, column=column, bound=float(psi_low[column]))
    for column in np.flatnonzero(by_distance).tolist():
        # D may endure where PSI does not; a column is reported once, by what can be acted on.
        if column in evidence and any(level.in_halves for level in evidence[column].levels):
            continue
        by_ks = _distance_evidence(prepared, measured, column=column)
        if by_ks is not None and (column not in evidence or by_ks.shown.in_halves):
            evidence[column] = by_ks
    return tuple(evidence[column] for column in sorted(evidence))


@dataclass(frozen=True, kw_only=True)
class PreviousWindow:
    """The disjoint window before a measured one, judged by the same reference and movement."""

    prepared: PreparedReference
    measured: MeasuredWindow
    sample: Sample

    @cached_property
    def psi_low(self) -> Float64s:
        """The proven PSI of each column, shape ``(columns,)``; NaN where PSI passed no tier or values are too few."""
        prepared, reference = self.prepared, self.prepared.reference_of(self.measured.previous_hours)
        return _lower_bounds(
            prepared,
            self.measured.movement,
            reference=reference,
            current=self.sample,
            psi=column_psi(prepared, reference=reference, current=self.sample),
            conclusive=(self.sample.n >= prepared.min_events) & (reference.n > 0),
        )

    def proves_psi(self, column: int, *, tier: float) -> bool:
        """Return whether this window proves a PSI above *tier* by itself."""
        return bool(self.psi_low[column] > tier)


def _psi_evidence(prepared: PreparedReference, measured: MeasuredWindow, *, column: int, bound: float) -> Evidence:
    halves = [_half_excess(prepared, measured, half, column=column) for half in measured.halves]
    levels = tuple(
        TierLevel(tier=tier, threshold=limit, in_halves=min(halves) > limit, needs_previous=tier is not Tier.WARNING)
        for tier, limit in tier_levels(prepared.drift.tiers)
        if bound > limit
    )
    psi = float(measured.psi[column])
    return Evidence(column=column, statistic=Statistic.PSI, value=psi, bound=bound, levels=levels)


def _half_excess(prepared: PreparedReference, measured: MeasuredWindow, half: HalfWindow, *, column: int) -> float:
    """Return the half's PSI without what sampling and natural movement add on average; -1 without values."""
    n, m = int(half.sample.n[column]), float(half.reference.n[column])
    if n == 0:
        return -1.0
    bins, kappa = int(prepared.order.bins_per_column[column]), float(measured.movement.kappa_half[column])
    return float(half.psi[column]) - chance_level(bins=bins, n=n, m=m, kappa=kappa)


def _distance_evidence(prepared: PreparedReference, measured: MeasuredWindow, *, column: int) -> Evidence | None:
    distance, limit = float(measured.distances[column]), prepared.drift.ks_warning
    levels = measured.movement.levels(
        prepared.order.bins_per_column, n=measured.whole.n, m=measured.reference.n, columns=[column]
    )
    low = distance_lower_bound(
        distance,
        n=int(measured.whole.n[column]),
        m=float(measured.reference.n[column]),
        kappa=float(measured.movement.kappa[column]),
        level=float(levels[0]),
        alpha=prepared.alpha,
    )
    if low <= limit:
        return None
    in_halves = all(float(half.distances[column]) > limit for half in measured.halves)
    level = TierLevel(tier=Tier.WARNING, threshold=limit, in_halves=in_halves, needs_previous=False)
    return Evidence(column=column, statistic=Statistic.KS, value=distance, bound=low, levels=(level,))
