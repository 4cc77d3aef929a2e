"""Tables of the page: incidents with their sentences, both rules, scales, columns, actions."""

import re
from collections.abc import Iterable, Sequence

import htpy as h
from htpy import Element, Node

from driftline.backtest.report.schema import (
    ActionOutcome,
    ActionPart,
    BacktestReport,
    ColumnPart,
    IncidentPart,
    ScalePart,
    SegmentPart,
)
from driftline.backtest.report.wording import (
    INCONCLUSIVE,
    OUTCOMES,
    RULE_NAMES,
    columns_text,
    comparison,
    kind_text,
    open_text,
)
from monitor.humanize import counted, minute_of, percent_cell
from monitor.types import Tier

COLUMNS_SHOWN, ACTIONS_SHOWN, INCIDENTS_SHOWN, STEPS_SHOWN = 30, 50, 200, 100
_OUTCOME_TIERS = {ActionOutcome.ASKED: Tier.ALERT.word, ActionOutcome.REFUSED: Tier.NONE.word}
_QUOTED = re.compile(r"(`[^`]+`)")


def sentence(text: str) -> Element:
    """Return *text* with what stands in backticks as code."""
    return h.span[(h.code[part[1:-1]] if _QUOTED.fullmatch(part) else part for part in _QUOTED.split(text))]


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[Node]],
    *,
    numbers: Iterable[int] = (),
    tight: Iterable[int] = (),
    narrow: bool = False,
) -> Element:
    """Return a table; *numbers*: columns that are aligned right, *tight*: columns that do not wrap."""
    classes = {**dict.fromkeys(tight, "tight"), **dict.fromkeys(numbers, "number")}

    def row(kind: Element, cells: Sequence[Node]) -> Element:
        return h.tr[(kind(class_=classes.get(number))[cell] for number, cell in enumerate(cells))]

    return h.table(class_="narrow" if narrow else None)[
        h.thead[row(h.th, headings)], h.tbody[(row(h.td, cells) for cells in rows)]
    ]


def badge(text: str, tier: str) -> Element:
    """Return a label in the colour of *tier*."""
    return h.span(class_=f"badge {'quiet' if tier == Tier.NONE.word else tier}")[text]


def incidents_table(report: BacktestReport) -> Element:
    """Return every incident: when, how long, how bad, and why; its steps are folded in."""
    several = len(report.history.versions) > 1
    return table(
        ("opened (UTC)", "open for", "tier", "what", "why"),
        [_incident_row(incident, several=several) for incident in report.incidents[:INCIDENTS_SHOWN]],
        tight=(0, 2),
    )


def _incident_row(incident: IncidentPart, *, several: bool) -> Sequence[Node]:
    pages = sum(step.page for step in incident.steps)
    return (
        minute_of(incident.opened),
        open_text(incident),
        badge(incident.tier, incident.tier),
        [
            kind_text(incident.kind),
            h.div(".soft")["version ", h.code[incident.version]] if several else None,
            h.div(".soft")[f"at {incident.scale}", f", {counted(pages, 'page')}" if pages else None],
        ],
        [sentence(incident.sentence), _details(incident)],
    )


def _details(incident: IncidentPart) -> Element:
    others = incident.findings[1:]
    more = len(incident.steps) - STEPS_SHOWN
    return h.details[
        h.summary[
            counted(len(incident.steps), "step"), f", {counted(len(others), 'more finding')}" if others else None
        ],
        [h.p(".soft")["Also at its worst:"], h.ul[(h.li[sentence(finding)] for finding in others)]] if others else None,
        table(
            ("known at (UTC)", "step", "tier", "window", "notified"),
            [
                (
                    minute_of(step.at),
                    step.step,
                    step.tier,
                    step.scale,
                    "page" if step.page else "yes" if step.notified else f"no: {step.reason.replace('_', ' ')}",
                )
                for step in incident.steps[:STEPS_SHOWN]
            ],
            tight=range(5),
        ),
        h.p(".soft")[f"and {more:,} more steps"] if more > 0 else None,
    ]


