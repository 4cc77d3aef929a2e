"""Decides one closed window in two steps: what it proves by itself, the conclusion with the previous window.

The previous disjoint window costs another read, so a caller loads it only where `ExaminedWindow.needs_previous`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from monitor.arrays import Float64s
from monitor.detection.anytime_rule import PaneCounts, anytime_evidence, with_anytime
from monitor.detection.closing import calm_below, restless_columns
from monitor.detection.drift_rule import PreviousWindow, drift_evidence, psi_lower_bounds
from monitor.detection.evidence import Evidence, EvidenceOutcome, TierLevel, evidence_outcome
from monitor.detection.explanation import finding_sentence, inconclusive_sentence, window_sentence
from monitor.detection.measurements import MeasuredWindow, column_results, measure_window, unjudged_results
from monitor.detection.prepared_reference import PreparedReference
from monitor.detection.quality_rule import share_evidence, share_shown_before, stuck_evidence
from monitor.detection.seasonal import WindowHours
from monitor.detection.textbook_rule import textbook_evidence
from monitor.detection.verdict import by_weight, moved_columns, reason_of, worst_verdict
from monitor.detection.warm_up import in_warm_up
from monitor.number_codec import ten_digits
from monitor.results import ColumnResult, Finding, WindowResult
from monitor.spec.model import DriftRule
from monitor.stats.columnar import Counts
from monitor.types import IncidentKind, InconclusiveReason, Scale, Statistic, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedWindow:
    """What a window proves by itself.

    Attributes:
        measured: None where the window has too few events.
        psi_low: Shape ``(columns,)``; NaN where PSI passed no tier.
    """

    scale: Scale
    events: int
    measured: MeasuredWindow | None
    psi_low: Float64s
    evidence: tuple[Evidence, ...]
    columns: tuple[ColumnResult, ...]

    @property
    def needs_previous(self) -> bool:
        """Whether the previous disjoint window can change the conclusion."""
        return any(piece.needs_previous for piece in self.evidence)


def watches_panes(prepared: PreparedReference, scale: Scale) -> bool:
    """Return whether windows of *scale* are to come with their panes."""
    return prepared.anytime is not None and prepared.anytime.length == scale.length


def examine_window(
    prepared: PreparedReference,
    *,
    scale: Scale,
    first_half: Counts,
    second_half: Counts,
    events: int,
    hours: WindowHours | None = None,
    panes: Sequence[PaneCounts] = (),
) -> ExaminedWindow:
    """Return what one window proves by itself.

    Args:
        first_half, second_half: Shape ``(layout.size,)``, any integer type.
        events: Events counted in the window.
        hours: When the events came; needed where `prepared.seasonal` is not None.
        panes: The window's counts cut finer, in order of time; looked at where `watches_panes` says so.

    Raises:
        BinMismatchError: Counts of another layout.
        KeyError: *scale* is none of the spec's.
        ValueError: Columns are compared by the hour, and *hours* is None.
    """
    nothing = np.full(len(prepared.layout.columns), np.nan)
    if events == 0:
        return ExaminedWindow(scale=scale, events=0, measured=None, psi_low=nothing, evidence=(), columns=())
    if events < prepared.min_events:
        columns = unjudged_results(prepared, prepared.sample(np.add(first_half, second_half, dtype=np.int64)))
        return ExaminedWindow(scale=scale, events=events, measured=None, psi_low=nothing, evidence=(), columns=columns)
    measured = measure_window(
        prepared, scale=scale, first_half=first_half, second_half=second_half, events=events, hours=hours
    )
    return _examined(prepared, measured, panes)


def examine_again(prepared: PreparedReference, examined: ExaminedWindow) -> ExaminedWindow:
    """Return what the numbers of an examined window prove by *prepared*, another rule on the same reference.

    Not where columns are compared by the hour: those numbers are of another reference.
    """
    return examined if examined.measured is None else _examined(prepared, examined.measured, panes=())


def _examined(prepared: PreparedReference, measured: MeasuredWindow, panes: Sequence[PaneCounts]) -> ExaminedWindow:
    if prepared.drift.rule is DriftRule.TEXTBOOK:
        psi_low = np.full(len(prepared.layout.columns), np.nan)
        evidence = textbook_evidence(prepared, measured)
    else:
        psi_low = psi_lower_bounds(prepared, measured)
        evidence = drift_evidence(prepared, measured, psi_low=psi_low)
        if prepared.anytime is not None and watches_panes(prepared, measured.scale):
            evidence = with_anytime(evidence, anytime_evidence(prepared.anytime, panes))
    evidence = tuple(stuck_evidence(prepared, measured, piece) or piece for piece in evidence)
    if prepared.warming.any():
        evidence = tuple(piece for piece in map(partial(in_warm_up, prepared), evidence) if piece is not None)
        hidden = prepared.warming.copy()
        hidden[[piece.column for piece in evidence if piece.kind is IncidentKind.DRIFT]] = False
        psi_low = np.where(hidden, np.nan, psi_low)
        measured = replace(measured, conclusive=measured.conclusive & ~hidden)
    return ExaminedWindow(
        scale=measured.scale,
        events=measured.events,
        measured=measured,
        psi_low=psi_low,
        evidence=(*share_evidence(prepared, measured), *evidence),
        columns=column_results(prepared, measured, psi_low=psi_low),
    )


def conclude_window(
    prepared: PreparedReference, examined: ExaminedWindow, *, previous: Counts | None = None, previous_events: int = 0
) -> WindowResult:
    """Return the decision about an examined window.

    Args:
        previous, previous_events: Counts of ``[end - 2 W, end - W)``; None is "not there": nothing endures it.

    Raises:
        BinMismatchError: Counts of another layout.
    """
    measured = examined.measured
    if measured is None:
        reason = InconclusiveReason.TOO_FEW_EVENTS if examined.events else InconclusiveReason.NO_EVENTS
        return _inconclusive(prepared, examined, reason)
    before = None
    if previous is not None and previous_events >= prepared.min_events and examined.needs_previous:
        before = PreviousWindow(prepared=prepared, measured=measured, sample=prepared.sample(previous))
    findings = _findings(prepared, measured, evidence=examined.evidence, before=before)
    reason = reason_of(prepared, measured)
    if reason and not any(finding.endured for finding in findings):
        return _inconclusive(prepared, examined, reason, findings=findings)
    drifts = any(finding.kind is IncidentKind.DRIFT and finding.endured for finding in findings)
    by_evidence = drifts and prepared.drift.rule is DriftRule.DEFAULT
    restless = restless_columns(prepared, measured, findings)
    return WindowResult(
        verdict=worst_verdict(findings),
        events=examined.events,
        columns=examined.columns,
        findings=findings,
        moved=moved_columns(prepared, measured, psi_low=examined.psi_low) if by_evidence else (),
        calm_below=calm_below(restless),
        restless=restless,
        quality_calm=not any(finding.kind is IncidentKind.DATA_QUALITY for finding in findings),
        sentence=window_sentence(prepared, measured, findings),
    )


def _inconclusive(
    prepared: PreparedReference,
    examined: ExaminedWindow,
    reason: InconclusiveReason,
    *,
    findings: tuple[Finding, ...] = (),
) -> WindowResult:
    return WindowResult(
        verdict=Verdict.INCONCLUSIVE,
        events=examined.events,
        columns=examined.columns,
        findings=findings,
        reason=reason,
        sentence=inconclusive_sentence(
            reason, events=examined.events, min_events=prepared.min_events, minutes=examined.scale.length
        ),
    )


def _findings(
    prepared: PreparedReference,
    measured: MeasuredWindow,
    *,
    evidence: tuple[Evidence, ...],
    before: PreviousWindow | None,
) -> tuple[Finding, ...]:
    def shown_before(piece: Evidence, level: TierLevel) -> bool:
        return before is not None and _shown_before(prepared, measured, before, evidence=piece, level=level)

    outcomes = [evidence_outcome(piece, shown_before=shown_before) for piece in evidence]
    quality = [outcome for outcome in outcomes if outcome.evidence.kind is IncidentKind.DATA_QUALITY]
    # Where a field is broken, what is left of it is no sample of what the model sees: its PSI stays as a number
    # in the column's result, but is not reported a second time as drift, which could ask for a retraining. Another
    # unit moves every value at once: the drift waits from when it is proven, not only from when both halves show it.
    broken = {
        outcome.evidence.column for outcome in quality if outcome.endured or outcome.evidence.statistic is Statistic.FAR
    }
    drift = [outcome for outcome in outcomes if outcome.evidence.kind is not IncidentKind.DATA_QUALITY]
    kept = [*quality, *(outcome for outcome in drift if outcome.evidence.column not in broken)]
    return by_weight(tuple(_finding(prepared, measured, outcome) for outcome in kept))


def _shown_before(
    prepared: PreparedReference,
    measured: MeasuredWindow,
    before: PreviousWindow,
    *,
    evidence: Evidence,
    level: TierLevel,
) -> bool:
    if evidence.kind is IncidentKind.DRIFT:
        return before.proves_psi(evidence.column, tier=level.threshold)
    if evidence.statistic is Statistic.STUCK:
        return before.proves_psi(evidence.column, tier=prepared.drift.tiers.warning)
    return share_shown_before(
        prepared,
        measured,
        before.sample,
        column=evidence.column,
        statistic=evidence.statistic,
        tolerance=level.threshold,
    )


def _finding(prepared: PreparedReference, measured: MeasuredWindow, settled: EvidenceOutcome) -> Finding:
    evidence = settled.evidence
    column = prepared.layout.columns[evidence.column]
    return Finding(
        kind=evidence.kind,
        column=column.name,
        statistic=evidence.statistic,
        tier=settled.level.tier,
        endured=settled.endured,
        value=ten_digits(evidence.value),
        bound=ten_digits(evidence.bound),
        threshold=settled.level.threshold,
        role=column.role.value,
        importance=prepared.importance[evidence.column],
        sentence=finding_sentence(prepared, measured, settled),
    )
