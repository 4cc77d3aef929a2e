"""One model under guard without a database: windows drawn as letters move its incidents, which ask for actions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from alerting.actions.circumstances import ModelFacts
from alerting.actions.proposals import ActionProposals
from alerting.actions.sightings import DecisionSource, no_decisions
from alerting.actions.windows import ConclusiveWindow
from alerting.incidents.tracker import IncidentTracker, incident_rules
from monitor.performance.error_movement import ErrorMovement
from monitor.results import Finding, WindowResult
from monitor.spec.file import parse_spec
from monitor.store.actions import ActionRow
from monitor.types import (
    ActionKind,
    ActionState,
    EvaluationKind,
    IncidentKind,
    InconclusiveReason,
    Scale,
    SeriesKey,
    Stage,
    Statistic,
    Tier,
    Verdict,
)
from monitor.units import MINUTE_MILLIS

SPEC = """\
model: credit
task: binary_classification
reference: credit.profile
columns: {{income: {{kind: numeric, importance: 0.5}}, age: {{kind: numeric, importance: 0.2}}}}
prediction: {{score: true}}
windows: {{scales: {scales}}}
alerting: {{owner: team, runbook: https://example.org/runbook}}
actions:
  retraining: {{mode: auto, url: https://example.org/hook, secret_env: SECRET}}
  rollback: {{mode: auto, url: https://example.org/hook, secret_env: SECRET{rollback}}}
"""
RANDOM_SPLIT = ", random_split: true"
TIERS = {"w": Tier.WARNING, "a": Tier.ALERT, "c": Tier.CRITICAL}
LATE = 90_000
"""How long (ms) after its end a window is worked, unless a test says otherwise."""


@dataclass(frozen=True)
class Event:
    """A deployment event."""

    version: str
    event_time: int
    stage: Stage
    traffic: float | None = None
    assumed: bool = False


@dataclass(frozen=True)
class Line:
    """Windows of one version and column: a letter for each end.

    ``.`` calm, ``~`` neither a finding nor calm, ``w`` ``a`` ``c`` a finding of that tier, ``?`` inconclusive, a space
    no window. Without a *column* it is accuracy, *correct* of *labelled*.
    """

    version: str
    letters: str
    column: str | None = None
    labelled: int = 1000
    correct: int = 950
    truths_after: int = 0

    @property
    def kind(self) -> EvaluationKind:
        return EvaluationKind.PERFORMANCE if self.column is None else EvaluationKind.INPUTS


def score(version: str, letters: str) -> Line:
    """Return windows of a version's score."""
    return Line(version, letters, column="score")


def labels(version: str, letters: str, *, correct: int, labelled: int = 1000, truths_after: int = 0) -> Line:
    """Return windows of a version's accuracy."""
    return Line(version, letters, labelled=labelled, correct=correct, truths_after=truths_after)


@dataclass(frozen=True)
class Judged:
    """One judged window as the tracker takes it."""

    series: SeriesKey
    scale: Scale
    window_end: int
    kind: EvaluationKind
    result: WindowResult
    driving: bool = True


@dataclass(frozen=True)
class JudgedEnd:
    """All windows of one end."""

    window_end: int
    evaluations: Sequence[Judged]


@dataclass
class MemoryArchive:
    """Conclusive windows in memory."""

    windows: dict[tuple[str, EvaluationKind, int], list[ConclusiveWindow]] = field(default_factory=dict)

    def add(self, version: str, kind: EvaluationKind, window: ConclusiveWindow) -> None:
        self.windows.setdefault((version, kind, window.length), []).append(window)

    def newest(
        self, version: str, kind: EvaluationKind, *, length: int, first_end: int, last_end: int
    ) -> ConclusiveWindow | None:
        known = self.windows.get((version, kind, length), [])
        return max(
            (window for window in known if first_end <= window.end <= last_end),
            key=lambda window: window.end,
            default=None,
        )

    def oldest_mature(self, version: str, *, length: int, first_end: int, last_end: int) -> ConclusiveWindow | None:
        """Return the oldest one of accuracy that ends in ``[first_end, last_end]`` (ms)."""
        known = self.windows.get((version, EvaluationKind.PERFORMANCE, length), ())
        fitting = (window for window in known if first_end <= window.end <= last_end)
        return min(fitting, key=lambda window: window.end, default=None)


class GuardedModel:
    """Incidents and actions of one model; its windows are worked end by end, as the alerter does."""

    def __init__(
        self, *history: Event, scales: str = "[{length: 10m, step: 5m}]", rollback: str = RANDOM_SPLIT
    ) -> None:
        self.spec = parse_spec(SPEC.format(scales=scales, rollback=rollback), source="spec")
        self.history = list(history)
        self.archive = MemoryArchive()
        self.decisions: DecisionSource = no_decisions
        self.movement: ErrorMovement | None = ErrorMovement({5: 0.005, 10: 0.0025})
        self.actions: list[ActionRow] = []
        self.refusals: list[tuple[ActionKind, str]] = []
        self.evidence: list[str] = []
        self.tracker = IncidentTracker(model=self.spec.key, rules=incident_rules(self.spec), now_millis=0, states={})

    def play(self, *lines: Line, start: int, late: int = LATE, scale: Scale | None = None) -> None:
        """Work the lines' windows from *start* on, *late* after their ends."""
        scale = scale or self.spec.scales[0]
        for index in range(max(len(line.letters) for line in lines)):
            end = start + index * scale.step * MINUTE_MILLIS
            of_end = [(line, line.letters[index]) for line in lines if line.letters[index : index + 1].strip()]
            self._work(end, _judged(of_end, end, scale), now=end + late)

    def _work(self, end: int, windows: Sequence[tuple[Judged, Line]], *, now: int) -> None:
        for judged, line in windows:
            if judged.result.verdict is not Verdict.INCONCLUSIVE:
                self.archive.add(line.version, judged.kind, _conclusive(judged, line))
        self.tracker.now_millis = now
        outcome = self.tracker.feed(JudgedEnd(end, [judged for judged, _ in windows]))
        proposals = self._proposals(now)
        for candidate in outcome.candidates:
            proposals.ask(candidate)
        self.actions = proposals.earlier
        self.evidence += [newest.evidence for newest in proposals.newest if newest.evidence not in self.evidence[-1:]]
        self.refusals += [(row.kind, row.reason) for row in proposals.refused.values()]

    def _proposals(self, now: int) -> ActionProposals:
        facts = ModelFacts(
            spec=self.spec,
            actions_enabled=True,
            now_millis=now,
            history=sorted(self.history, key=lambda event: event.event_time),
            archive=self.archive,
            decisions=self.decisions,
            error_movement=lambda: self.movement,
        )
        return ActionProposals(facts=facts, model_id=1, tracker=self.tracker, earlier=list(self.actions))

    def add(self, *events: Event) -> None:
        """Add what people, or an accepted rollback, change about who serves."""
        self.history += events

    def settle(self, state: ActionState) -> None:
        """Say what came of the newest action."""
        self.actions[-1] = replace(self.actions[-1], state=state)

    def of(self, kind: ActionKind) -> list[tuple[str, str]]:
        """Return state and reason of each action of *kind* that was not refused."""
        return [(action.state.value, action.reason) for action in self.actions if action.kind is kind]

    def sent(self, kind: ActionKind) -> list[ActionRow]:
        """Return what went out without a person."""
        return [action for action in self.actions if action.kind is kind and action.state is ActionState.DISPATCHING]

    def refused(self, kind: ActionKind) -> set[str]:
        """Return the reasons for which actions of *kind* were refused."""
        return {reason for refused, reason in self.refusals if refused is kind}


def finding(letter: str, column: str | None) -> Finding:
    """Return the endured finding of one letter."""
    return Finding(
        kind=IncidentKind.PERFORMANCE if column is None else IncidentKind.DRIFT,
        column=column or "",
        statistic=Statistic.ACCURACY if column is None else Statistic.PSI,
        tier=TIERS[letter],
        endured=True,
        value=0.41,
        bound=0.35,
        threshold=0.2,
        role="performance" if column is None else column if column in ("score", "label") else "feature",
        importance=0.5 if column == "income" else 0.2 if column == "age" else None,
        sentence=f"{column or 'accuracy'} moved.",
    )


def window_result(*letters: tuple[str, str | None]) -> WindowResult:
    """Return what a window says that shows each (letter, column)."""
    if any(letter == "?" for letter, _ in letters):
        return WindowResult(verdict=Verdict.INCONCLUSIVE, events=12, reason=InconclusiveReason.TOO_FEW_EVENTS)
    findings = tuple(finding(letter, column) for letter, column in letters if letter in TIERS)
    worst = max((shown.tier for shown in findings), default=Tier.NONE)
    near = any(letter == "~" for letter, _ in letters)
    return WindowResult(
        verdict=Verdict[worst.name] if worst else Verdict.OK,
        events=1000,
        findings=findings,
        calm_below=(worst < Tier.WARNING and not near, worst < Tier.ALERT, worst < Tier.CRITICAL),
        quality_calm=True,
    )


def _judged(letters: Sequence[tuple[Line, str]], end: int, scale: Scale) -> list[tuple[Judged, Line]]:
    windows: dict[tuple[str, EvaluationKind], list[tuple[Line, str]]] = {}
    for line, letter in letters:
        windows.setdefault((line.version, line.kind), []).append((line, letter))
    return [
        (
            Judged(
                series=SeriesKey(1, version),
                scale=scale,
                window_end=end,
                kind=kind,
                result=window_result(*((letter, line.column) for line, letter in shown)),
            ),
            shown[0][0],
        )
        for (version, kind), shown in windows.items()
    ]


def _conclusive(judged: Judged, line: Line) -> ConclusiveWindow:
    counts = {}
    if judged.kind is EvaluationKind.PERFORMANCE:
        counts = {"labelled": line.labelled, "correct": line.correct, "truths_after": line.truths_after}
    return ConclusiveWindow(length=judged.scale.length, end=judged.window_end, result=judged.result, **counts)
