"""From what a backtest found to the document that it writes; pure."""

from collections import Counter
from collections.abc import Sequence

from driftline import __version__
from driftline.backtest.accuracy_part import accuracy_part
from driftline.backtest.column_parts import column_parts, monitored_columns, psi_tracks
from driftline.backtest.incident_parts import action_parts, incident_part
from driftline.backtest.notes import notes_of
from driftline.backtest.outcome import BacktestOutcome, JudgedWindow, RaisedIncident
from driftline.backtest.report import BacktestReport, HistoryPart, RuleFigures, RulePart, ToldPart
from driftline.backtest.report_curves import ChartsPart
from driftline.backtest.scale_parts import ALARMING, alarming_runs, input_windows, scale_parts, segment_parts
from driftline.backtest.told import HOUR_MILLIS, messages_of, open_millis
from monitor.clock import iso_utc
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec
from monitor.types import MINUTE_MILLIS, IncidentKind, Verdict

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
        told=_told_part(outcome),
        rules=_rules(outcome, spec),
        incidents=tuple(incident_part(each, until=outcome.last) for each in outcome.incidents),
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
        scales=tuple(str(each) for each in spec.scales),
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
        open_at_end=sum(each.resolved_end is None for each in incidents),
        open_hours=round(millis / HOUR_MILLIS, 2),
        open_share=_share(millis, outcome.last - outcome.first),
    )


def _rules(outcome: BacktestOutcome, spec: ModelSpec) -> tuple[RuleFigures, ...]:
    windows = input_windows(outcome)
    of_inputs = [each for each in outcome.incidents if each.kind is not IncidentKind.PERFORMANCE]
    own = [(each, each.verdict) for each in windows]
    columns = Counter(name for each in windows for name in dict.fromkeys(found.column for found in each.findings))
    figures = [_figures(outcome, spec.drift.rule, own, of_inputs, columns)]
    if outcome.textbook is not None:
        beside = [(each, each.textbook.verdict) for each in windows if each.textbook is not None]
        columns = Counter(name for each in windows if each.textbook is not None for name in each.textbook.columns)
        figures.append(_figures(outcome, "textbook", beside, outcome.textbook, columns))
    return tuple(figures)


def _figures(
    outcome: BacktestOutcome,
    rule: str,
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
