"""What counts of a version's prediction while its own reference is being learnt."""

from dataclasses import replace

from monitor.detection.evidence import Evidence
from monitor.detection.prepared_reference import PreparedReference
from monitor.reference.layout import ColumnRole
from monitor.types import IncidentKind, Tier


def in_warm_up(prepared: PreparedReference, evidence: Evidence) -> Evidence | None:
    """Return *evidence* as it counts in a warm-up, None where it does not.

    A broken prediction is broken. That the score differs from another version's is what a recalibrated version is for;
    that its decisions differ critically is not, so critical drift of the label counts.
    """
    if not prepared.warming[evidence.column] or evidence.kind is IncidentKind.DATA_QUALITY:
        return evidence
    if prepared.layout.columns[evidence.column].role is not ColumnRole.LABEL:
        return None
    levels = tuple(level for level in evidence.levels if level.tier is Tier.CRITICAL)
    return replace(evidence, levels=levels) if levels else None
