"""Outcomes of backtests made by hand."""

from collections.abc import Sequence

from alerting.incidents.state import Reason, Step
from driftline.backtest.outcome import (
    BacktestOutcome,
    JudgedWindow,
    RaisedIncident,
    RaisedStep,
    TextbookVerdict,
)
from driftline.backtest.psi_history import PsiTracks, time_buckets
from monitor.results import ColumnResult, Finding
from monitor.spec.file import parse_spec
from monitor.spec.model import ModelSpec
from monitor.store.accuracy_evaluations import FinalAccuracyEvaluation
from monitor.store.actions import IncidentAction
from monitor.types import EvaluationKind, IncidentKind, InconclusiveReason, Scale, SeriesKey, Statistic, Tier, Verdict
from tests.models.credit import START, spec_text

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
TEN_MINUTES, ONE_HOUR, A_DAY = Scale(10, 1), Scale(60, 5), Scale(1440, 120)
SCALES = [{"length": "10m", "step": "1m"}, {"length": "1h", "step": "5m"}, {"length": "24h", "step": "2h"}]


def spec(**changes: object) -> ModelSpec:
    return parse_spec(spec_text(**{"windows": {"scales": SCALES}, "segments": [], **changes}), source="test")


def finding(column: str = "amount", *, tier: Tier = Tier.WARNING, kind: IncidentKind = IncidentKind.DRIFT) -> Finding:
    return Finding(
        kind=kind, column=column, statistic=Statistic.PSI, tier=tier, endured=True, value=0.4, bound=0.3, threshold=0.1,
        sentence=f"`{column}`: moved.",
    )  # fmt: skip


def window(
    end: int,
    *,
    scale: Scale = TEN_MINUTES,
    verdict: Verdict = Verdict.OK,
    reason: InconclusiveReason = InconclusiveReason.CONCLUSIVE,
    events: int = 1000,
    findings: Sequence[Finding] = (),
    textbook: TextbookVerdict | None = None,
    series: SeriesKey | None = None,
    kind: EvaluationKind = EvaluationKind.INPUTS,
) -> JudgedWindow:
    """Return a window that ends *end* ms after START."""
    return JudgedWindow(
        series=series or SeriesKey(1, "1"), scale=scale, end=START + end, kind=kind, driving=True, verdict=verdict,
        reason=reason, events=events, findings=tuple(findings), textbook=textbook,
    )  # fmt: skip


def step(
    end: int, name: str, tier: Tier, *, notified: bool = True, findings: Sequence[Finding] = (), length: int = 10
) -> RaisedStep:
    """Return a step on the window that ends *end* ms after START."""
    return RaisedStep(
        end=START + end, length=length, known=START + end, step=Step(name), reason=Reason.FINDING_ENDURED, tier=tier,
        notified=notified, sentence=f"{name}", findings=tuple(findings),
    )  # fmt: skip


def incident(*steps: RaisedStep, kind: IncidentKind = IncidentKind.DRIFT, version: str = "1") -> RaisedIncident:
    last = steps[-1]
    return RaisedIncident(
        id=f"{kind}-{version}-{steps[0].end}", kind=kind, version=version, worst=max(step.tier for step in steps),
        first_end=steps[0].end, resolved_end=last.end if last.step is Step.RESOLVED else None, steps=steps,
    )  # fmt: skip


def outcome(
    *,
    days: float = 14.0,
    windows: Sequence[JudgedWindow] = (),
    incidents: Sequence[RaisedIncident] = (),
    textbook: Sequence[RaisedIncident] | None = (),
    actions: Sequence[IncidentAction] = (),
    psi: Sequence[tuple[int, str, float, float | None]] = (),
    accuracies: Sequence[FinalAccuracyEvaluation] = (),
    labelled: int = 0,
    correct: int = 0,
    versions: tuple[str, ...] = ("1",),
    duplicates: int = 0,
) -> BacktestOutcome:
    """Return an outcome; *psi*: (ms after START, column, PSI, proven) at one hour."""
    last = START + int(days * DAY)
    tracks = PsiTracks(time_buckets(START, last))
    for end, name, value, proven in psi:
        columns = (ColumnResult(name=name, n=1000, psi=value, psi_low=proven),)
        tracks.add("1", ONE_HOUR, end=START + end, columns=columns)
    return BacktestOutcome(
        events=14_000, duplicates=duplicates, truths=labelled, labelled=labelled, correct=correct, first=START,
        last=last, versions=versions, windows=tuple(windows), incidents=tuple(incidents),
        textbook=None if textbook is None else tuple(textbook), actions=tuple(actions), accuracies=tuple(accuracies),
        traffic=(14_000,) + (0,) * (tracks.buckets.count - 1), tracks=tracks,
    )  # fmt: skip
