"""What a backtest found: every judged window, every incident with its steps, every action that was proposed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from alerting.incidents.state import Decision, IncidentState, Reason, Step
from alerting.notifications.message import sentence_of
from driftline.backtest.psi_history import PsiTracks
from monitor.detection.explanation import values_label
from monitor.results import Finding, WindowResult
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.accuracy_evaluations import FinalPerformance
from monitor.types import (
    ActionKind,
    ActionState,
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
class TextbookWord:
    """What the textbook rule says of one window: its verdict, and the columns that it names."""

    verdict: Verdict
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """One evaluation.

    Attributes:
        findings: Those that endured, worst first, without their sentences.
        result: Only where results are kept.
        textbook: Only where the textbook rule runs beside, and could judge.
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
    textbook: TextbookWord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedStep:
    """One step of an incident.

    Attributes:
        end: End (ms) of the window that it was decided on, one of *length* minutes.
        known: When it could be decided (ms): *end*, but of accuracy when its truths were known.
        told: People would have been told.
        findings: What the incident is held by after the step, worst first.
    """

    end: int
    length: int
    known: int
    step: Step
    reason: Reason
    tier: Tier
    told: bool
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
class ProposedAction:
    """What an incident asked for: ``dry_run`` when it would have been sent, ``refused`` with the reason."""

    incident_id: str
    kind: ActionKind
    state: ActionState
    reason: str
    from_version: str
    to_version: str | None
    end: int


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
        evaluate_cpu_seconds: CPU of this process for deciding, reading the counts included.
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
    actions: tuple[ProposedAction, ...]
    accuracies: tuple[FinalPerformance, ...]
    traffic: tuple[int, ...]
    tracks: PsiTracks
    evaluate_cpu_seconds: float

    @property
    def days(self) -> float:
        """Days of event time from the first to the last event."""
        return (self.last - self.first) / DAY_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One step that was taken.

    Attributes:
        state: The incident as it is after it.
        known: When it could be decided (ms).
        unseen: Values by column that the reference never had, of the columns that were found so.
    """

    decision: Decision
    state: IncidentState
    known: int
    unseen: Mapping[str, FrequentValues] = field(default_factory=dict)


def raised_incidents(taken: Sequence[Taken], *, model: ModelKey) -> tuple[RaisedIncident, ...]:
    """Return the incidents that took these steps, in order of their first window."""
    by_id: dict[str, list[Taken]] = {}
    for action in taken:
        by_id.setdefault(action.state.id, []).append(action)
    found = [_incident(steps, model) for steps in by_id.values()]
    return tuple(sorted(found, key=lambda value: (value.first_end, value.kind, value.version)))


def _incident(taken: list[Taken], model: ModelKey) -> RaisedIncident:
    last = taken[-1].state
    return RaisedIncident(
        id=last.id,
        kind=last.kind,
        version=last.version,
        worst=last.worst,
        first_end=last.first_end,
        resolved_end=last.resolved_end,
        steps=tuple(_step(action, model) for action in taken),
    )


def _step(taken: Taken, model: ModelKey) -> RaisedStep:
    decision, findings = taken.decision, tuple(_named(finding, taken.unseen) for finding in taken.state.findings)
    return RaisedStep(
        end=decision.window_end,
        length=decision.length,
        known=taken.known,
        step=decision.step,
        reason=decision.reason,
        tier=decision.tier,
        told=decision.notifies,
        sentence=sentence_of(model, decision, findings),
        findings=findings,
    )


def _named(finding: Finding, unseen: Mapping[str, FrequentValues]) -> Finding:
    """Return *finding* with the values that were unseen; a backtest's files stay with whoever has the data."""
    if finding.statistic is not Statistic.UNSEEN or finding.column not in unseen:
        return finding
    sentence = f"{finding.sentence} Unseen: {values_label(unseen[finding.column])}."
    return msgspec.structs.replace(finding, sentence=sentence)
