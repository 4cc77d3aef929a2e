"""Findings of generated windows: drift of a column, a broken field, accuracy that fell."""

from monitor.reference.layout import ColumnRole
from monitor.results import Finding
from monitor.types import IncidentKind, Statistic, Tier

IMPORTANCE = {"income": 0.5, "age": 0.3}
BROKEN_COLUMN = "age"


def drift_finding(column: str, tier: Tier, psi: float, *, threshold: float) -> Finding:
    """Return the endured drift of one column."""
    importance = IMPORTANCE.get(column)
    return Finding(
        kind=IncidentKind.DRIFT,
        column=column,
        statistic=Statistic.PSI,
        tier=tier,
        endured=True,
        value=psi,
        bound=psi,
        threshold=threshold,
        role="feature" if importance else {"score": ColumnRole.SCORE, "label": ColumnRole.LABEL}[column],
        importance=importance,
    )


def broken_finding() -> Finding:
    """Return a field that is missing in four of ten events."""
    return Finding(
        kind=IncidentKind.DATA_QUALITY,
        column=BROKEN_COLUMN,
        statistic=Statistic.MISSING,
        tier=Tier.CRITICAL,
        endured=True,
        value=0.4,
        bound=0.3,
        threshold=0.02,
    )


def less_accurate(tier: Tier, share: float, threshold: float) -> Finding:
    """Return accuracy that fell to *share*."""
    return Finding(
        kind=IncidentKind.PERFORMANCE,
        column="",
        statistic=Statistic.ACCURACY,
        tier=tier,
        endured=True,
        value=share,
        bound=share,
        threshold=threshold,
        role="performance",
    )
