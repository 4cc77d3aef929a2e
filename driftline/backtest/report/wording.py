"""Headlines, notes and reasons of a backtest's report in words."""

from collections.abc import Iterator

from alerting.actions.guard import Refusal
from driftline.backtest.outcome import BacktestOutcome
from driftline.backtest.report.schema import ActionOutcome, BacktestReport, IncidentPart, RuleFigures, ScalePart
from monitor.clock import iso_utc
from monitor.humanize import counted, duration, duration_words, percent_cell, rate, span_text
from monitor.reference.checks import uncalibrated_lengths
from monitor.reference.profile import ReferenceProfile
from monitor.spec.actions import ActionMode
from monitor.spec.model import DriftRule, ModelSpec
from monitor.types import InconclusiveReason
from monitor.units import DAY_MILLIS, DAY_MINUTES, HOUR_MINUTES

REFUSALS = {
    Refusal.MODE_OFF: "the spec turns this action off",
    Refusal.ACTIONS_DISABLED: "the global switch holds every action",
    Refusal.MODEL_HELD: "the model's switch holds its actions",
    Refusal.DATA_QUALITY_INCIDENT: "a broken field is repaired upstream, not by a new or an older model",
    Refusal.DATA_QUALITY_OPEN: "a field is broken at the same time: first that",
    Refusal.KIND_NEVER_ACTS: "incidents of this kind never act",
    Refusal.TIER_BELOW_ALERT: "asked from tier alert on",
    Refusal.TIER_BELOW_CRITICAL: "asked from tier critical on",
    Refusal.STALE: "the window is too old to act on",
    Refusal.ALREADY_RUNNING: "one is under way already",
    Refusal.COOLDOWN: "the last one is not long enough ago",
    Refusal.INPUT_DRIFT_ONLY: "only inputs moved: the older version would see the same ones",
    Refusal.NO_VERSION_CHANGE: "no version changed lately that could be the cause (a backtest knows no deployments)",
    Refusal.SUPERSEDED: "the version does not serve any more",
    Refusal.PROMOTION_ALREADY_ROLLED_BACK: "this promotion was rolled back already",
    Refusal.NO_KNOWN_TARGET: "no healthy version is known to go back to",
    Refusal.TARGET_FLAGGED: "the version to go back to has an incident of its own",
    Refusal.FIRST_KEY_MISSING: "neither the prediction nor important inputs are proven to have moved critically",
    Refusal.SECOND_KEY_MISSING: "a second piece of evidence is missing: truths, or the older version beside it",
}

INCONCLUSIVE = {
    InconclusiveReason.FILLING: "not full yet",
    InconclusiveReason.TOO_FEW_EVENTS: "too few events",
    InconclusiveReason.NO_EVENTS: "no events",
    InconclusiveReason.NO_REFERENCE: "no reference",
    InconclusiveReason.NEW_CELLS: "new cells, filling",
    InconclusiveReason.BLIND: "records missing",
    InconclusiveReason.COMPACTED: "compacted history",
    InconclusiveReason.IMMATURE: "truths missing",
    InconclusiveReason.NOT_MEASURED: "not measured",
}

OUTCOMES = {ActionOutcome.ASKED: "would be asked", ActionOutcome.REFUSED: "refused"}

MOSTLY = 0.5


def explained_action(reason: str, *, refused: bool) -> str:
    """Return why an action was refused, or for what it was asked."""
    if refused:
        return REFUSALS[Refusal(reason)]
    kind, _, tier = reason.rpartition("_")
    return f"{kind.replace('_', ' ')} incident at tier {tier}"


def headline(report: BacktestReport) -> str:
    """Return what came out in one sentence; that nothing did is good news."""
    told, days = report.told, duration_words(report.history.days * DAY_MINUTES)
    if not told.incidents:
        return f"Nothing would have been raised in {days}."
    sent = [
        counted(told.pages, "page") if told.pages else "",
        counted(told.warnings, "warning") if told.warnings else "",
    ]
    messages = " and ".join(name for name in sent if name) or "no message"
    return f"{counted(told.incidents, 'incident')} in {days} would have sent {messages}."


def subline(report: BacktestReport) -> str:
    """Return which windows the headline rests on: silence of windows that could not be judged is no good news."""
    windows = sum(scale.windows for scale in report.scales)
    judged = sum(scale.judged for scale in report.scales)
    if not judged:
        return f"None of {windows:,} windows could be judged, so this says nothing about the model."
    text = f"{judged:,} of {counted(windows, 'window')} could be judged"
    silent = [scale.scale for scale in report.scales if not scale.judged]
    return f"{text}; no window of {' and '.join(silent)}." if silent else f"{text}."


