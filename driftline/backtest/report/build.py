"""Builds the report of a backtest from its outcome."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import asdict

from driftline import __version__
from driftline.backtest.outcome import BacktestOutcome, JudgedWindow, RaisedIncident
from driftline.backtest.report.counts import (
    ALARMING,
    alarming_runs,
    column_parts,
    input_windows,
    monitored_columns,
    psi_tracks,
    scale_parts,
    segment_parts,
)
from driftline.backtest.report.incidents import action_parts, incident_part, messages_of, open_millis
from driftline.backtest.report.notes import notes_of
from driftline.backtest.report.schema import (
    AccuracyPart,
    AccuracyPoint,
    AlarmFigures,
    BacktestReport,
    ChartsPart,
    HistoryPart,
    RuleFigures,
    RulePart,
    SummaryPart,
)
from monitor.clock import iso_utc
from monitor.humanize import span_text
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import DriftRule, ModelSpec
from monitor.store.accuracy_evaluations import FinalAccuracyEvaluation
from monitor.types import IncidentKind, Verdict
from monitor.units import HOUR_MILLIS, HOUR_MINUTES, MINUTE_MILLIS

WEEK_DAYS = 7
COLUMNS_NAMED = 5


def report_of(outcome: BacktestOutcome, *, spec: ModelSpec, profile: ReferenceProfile, source: str) -> BacktestReport:
    """Return the document of one backtest; *source* is the name of the history's file."""
    monitored = monitored_columns(spec, profile)
    scales = scale_parts(outcome, spec)
    buckets = outcome.tracks.buckets
    return BacktestReport(
        driftline=__version__,
        model=spec.model,
        namespace=spec.namespace,
        history=_history_part(outcome, source),
        rule=_rule_part(spec),
        summary=_summary(outcome),
        rules=_rules(outcome, spec),
        incidents=tuple(incident_part(incident, until=outcome.last) for incident in outcome.incidents),
        actions=action_parts(outcome),
        columns=column_parts(outcome, monitored=monitored),
        scales=scales,
        segments=segment_parts(outcome),
        accuracy=accuracy_part(outcome, spec=spec, profile=profile),
        notes=notes_of(outcome, spec=spec, profile=profile, scales=scales),
        charts=ChartsPart(
            start=iso_utc(buckets.start),
            bucket_minutes=buckets.millis // MINUTE_MILLIS,
            buckets=buckets.count,
            traffic=outcome.traffic,
            psi=psi_tracks(outcome, monitored=monitored),
        ),
    )


def _history_part(outcome: BacktestOutcome, source: str) -> HistoryPart:
    minutes = max((outcome.last - outcome.first) / MINUTE_MILLIS, 1.0)
    return HistoryPart(
        source=source,
        first=iso_utc(outcome.first),
        last=iso_utc(outcome.last),
        days=round(outcome.days, 3),
        events=outcome.events,
        duplicates=outcome.duplicates,
        truths=outcome.truths,
        events_per_minute=round(outcome.events / minutes, 3),
        versions=outcome.versions,
    )


def _rule_part(spec: ModelSpec) -> RulePart:
    return RulePart(
        rule=spec.drift.rule,
        alpha=spec.drift.alpha,
        warning=spec.drift.tiers.warning,
        alert=spec.drift.tiers.alert,
        critical=spec.drift.tiers.critical,
        ks_warning=spec.drift.ks_warning,
        min_events=spec.windows.min_events,
        scales=tuple(str(scale) for scale in spec.scales),
    )


def _summary(outcome: BacktestOutcome) -> SummaryPart:
    incidents = outcome.incidents
    return SummaryPart(
        **asdict(_alarm_figures(outcome, incidents)),
        follow_ups=messages_of(incidents).follow_ups,
        incidents_per_week=_per_week(len(incidents), outcome),
        open_at_end=sum(incident.resolved_end is None for incident in incidents),
    )


def _alarm_figures(outcome: BacktestOutcome, incidents: Sequence[RaisedIncident]) -> AlarmFigures:
    messages, millis = messages_of(incidents), open_millis(incidents, until=outcome.last)
    return AlarmFigures(
        incidents=len(incidents),
        pages=messages.pages,
        pages_per_week=_per_week(messages.pages, outcome),
        warnings=messages.warnings,
        warnings_per_week=_per_week(messages.warnings, outcome),
        open_hours=round(millis / HOUR_MILLIS, 2),
        open_share=_share(millis, outcome.last - outcome.first),
    )


