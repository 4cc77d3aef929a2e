"""From findings to a verdict: the worst that endured, and whether open incidents may calm down."""

import numpy as np

from monitor.decide.measure import Measured
from monitor.decide.prepare import Prepared
from monitor.findings import Finding
from monitor.types import IncidentKind, Tier, Verdict


def worst_verdict(findings: tuple[Finding, ...]) -> Verdict:
    """Return the verdict of the worst finding that endured, OK without one."""
    worst = max((each.tier for each in findings if each.endured), default=Tier.NONE)
    return Verdict.OK if worst is Tier.NONE else Verdict[worst.name]


def by_weight(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return *findings* with the worst first; ties go by importance, then by name, never by the spec's order."""
    return tuple(
        sorted(
            findings,
            key=lambda each: (
                not each.endured,
                -each.tier,
                each.kind is not IncidentKind.DATA_QUALITY,
                -each.bound,
                -(each.importance or 0.0),
                each.column,
                each.statistic,
            ),
        )
    )


def calm_below(prepared: Prepared, measured: Measured, findings: tuple[Finding, ...]) -> tuple[bool, bool, bool] | None:
    """Return for warning, alert and critical whether every monitored column is under the closing threshold.

    None where no monitored column could be judged. A column that cannot be judged because its field is broken is
    not calm: bad data closes no incident.
    """
    judged = prepared.monitored & measured.conclusive
    if not judged.any():
        return None
    broken = {each.column for each in findings if each.kind is IncidentKind.DATA_QUALITY}
    names = [column.name for column in prepared.layout.columns]
    if any(name in broken and not conclusive for name, conclusive in zip(names, measured.conclusive, strict=True)):
        return (False, False, False)
    ratio, tiers = prepared.drift.close_ratio, prepared.drift.tiers
    psi = float(measured.psi[judged].max())
    distances = measured.distances[judged & prepared.numeric]
    drift = max((each.tier for each in findings if each.kind is IncidentKind.DRIFT), default=Tier.NONE)
    return (
        psi < ratio * tiers.warning
        and bool(np.all(distances < ratio * prepared.drift.ks_warning))
        # The textbook rule's p-value makes findings of distances that are calm by size.
        and drift is Tier.NONE,
        psi < ratio * tiers.alert,
        psi < ratio * tiers.critical,
    )


def reason_of(prepared: Prepared, measured: Measured) -> str:
    """Return why no monitored column of a window could be judged, empty when one could."""
    if (prepared.monitored & measured.conclusive).any():
        return ""
    with_reference = prepared.monitored & (prepared.reference.n > 0)
    return "too_few_events" if with_reference.any() else "no_reference"
