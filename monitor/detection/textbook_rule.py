"""The textbook rule, for comparison on the same events: plain thresholds, no evidence, no endurance."""

import numpy as np

from monitor.detection.drift_rule import tier_levels
from monitor.detection.evidence import Claim, Level
from monitor.detection.measurements import Measured
from monitor.detection.prepared import Prepared
from monitor.stats.kolmogorov_smirnov import two_sample_ks_p_value
from monitor.types import IncidentKind, Statistic, Tier

KS_P_VALUE = 0.05


def textbook_claims(prepared: Prepared, measured: Measured) -> tuple[Claim, ...]:
    """Return a claim for each monitored column with a PSI above a tier, or else a KS p-value under 0.05."""
    claims = []
    for column in np.flatnonzero(prepared.monitored & measured.conclusive).tolist():
        claim = _psi_claim(prepared, measured, column=column)
        if claim is None and prepared.numeric[column]:
            claim = _p_value_claim(prepared, measured, column=column)
        if claim is not None:
            claims.append(claim)
    return tuple(claims)


def _psi_claim(prepared: Prepared, measured: Measured, *, column: int) -> Claim | None:
    psi = float(measured.psi[column])
    levels = tuple(
        Level(tier=tier, threshold=threshold, in_halves=True, needs_previous=False)
        for tier, threshold in tier_levels(prepared.drift.tiers)
        if psi > threshold
    )
    return _claim(column, Statistic.PSI, value=psi, bound=psi, levels=levels) if levels else None


def _p_value_claim(prepared: Prepared, measured: Measured, *, column: int) -> Claim | None:
    distance = float(measured.distances[column])
    p_value = two_sample_ks_p_value(distance, int(measured.whole.n[column]), int(prepared.reference.n[column]))
    if p_value >= KS_P_VALUE:
        return None
    level = Level(tier=Tier.WARNING, threshold=KS_P_VALUE, in_halves=True, needs_previous=False)
    return _claim(column, Statistic.KS, value=distance, bound=p_value, levels=(level,))


def _claim(column: int, statistic: Statistic, *, value: float, bound: float, levels: tuple[Level, ...]) -> Claim:
    return Claim(
        kind=IncidentKind.DRIFT,
        column=column,
        statistic=statistic,
        value=value,
        bound=bound,
        levels=levels,
        shown=levels[0],
    )