def _rules(outcome: BacktestOutcome, spec: ModelSpec) -> tuple[RuleFigures, ...]:
    """Return the spec's rule and, where it ran, the textbook rule, on the same windows of inputs."""
    windows = input_windows(outcome)
    own = _Rule(
        name=spec.drift.rule,
        verdicts=[(window, window.verdict) for window in windows],
        columns=[tuple(dict.fromkeys(finding.column for finding in window.findings)) for window in windows],
        incidents=[incident for incident in outcome.incidents if incident.kind is not IncidentKind.PERFORMANCE],
    )
    if outcome.textbook is None:
        return (_figures(outcome, own),)
    judged = [(window, window.textbook) for window in windows if window.textbook is not None]
    textbook = _Rule(
        name=DriftRule.TEXTBOOK,
        verdicts=[(window, textbook.verdict) for window, textbook in judged],
        columns=[textbook.columns for _, textbook in judged],
        incidents=outcome.textbook,
    )
    return _figures(outcome, own), _figures(outcome, textbook)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """One rule's verdicts by window, the columns that they name, and its incidents."""

    name: DriftRule
    verdicts: Sequence[tuple[JudgedWindow, Verdict]]
    columns: Sequence[tuple[str, ...]]
    incidents: Sequence[RaisedIncident]


def _figures(outcome: BacktestOutcome, rule: _Rule) -> RuleFigures:
    judged = sum(verdict is not Verdict.INCONCLUSIVE for _, verdict in rule.verdicts)
    alarming = sum(verdict in ALARMING for _, verdict in rule.verdicts)
    runs = alarming_runs(rule.verdicts)
    named = Counter(column for columns in rule.columns for column in columns)
    return RuleFigures(
        **asdict(_alarm_figures(outcome, rule.incidents)),
        rule=rule.name,
        windows=judged,
        alarming=alarming,
        alarming_share=_share(alarming, judged),
        runs=runs,
        runs_per_week=_per_week(runs, outcome),
        columns=tuple(name for name, _ in named.most_common(COLUMNS_NAMED)),
    )


def _per_week(count: int, outcome: BacktestOutcome) -> float:
    return round(count * WEEK_DAYS / outcome.days, 3) if outcome.days else float(count)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0


def accuracy_part(outcome: BacktestOutcome, *, spec: ModelSpec, profile: ReferenceProfile) -> AccuracyPart | None:
    """Return what is known of accuracy; None where no truths were given."""
    if outcome.truths == 0:
        return None
    windows = Counter(accuracy.length for accuracy in outcome.accuracies)
    version, length = _shown(outcome)
    return AccuracyPart(
        labelled=outcome.labelled,
        correct=outcome.correct,
        accuracy=outcome.correct / outcome.labelled if outcome.labelled else None,
        reference_accuracy=profile.correct / profile.labelled if profile.labelled else None,
        floor=spec.accuracy.floor,
        drop=None if spec.accuracy.drop is None else {tier.word: drop for tier, drop in spec.accuracy.drop.tiers},
        windows={str(scale): windows[scale.length] for scale in spec.scales},
        version=version,
        scale=span_text(length) if length else "",
        points=_points(outcome, version=version, length=length),
    )


def _shown(outcome: BacktestOutcome) -> tuple[str, int]:
    """Return version and length of the windows that are drawn: of the last version, the length nearest to an hour."""
    measured = [accuracy for accuracy in outcome.accuracies if accuracy.accuracy is not None]
    if not measured:
        return "", 0
    version = max(measured, key=lambda evaluation: evaluation.window_end).version
    lengths = {evaluation.length for evaluation in measured if evaluation.version == version}
    return version, min(lengths, key=lambda length: abs(length - HOUR_MINUTES))


def _points(outcome: BacktestOutcome, *, version: str, length: int) -> tuple[AccuracyPoint, ...]:
    last: dict[int, FinalAccuracyEvaluation] = {}
    for accuracy in outcome.accuracies:
        if (accuracy.version, accuracy.length) == (version, length) and accuracy.accuracy is not None:
            last[outcome.tracks.buckets.of_end(accuracy.window_end)] = accuracy
    return tuple(
        AccuracyPoint(
            end=iso_utc(evaluation.window_end),
            accuracy=round(evaluation.accuracy, 5),
            low=round(evaluation.low, 5),
            high=round(evaluation.high, 5),
        )
        for _, evaluation in sorted(last.items())
        if evaluation.accuracy is not None and evaluation.low is not None and evaluation.high is not None
    )
