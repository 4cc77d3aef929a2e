"""Sentences of a backtest's report, for page and terminal: headline, spans, rates, reasons."""

from driftline.backtest.report.schema import ActionOutcome, BacktestReport, IncidentPart, RuleFigures
from monitor.humanize import counted, duration, duration_words, percent_cell, rate
from monitor.spec.model import DriftRule
from monitor.types import InconclusiveReason
from monitor.units import DAY_MINUTES, HOUR_MINUTES

INCONCLUSIVE = {
    InconclusiveReason.FILLING: "not full yet",
    InconclusiveReason.TOO_FEW_EVENTS: "too few events",
    InconclusiveReason.NO_EVENTS: "no events",
    InconclusiveReason.NO_REFERENCE: "no reference",
    InconclusiveReason.NEW_CELLS: "new cells, filling",
    InconclusiveReason.WARMING_UP: "new version, warming up",
    InconclusiveReason.BLIND: "records missing",
    InconclusiveReason.COMPACTED: "compacted history",
    InconclusiveReason.IMMATURE: "truths missing",
    InconclusiveReason.NOT_MEASURED: "not measured",
}

OUTCOMES = {ActionOutcome.ASKED: "would be asked", ActionOutcome.REFUSED: "refused"}


def headline(report: BacktestReport) -> str:
    """Return what came out in one sentence; that nothing did is good news."""
    summary, days = report.summary, duration_words(report.history.days * DAY_MINUTES)
    if not summary.incidents:
        return f"Nothing would have been raised in {days}."
    sent = [
        counted(summary.pages, "page") if summary.pages else "",
        counted(summary.warnings, "warning") if summary.warnings else "",
    ]
    messages = " and ".join(name for name in sent if name) or "no message"
    return f"{counted(summary.incidents, 'incident')} in {days} would have sent {messages}."


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
