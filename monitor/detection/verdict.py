"""The verdict of a window: the worst that endured, which columns changed."""

import numpy as np

from monitor.arrays import Float64s
from monitor.detection.measurements import MeasuredWindow
from monitor.detection.prepared_reference import PreparedReference
from monitor.results import Finding
from monitor.stats.false_discovery import benjamini_hochberg, psi_p_value
from monitor.types import IncidentKind, InconclusiveReason, Tier, Verdict

FALSE_DISCOVERY_RATE = 0.05


def moved_columns(prepared: PreparedReference, measured: MeasuredWindow, *, psi_low: Float64s) -> tuple[str, ...]:
    """Return the columns whose PSI is past the warning tier, at most one in twenty of them falsely.

    Less is asked of each than of a finding, which alone may wake somebody: this list is for people who already look.
    First come those whose proven PSI is past the tier, by it; then the others by importance, PSI and name.
    """
    warning = prepared.drift.tiers.warning
    judged = np.flatnonzero(prepared.monitored & measured.conclusive).tolist()
    lows = psi_low.tolist()
    p_values = np.array(
        # What is proven at the rule's own level, far under any of these, needs no second calculation.
        [
            0.0 if lows[conclusion] > warning else _p_value(prepared, measured, column=conclusion, tier=warning)
            for conclusion in judged
        ]
    )
    rejected = benjamini_hochberg(p_values, q=FALSE_DISCOVERY_RATE)
    names = [cells.name for cells in prepared.layout.columns]
    moved = [column for column, moves in zip(judged, rejected.tolist(), strict=True) if moves]
    moved.sort(
        key=lambda column: (
            -lows[column] if lows[column] > warning else 0.0,
            -(prepared.importance[column] or 0.0),
            -float(measured.psi[column]),
            names[column],
        )
    )
    return tuple(names[column] for column in moved)


def _p_value(prepared: PreparedReference, measured: MeasuredWindow, *, column: int, tier: float) -> float:
    psi = float(measured.psi[column])
    if psi <= tier:
        return 1.0  # not past the tier: what is asked is only how sure the others are
    return psi_p_value(
        psi,
        tier=tier,
        bins=int(prepared.order.bins_per_column[column]),
        n=float(measured.whole.n[column]),
        m=float(measured.reference.n[column]),
        kappa=float(measured.movement.kappa[column]),
        level=measured.movement.level_of(column),
    )


def worst_verdict(findings: tuple[Finding, ...]) -> Verdict:
    """Return the verdict of the worst finding that endured, OK without one."""
    worst = max((finding.tier for finding in findings if finding.endured), default=Tier.NONE)
    return Verdict.OK if worst is Tier.NONE else Verdict[worst.name]


def by_weight(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return *findings* with the worst first; ties go by importance, then by name, never by the spec's order."""
    return tuple(
        sorted(
            findings,
            key=lambda finding: (
                not finding.endured,
                -finding.tier,
                finding.kind is not IncidentKind.DATA_QUALITY,
                -finding.bound,
                -(finding.importance or 0.0),
                finding.column,
                finding.statistic,
            ),
        )
    )


def reason_of(prepared: PreparedReference, measured: MeasuredWindow) -> InconclusiveReason:
    """Return why no monitored column of a window could be judged, `CONCLUSIVE` when one could."""
    if (prepared.monitored & measured.conclusive).any():
        return InconclusiveReason.CONCLUSIVE
    if (prepared.warming & (measured.whole.n >= prepared.min_events) & (prepared.reference.n > 0)).any():
        return InconclusiveReason.WARMING_UP
    with_reference = prepared.monitored & (prepared.reference.n > 0)
    return InconclusiveReason.TOO_FEW_EVENTS if with_reference.any() else InconclusiveReason.NO_REFERENCE
