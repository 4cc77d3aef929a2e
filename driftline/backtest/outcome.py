"""Values of a backtest: judged windows, incidents with their steps, proposed actions, and the outcome of them all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from alerting.incidents.state import IncidentDecision, IncidentState, Reason, Step
from alerting.notifications.message import sentence_of
from driftline.backtest.psi_history import PsiTracks
from monitor.detection.explanation import values_label
from monitor.results import Finding, WindowResult
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.accuracy_evaluations import FinalAccuracyEvaluation
from monitor.store.actions import IncidentAction
from monitor.types import (
    EvaluationKind,
    IncidentKind,
    InconclusiveReason,
    ModelKey,
    Scale,
    SeriesKey,
    Statistic,
    Tier,
    Verdict,
)
from monitor.units import DAY_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class TextbookVerdict:
    """The textbook rule's verdict on one window, and the columns that it names."""

    verdict: Verdict
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """One evaluated window.

    Attributes:
        findings: Those that endured, worst first, without their sentences.
        result: Only where results are kept.
        textbook: Only where the textbook rule runs as well, and could judge.
    """

    series: SeriesKey
    scale: Scale
    end: int
    kind: EvaluationKind
    driving: bool
    verdict: Verdict
    reason: InconclusiveReason
    events: int
    findings: tuple[Finding, ...]
    result: WindowResult | None = None
    textbook: TextbookVerdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedStep:
    """One step of an incident.

    Attributes:
        end: End (ms) of the window that it was decided on, one of *length* minutes.
        known: When it could be decided (ms): *end*, but of accuracy when its truths were known.
        notified: People would have been notified.
        findings: What the incident is held by after the step, worst first.
    """

    end: int
    length: int
    known: int
    step: Step
    reason: Reason
    tier: Tier
    notified: bool
    sentence: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedIncident:
    """One incident; *resolved_end* (ms) None: open when the history ended."""

    id: str
    kind: IncidentKind
    version: str
    worst: Tier
    first_end: int
    resolved_end: int | None
    steps: tuple[RaisedStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOutcome:
    """One spec on one history.

    Attributes:
        events: Predictions that were counted; *first*, *last*: event times of the history (ms).
        duplicates: Rows that repeat an identity, which ingest does not count either.
        truths: Truths that were known by the end; *labelled*: predictions that met theirs, *correct*: came true.
        accuracies: What became of every window of theirs.
        textbook: Incidents of the textbook rule on the same windows; None where it did not run.
        traffic: Predictions by bucket of *tracks*.
    """

    events: int
    duplicates: int
    truths: int
    labelled: int
    correct: int
    first: int
    last: int
    versions: tuple[str, ...]
    windows: tuple[JudgedWindow, ...]
    incidents: tuple[RaisedIncident, ...]
    textbook: tuple[RaisedIncident, ...] | None
    actions: tuple[IncidentAction, ...]
    accuracies: tuple[FinalAccuracyEvaluation, ...]
    traffic: tuple[int, ...]
    tracks: PsiTracks

    @property
    def days(self) -> float:
        """Days of event time from the first to the last event."""
        return (self.last - self.first) / DAY_MILLIS


def raised_step(
    model: ModelKey,
    decision: IncidentDecision,
    state: IncidentState,
    *,
    known: int,
    unseen: Mapping[str, FrequentValues] = MappingProxyType({}),
) -> RaisedStep:
    """Return the step that *decision* was, which could be made at *known* (ms) and led to *state*.

    Args:
        unseen: Values by column that the reference never had, of columns with such a finding.
    """
    findings = tuple(_with_values(finding, unseen) for finding in state.findings)
    return RaisedStep(
        end=decision.window_end,
        length=decision.length,
        known=known,
        step=decision.step,
        reason=decision.reason,
        tier=decision.tier,
        notified=decision.notifies,
        sentence=sentence_of(model, decision, findings, retired=state.retired),
        findings=findings,
    )


def _with_values(finding: Finding, unseen: Mapping[str, FrequentValues]) -> Finding:
    """Return *finding* with the values that were unseen: a backtest's files stay with those who have the data."""
    if finding.statistic is not Statistic.UNSEEN or finding.column not in unseen:
        return finding
    sentence = f"{finding.sentence} Unseen: {values_label(unseen[finding.column])}."
    return msgspec.structs.replace(finding, sentence=sentence)


def raised_incidents(steps: Iterable[tuple[IncidentState, RaisedStep]]) -> tuple[RaisedIncident, ...]:
    """Return the incidents that took these steps, each with the state after it, in order of their first window."""
    last: dict[str, IncidentState] = {}
    steps_by_id: dict[str, list[RaisedStep]] = {}
    for state, step in steps:
        last[state.id] = state
        steps_by_id.setdefault(state.id, []).append(step)
    incidents = [
        RaisedIncident(
            id=state.id,
            kind=state.kind,
            version=state.version,
            worst=state.worst,
            first_end=state.first_end,
            resolved_end=state.resolved_end,
            steps=tuple(steps_by_id[state.id]),
        )
        for state in last.values()
    ]
    return tuple(sorted(incidents, key=lambda incident: (incident.first_end, incident.kind, incident.version)))
