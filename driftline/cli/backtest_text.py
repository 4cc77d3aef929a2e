"""A backtest's report as text, on one screen of a terminal."""

from collections.abc import Iterable
from textwrap import fill

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline.backtest.report.schema import BacktestReport, IncidentPart
from driftline.backtest.report.wording import (
    INCONCLUSIVE,
    OUTCOMES,
    RULE_NAMES,
    columns_text,
    comparison,
    headline,
    kind_text,
    subline,
)
from driftline.cli.output import table_lines
from monitor.humanize import counted, duration, duration_words, minute_of, percent_cell, printable
from monitor.types import Tier
from monitor.units import DAY_MINUTES, HOUR_MINUTES

INCIDENTS_SHOWN = 4
ACTIONS_SHOWN = 3
COLUMNS_SHOWN = 6
STYLES = {Tier.NONE: "", Tier.WARNING: "yellow", Tier.ALERT: "dark_orange", Tier.CRITICAL: "red"}


def print_report(report: BacktestReport, console: Console) -> None:
    """Print the headline, both rules side by side, the worst incidents, scales, columns, actions and notes."""
    history, piped = report.history, not console.is_terminal
    days = duration_words(history.days * DAY_MINUTES)
    console.print(
        Text.assemble(
            (printable(report.model), "bold"),
            f"  {history.events:,} predictions of {printable(history.source)}",
            f"\n{minute_of(history.first)} to {minute_of(history.last)} UTC ({days})\n",
        ),
        soft_wrap=piped,
    )
    good = not report.summary.incidents and any(scale.judged for scale in report.scales)
    console.print(Text(headline(report), style="bold green" if good else "bold"), soft_wrap=piped)
    console.print(Text(subline(report), style="dim"), soft_wrap=piped)
    _print_rules(report, console)
    _print_incidents(report, console)
    _print_scales(report, console)
    _print_rest(report, console)


def _table(*headings: str, left: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(Text(heading), justify="left" if number < left else "right", overflow="fold")
    return table


def _print_table(table: Table, console: Console) -> None:
    """Print *table*, folded to the terminal's width if there is one."""
    console.print()
    for line in table_lines(console, table, width=console.width if console.is_terminal else None):
        console.print(line, soft_wrap=True)


def _print_rules(report: BacktestReport, console: Console) -> None:
    inputs = " (inputs)" if report.accuracy is not None else ""
    table = _table("", *(RULE_NAMES[rule.rule] + inputs for rule in report.rules))
    for rows in zip(*(comparison(rule) for rule in report.rules), strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    _print_table(table, console)


def _print_incidents(report: BacktestReport, console: Console) -> None:
    if not report.incidents:
        return
    worst_first = sorted(report.incidents, key=lambda incident: (-Tier.of_word(incident.tier), incident.opened))
    shown = worst_first[:INCIDENTS_SHOWN]
    more = len(report.incidents) - len(shown)
    console.print()
    console.print(Text("Incidents" + (f", the worst {len(shown)} of {len(report.incidents)}" if more else ""), "bold"))
    shown = sorted(shown, key=lambda incident: incident.opened)
    several, width = len(report.history.versions) > 1, max(console.width, 60)
    table = Table.grid(padding=(0, 2, 0, 0))
    for incident in shown:
        tier = Text(incident.tier, STYLES[Tier.of_word(incident.tier)])
        table.add_row(minute_of(incident.opened), tier, Text(printable(_incident_text(incident, several=several))))
    for incident, line in zip(shown, table_lines(console, table), strict=True):
        console.print(Text("  ").append(line), soft_wrap=True)
        sentence = fill(printable(incident.sentence), width, initial_indent="    ", subsequent_indent="    ")
        console.print(Text(sentence, "dim"), soft_wrap=True)


def _incident_text(incident: IncidentPart, *, several: bool) -> str:
    closed = (
        "open at the end" if incident.closed is None else f"open for {duration(incident.open_hours * HOUR_MINUTES)}"
    )
    version = f" of version {incident.version}" if several else ""
    columns = f": {columns_text(incident.columns)}" if incident.columns else ""
    return f"{kind_text(incident.kind)}{version} at {incident.scale}, {closed}{columns}"


def _print_scales(report: BacktestReport, console: Console) -> None:
    textbook = len(report.rules) > 1
    table = _table(
        "scale", "windows", "judged", "alarming", *(["textbook"] if textbook else []), "opened", "not judged"
    )
    table.columns[-1].justify = "left"
    for scale in report.scales:
        alarming = scale.warning + scale.alert + scale.critical
        reasons = (
            f"{INCONCLUSIVE[reason]} {percent_cell(count / scale.windows)}"
            for reason, count in scale.inconclusive.items()
        )
        table.add_row(
            f"{scale.scale}/{scale.step}",
            f"{scale.windows:,}",
            percent_cell(scale.judged / scale.windows) if scale.windows else "-",
            f"{alarming:,}",
            *([f"{scale.textbook_alarming:,}"] if textbook else []),
            str(scale.incidents),
            ", ".join(reasons),
        )
    _print_table(table, console)


def _print_rest(report: BacktestReport, console: Console) -> None:
    columns = [column for column in report.columns if column.windows]
    named = [f"{column.name} ({counted(column.windows, 'window')})" for column in columns]
    lines = []
    if named:
        lines.append(("Columns", columns_text(tuple(named), at_most=COLUMNS_SHOWN)))
    if report.accuracy is not None and report.accuracy.accuracy is not None:
        lines.append(("Accuracy", f"{report.accuracy.accuracy:.4f} of {report.accuracy.labelled:,} truths"))
    lines += [("Actions", action) for action in _actions(report)]
    lines += [("Note", note) for note in report.notes]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", min_width=8)
    table.add_column(overflow="fold")
    before = ""
    for name, line in lines:
        table.add_row("" if name == before else name, Text(printable(line)))
        before = name
    console.print()
    for text in table_lines(console, table, width=max(console.width, 60)):
        console.print(text, soft_wrap=True)


def _actions(report: BacktestReport) -> Iterable[str]:
    for action in report.actions[:ACTIONS_SHOWN]:
        yield f"{action.action} {OUTCOMES[action.outcome]} at {minute_of(action.at)}: {action.explanation}"
    if len(report.actions) > ACTIONS_SHOWN:
        yield f"and {counted(len(report.actions) - ACTIONS_SHOWN, 'more action')}"
