"""What a backtest found: every judged window, every incident with its steps, every action that was proposed."""

from dataclasses import dataclass

from monitor.evaluate.results import EvaluationKind
from monitor.findings import Finding, WindowResult
from monitor.types import IncidentKind, Scale, SeriesKey, Tier, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWindow:
    """One evaluation; *findings* those that endured, worst first; *result* only where results are kept."""

    series: SeriesKey
    scale: Scale
    end: int
    kind: EvaluationKind
    driving: bool
    verdict: Verdict
    reason: str
    events: int
    findings: tuple[Finding, ...]
    result: WindowResult | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedStep:
    """One step of an incident, decided on the windows that end at *end* (ms); *findings* of them, worst first."""

    end: int
    step: str
    reason: str
    tier: Tier
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
    """What an incident asked for: ``dispatching`` or ``dry_run`` when granted, ``refused`` with the reason."""

    incident_id: str
    kind: str
    state: str
    reason: str
    from_version: str
    to_version: str | None
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOutcome:
    """One spec on one history.

    Attributes:
        events: Predictions that were counted; *first*, *last*: event times of the history (ms).
        truths: Truths that were counted.
        evaluate_cpu_seconds: CPU of this process for deciding, reading the counts included.
    """

    events: int
    truths: int
    first: int
    last: int
    windows: tuple[JudgedWindow, ...]
    incidents: tuple[RaisedIncident, ...]
    actions: tuple[ProposedAction, ...]
    evaluate_cpu_seconds: float

    @property
    def days(self) -> float:
        """Days of event time from the first to the last event."""
        return (self.last - self.first) / 86_400_000
