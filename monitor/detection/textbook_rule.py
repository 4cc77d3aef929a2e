"""The textbook rule, for comparison on the same events: plain thresholds, no evidence, no endurance."""

import numpy as np

from monitor.detection.drift_rule import tier_levels
from monitor.detection.evidence import Evidence, TierLevel
from monitor.detection.measurements import MeasuredWindow
from monitor.detection.prepared_reference import PreparedReference
from monitor.stats.kolmogorov_smirnov import two_sample_ks_p_value
from monitor.types import Statistic, Tier

KS_P_VALUE = 0.05


def textbook_evidence(prepared: PreparedReference, measured: MeasuredWindow) -> tuple[Evidence, ...]:
    """Return the evidence of each monitored column with a PSI above a tier, or else a KS p-value under 0.05."""
    judged = np.flatnonzero(prepared.monitored & measured.conclusive).tolist()
    pieces = (_by_psi(prepared, measured, column) or _by_p_value(prepared, measured, column) for column in judged)
    return tuple(piece for piece in pieces if piece is not None)


def _by_psi(prepared: PreparedReference, measured: MeasuredWindow, column: int) -> Evidence | None:
    psi = float(measured.psi[column])
    levels = tuple(
        TierLevel(tier=tier, threshold=threshold, in_halves=True, needs_previous=False)
        for tier, threshold in tier_levels(prepared.drift.tiers)
        if psi > threshold
    )
    if not levels:
        return None
    return Evidence(column=column, statistic=Statistic.PSI, value=psi, bound=psi, levels=levels)


def _by_p_value(prepared: PreparedReference, measured: MeasuredWindow, column: int) -> Evidence | None:
    if not prepared.numeric[column]:
        return None
    distance = float(measured.distances[column])
    p_value = two_sample_ks_p_value(distance, int(measured.whole.n[column]), int(prepared.reference.n[column]))
    if p_value >= KS_P_VALUE:
        return None
    level = TierLevel(tier=Tier.WARNING, threshold=KS_P_VALUE, in_halves=True, needs_previous=False)
    return Evidence(column=column, statistic=Statistic.KS, value=distance, bound=p_value, levels=(level,))