def rules_table(report: BacktestReport) -> Element:
    """Return both rules side by side."""
    figures = [comparison(rule) for rule in report.rules]
    rows: list[Sequence[Node]] = [(lines[0][0], *(value for _, value in lines)) for lines in zip(*figures, strict=True)]
    rows.append(("columns named most", *(columns_text(rule.columns, at_most=4) or "none" for rule in report.rules)))
    names = [RULE_NAMES[rule.rule] for rule in report.rules]
    return table(("", *names), rows, numbers=range(1, len(figures) + 1), narrow=True)


def scales_table(scales: Sequence[ScalePart], *, textbook: bool) -> Element:
    """Return every scale: how many windows, what they said, why some said nothing."""

    headings = [
        "scale",
        "windows",
        "judged",
        "typical events",
        "warning / alert / critical",
        *(["textbook alarming"] if textbook else []),
        "incidents opened",
        "not judged because",
    ]
    rows = [
        [
            f"{scale.scale} every {scale.step}",
            f"{scale.windows:,}",
            percent_cell(scale.judged / scale.windows) if scale.windows else "–",
            f"{scale.typical_events:,}",
            f"{scale.warning:,} / {scale.alert:,} / {scale.critical:,}",
            *([f"{scale.textbook_alarming:,}"] if textbook else []),
            f"{scale.incidents:,}",
            _reasons(scale),
        ]
        for scale in scales
    ]
    return table(headings, rows, numbers=range(1, len(headings) - 1), tight=(0,))


def _reasons(scale: ScalePart) -> str:
    if not scale.windows:
        return "no window ended in the history"
    return ", ".join(
        f"{INCONCLUSIVE[reason]} ({percent_cell(count / scale.windows)})"
        for reason, count in scale.inconclusive.items()
    )


def columns_table(columns: Sequence[ColumnPart], *, textbook: bool) -> Element:
    """Return the columns that caused most."""
    headings = [
        "column",
        "worst tier",
        "incidents led",
        "in incidents",
        "alarming windows",
        *(["textbook windows"] if textbook else []),
        "largest PSI",
    ]
    rows: list[list[Node]] = [
        [
            h.code[column.name],
            badge(column.tier, column.tier),
            f"{column.led:,}",
            f"{column.incidents:,}",
            f"{column.windows:,}",
            *([f"{column.textbook_windows:,}"] if textbook else []),
            _psi(column),
        ]
        for column in columns[:COLUMNS_SHOWN]
    ]
    return table(headings, rows, numbers=range(2, len(headings)))


def _psi(column: ColumnPart) -> str:
    if column.psi is None:
        return "–"
    proven = f", {column.proven_psi:.2f} proven" if column.proven_psi else ""
    return f"{column.psi:.2f} at {column.psi_scale}{proven}"


def actions_table(actions: Sequence[ActionPart]) -> Element:
    """Return what would have been asked of other systems, and what would have been refused and why."""
    return table(
        ("window until (UTC)", "action", "outcome", "because"),
        [
            (
                minute_of(action.at),
                action.action + (f" to {action.to_version}" if action.to_version else ""),
                badge(OUTCOMES[action.outcome], _OUTCOME_TIERS[action.outcome]),
                action.explanation,
            )
            for action in actions[:ACTIONS_SHOWN]
        ],
        tight=(0, 1, 2),
    )


def segments_table(segments: Sequence[SegmentPart]) -> Element:
    """Return each segment's windows."""
    return table(
        ("segment", "value", "windows", "judged", "alarming"),
        [
            (
                h.code[segment.tag],
                h.code[segment.value],
                f"{segment.windows:,}",
                percent_cell(segment.judged / segment.windows),
                f"{segment.alarming:,}",
            )
            for segment in segments
        ],
        numbers=(2, 3, 4),
    )
