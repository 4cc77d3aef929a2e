"""Numbers, times and the headline of a report in words, the same on a terminal and on the page; pure."""

from driftline.backtest.report import BacktestReport, RuleFigures
from driftline.backtest.report_incidents import IncidentPart


def headline(report: BacktestReport) -> str:
    """Return what came out in one sentence; that nothing did is good news."""
    told, days = report.told, days_text(report.history.days)
    if not told.incidents:
        return f"Nothing would have been raised in {days}."
    sent = [
        counted(told.pages, "page") if told.pages else "",
        counted(told.warnings, "warning") if told.warnings else "",
    ]
    messages = " and ".join(each for each in sent if each) or "no message"
    return f"{counted(told.incidents, 'incident')} in {days} would have sent {messages}."


def subline(report: BacktestReport) -> str:
    """Return which windows the headline rests on: silence of windows that could not be judged is no good news."""
    windows = sum(each.windows for each in report.scales)
    judged = sum(each.judged for each in report.scales)
    if not judged:
        return f"None of {windows:,} windows could be judged, so this says nothing about the model."
    text = f"{judged:,} of {counted(windows, 'window')} could be judged"
    silent = [each.scale for each in report.scales if not each.judged]
    return f"{text}; no window of {' and '.join(silent)}." if silent else f"{text}."


def counted(count: int, noun: str) -> str:
    """Return *count* with its noun: '1 page', '1,200 pages'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def days_text(days: float) -> str:
    """Return a span of days: '6.9 days', '21 days', '5 hours'."""
    if days < 1:
        return f"{days * 24:.1f} hours"
    return f"{days:.1f} days" if days < 10 else f"{days:.0f} days"


def hours_text(hours: float) -> str:
    """Return a span of hours: '25 min', '3.4 h', '2.1 days'."""
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def rate_text(rate: float) -> str:
    """Return a rate a week: '0', '0.3', '12'."""
    if rate == 0:
        return "0"
    return f"{rate:.2f}" if rate < 0.1 else f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"


def percent_text(share: float) -> str:
    """Return a share in percent; what is not nothing is never rounded to nothing, nor what is not all to all."""
    value = 100 * share
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.1f} %" if 0 < value < 10 or 99 <= value < 100 else f"{value:.0f} %"


def moment_text(at: str) -> str:
    """Return an RFC 3339 time to the minute: '2026-06-04 12:40'."""
    return at[:16].replace("T", " ")


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
    return hours_text(incident.open_hours) + again + still


def comparison(figures: RuleFigures) -> tuple[tuple[str, str], ...]:
    """Return what is compared of a rule: heading and value."""
    return (
        ("alarming windows", f"{figures.alarming:,} of {figures.windows:,} ({percent_text(figures.alarming_share)})"),
        ("alarms a week, scale by scale", rate_text(figures.runs_per_week)),
        ("incidents", f"{figures.incidents:,}"),
        ("time in an incident", percent_text(figures.open_share)),
        ("pages a week", rate_text(figures.pages_per_week)),
        ("warnings a week", rate_text(figures.warnings_per_week)),
    )


RULE_NAMES = {"default": "this spec", "textbook": "textbook rule"}