def columns_text(columns: tuple[str, ...], *, at_most: int = 3) -> str:
    """Return the first columns by name and how many more there are."""
    rest = len(columns) - at_most
    return ", ".join(columns[:at_most]) + (f" and {rest} more" if rest > 0 else "")


def kind_text(kind: str) -> str:
    """Return the kind of an incident: 'data quality'."""
    return kind.replace("_", " ")


def open_text(incident: IncidentPart) -> str:
    """Return how long the incident was open, and whether it still was at the end."""
    again = f", {counted(incident.reopened, 're-opening')}" if incident.reopened else ""
    still = ", still open at the end" if incident.closed is None else ""
    return duration(incident.open_hours * HOUR_MINUTES) + again + still


def comparison(figures: RuleFigures) -> tuple[tuple[str, str], ...]:
    """Return what is compared of a rule: heading and value."""
    return (
        (
            "alarming windows",
            f"{figures.alarming:,} of {figures.windows:,} ({percent_cell(figures.alarming_share)})",
        ),
        ("alarms a week, scale by scale", rate(figures.runs_per_week)),
        ("incidents", f"{figures.incidents:,}"),
        ("time in an incident", percent_cell(figures.open_share)),
        ("pages a week", rate(figures.pages_per_week)),
        ("warnings a week", rate(figures.warnings_per_week)),
    )


RULE_NAMES = {DriftRule.DEFAULT: "this spec", DriftRule.TEXTBOOK: "textbook rule"}


def notes_of(
    outcome: BacktestOutcome, *, spec: ModelSpec, profile: ReferenceProfile, scales: tuple[ScalePart, ...]
) -> tuple[str, ...]:
    """Return the notes, the most important first."""
    return (
        *_silent_scales(outcome, scales, min_events=spec.windows.min_events),
        *_overlap(outcome, profile),
        *_calibration(spec, profile),
        *_history(outcome),
        *_rules(spec),
    )


def _silent_scales(outcome: BacktestOutcome, scales: tuple[ScalePart, ...], *, min_events: int) -> Iterator[str]:
    for scale in scales:
        if scale.windows == 0:
            yield f"{scale.scale}: no window ended in the history."
            continue
        reason = max(scale.inconclusive, key=scale.inconclusive.__getitem__, default=InconclusiveReason.CONCLUSIVE)
        if scale.inconclusive.get(reason, 0) < MOSTLY * scale.windows:
            continue
        share = "no window" if scale.judged == 0 else f"only {scale.judged:,} of {scale.windows:,} windows"
        if reason is InconclusiveReason.FILLING:
            yield (
                f"{scale.scale}: {share} could be judged, for a window counts from when it is full and the history"
                f" has {outcome.days:.1f} days; what this scale would see is not shown here."
            )
        elif reason is InconclusiveReason.TOO_FEW_EVENTS:
            yield (
                f"{scale.scale}: {share} could be judged; the others have under {min_events:,} events"
                f" (typically {scale.typical_events:,}). `driftline plan` says what would."
            )


def _overlap(outcome: BacktestOutcome, profile: ReferenceProfile) -> Iterator[str]:
    if profile.start is None or profile.end is None:
        return
    start, end = max(outcome.first, profile.start), min(outcome.last, profile.end)
    if end > start:
        yield (
            f"The reference was taken from {iso_utc(profile.start)} to {iso_utc(profile.end)}, which overlaps this"
            f" history by {(end - start) / DAY_MILLIS:.1f} days: there it is compared with itself."
        )


def _calibration(spec: ModelSpec, profile: ReferenceProfile) -> Iterator[str]:
    if lengths := uncalibrated_lengths(spec, profile):
        shown = ", ".join(span_text(length) for length in lengths)
        yield (
            f"Uncalibrated at {shown}: the reference does not show the natural movement of columns there, so these"
            " scales alarm more often than they should; `driftline init --timestamp` learns it."
        )


def _history(outcome: BacktestOutcome) -> Iterator[str]:
    if outcome.days < 7:
        yield f"Rates a week are extrapolated from {outcome.days:.1f} days."
    if outcome.duplicates:
        yield f"{outcome.duplicates:,} rows repeat the id of a row shortly before and were not counted, as in ingest."


def _rules(spec: ModelSpec) -> Iterator[str]:
    if spec.drift.rule is DriftRule.TEXTBOOK:
        yield "The spec says `rule: textbook`, so there is nothing to compare it with."
    if spec.actions.rollback.mode is not ActionMode.OFF:
        yield "A table of predictions holds no deployments, so no rollback can find the change of version it needs."
