"""From a backtest's outcome to its document."""

from collections import Counter
from collections.abc import Sequence

from driftline import __version__
from driftline.backtest.outcome import BacktestOutcome, JudgedWindow, ProposedAction, RaisedIncident, RaisedStep
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
from driftline.backtest.report.paging_load import is_page, messages_of, open_millis, open_spans, times_begun
from driftline.backtest.report.schema import (
    AccuracyPart,
    AccuracyPoint,
    ActionOutcome,
    ActionPart,
    BacktestReport,
    ChartsPart,
    HistoryPart,
    IncidentPart,
    RuleFigures,
    RulePart,
    StepPart,
    ToldPart,
)
from driftline.backtest.report.wording import explained_action, notes_of
from monitor.clock import iso_utc
from monitor.humanize import span_text
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import DriftRule, ModelSpec
from monitor.store.accuracy_evaluations import FinalPerformance
from monitor.types import ActionState, IncidentKind, Verdict
from monitor.units import HOUR_MILLIS, HOUR_MINUTES, MINUTE_MILLIS

WEEK_DAYS = 7
COLUMNS_NAMED = 5


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
        drop=spec.accuracy.drop,
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
    last: dict[int, FinalPerformance] = {}
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


def incident_part(incident: RaisedIncident, *, until: int) -> IncidentPart:
    """Return *incident*, which is looked at when the history ends (*until*, ms)."""
    worst = max(incident.steps, key=lambda step: step.tier)  # the first of the worst
    columns = [finding.column for step in incident.steps for finding in step.findings if finding.column]
    return IncidentPart(
        id=incident.id,
        kind=incident.kind.value,
        version=incident.version,
        tier=worst.tier.word,
        opened=iso_utc(incident.first_end),
        closed=None if incident.resolved_end is None else iso_utc(incident.resolved_end),
        open_hours=round(sum(s.stop - s.start for s in open_spans(incident, until=until)) / HOUR_MILLIS, 2),
        reopened=times_begun(incident) - 1,
        scale=span_text(incident.steps[0].length),
        columns=tuple(dict.fromkeys(columns)),
        sentence=worst.findings[0].sentence if worst.findings else worst.sentence,
        findings=tuple(finding.sentence for finding in worst.findings),
        steps=tuple(_step_part(step) for step in incident.steps),
    )


def _step_part(step: RaisedStep) -> StepPart:
    return StepPart(
        at=iso_utc(step.known),
        window_end=iso_utc(step.end),
        scale=span_text(step.length) if step.length else "",
        step=step.step,
        reason=step.reason,
        tier=step.tier.word,
        told=step.told,
        page=is_page(step),
        sentence=step.sentence,
    )


def action_parts(outcome: BacktestOutcome) -> tuple[ActionPart, ...]:
    """Return what would have been asked of other systems and what would have been refused, in order of time."""
    return tuple(
        _action_part(action) for action in sorted(outcome.actions, key=lambda action: (action.end, action.kind))
    )


def _action_part(action: ProposedAction) -> ActionPart:
    refused = action.state is ActionState.REFUSED
    return ActionPart(
        incident=action.incident_id,
        at=iso_utc(action.end),
        action=action.kind,
        outcome=ActionOutcome.REFUSED if refused else ActionOutcome.ASKED,
        reason=action.reason,
        explanation=explained_action(action.reason, refused=refused),
        from_version=action.from_version,
        to_version=action.to_version,
    )


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
        told=_told_part(outcome),
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


def _told_part(outcome: BacktestOutcome) -> ToldPart:
    incidents, messages = outcome.incidents, messages_of(outcome.incidents)
    millis = open_millis(incidents, until=outcome.last)
    return ToldPart(
        pages=messages.pages,
        pages_per_week=_per_week(messages.pages, outcome),
        warnings=messages.warnings,
        warnings_per_week=_per_week(messages.warnings, outcome),
        follow_ups=messages.follow_ups,
        incidents=len(incidents),
        incidents_per_week=_per_week(len(incidents), outcome),
        open_at_end=sum(incident.resolved_end is None for incident in incidents),
        open_hours=round(millis / HOUR_MILLIS, 2),
        open_share=_share(millis, outcome.last - outcome.first),
    )


def _rules(outcome: BacktestOutcome, spec: ModelSpec) -> tuple[RuleFigures, ...]:
    windows = input_windows(outcome)
    of_inputs = [incident for incident in outcome.incidents if incident.kind is not IncidentKind.PERFORMANCE]
    own = [(window, window.verdict) for window in windows]
    columns = Counter(name for window in windows for name in dict.fromkeys(found.column for found in window.findings))
    figures = [_figures(outcome, spec.drift.rule, own, of_inputs, columns)]
    if outcome.textbook is not None:
        beside = [(window, window.textbook.verdict) for window in windows if window.textbook is not None]
        columns = Counter(name for window in windows if window.textbook is not None for name in window.textbook.columns)
        figures.append(_figures(outcome, DriftRule.TEXTBOOK, beside, outcome.textbook, columns))
    return tuple(figures)


def _figures(
    outcome: BacktestOutcome,
    rule: DriftRule,
    verdicts: Sequence[tuple[JudgedWindow, Verdict]],
    incidents: Sequence[RaisedIncident],
    columns: Counter[str],
) -> RuleFigures:
    judged = sum(verdict is not Verdict.INCONCLUSIVE for _, verdict in verdicts)
    alarming = sum(verdict in ALARMING for _, verdict in verdicts)
    runs = alarming_runs(verdicts)
    messages, millis = messages_of(incidents), open_millis(incidents, until=outcome.last)
    return RuleFigures(
        rule=rule,
        windows=judged,
        alarming=alarming,
        alarming_share=_share(alarming, judged),
        runs=runs,
        runs_per_week=_per_week(runs, outcome),
        incidents=len(incidents),
        pages=messages.pages,
        pages_per_week=_per_week(messages.pages, outcome),
        warnings=messages.warnings,
        warnings_per_week=_per_week(messages.warnings, outcome),
        open_hours=round(millis / HOUR_MILLIS, 2),
        open_share=_share(millis, outcome.last - outcome.first),
        columns=tuple(name for name, _ in columns.most_common(COLUMNS_NAMED)),
    )


def _per_week(count: int, outcome: BacktestOutcome) -> float:
    return round(count * WEEK_DAYS / outcome.days, 3) if outcome.days else float(count)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0
