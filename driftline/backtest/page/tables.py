"""Tables of the page: incidents with their sentences, both rules, scales, columns, actions."""

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from driftline.backtest.page.html import Content, element, sentence
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
Cell = Content | list[Content]


def table(
    headings: Sequence[str], rows: Iterable[Sequence[Cell]], *, numbers: Iterable[int] = (), tight: Iterable[int] = ()
) -> Element:
    """Return a table; *numbers*: columns that are aligned right, *tight*: columns that do not wrap."""
    classes = {**dict.fromkeys(tight, "tight"), **dict.fromkeys(numbers, "number")}

    def cell(tag: str, at: int, content: Cell) -> Element:
        parts = content if isinstance(content, list) else [content]
        return element(tag, *parts, **({"class": classes[at]} if at in classes else {}))

    head = element("tr", *(cell("th", at, heading) for at, heading in enumerate(headings)))
    body = [element("tr", *(cell("td", at, text) for at, text in enumerate(row))) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


def badge(tier: str) -> Element:
    """Return a tier as a label."""
    return element("span", tier, class_=f"badge {'quiet' if tier == Tier.NONE.word else tier}")


def incidents_table(report: BacktestReport) -> Element:
    """Return every incident: when, how long, how bad, and why; its steps are folded in."""
    several = len(report.history.versions) > 1
    return table(
        ("opened (UTC)", "open for", "tier", "what", "why"),
        [_incident_row(incident, several=several) for incident in report.incidents[:INCIDENTS_SHOWN]],
        tight=(0, 2),
    )


def _incident_row(incident: IncidentPart, *, several: bool) -> list[Cell]:
    pages = sum(step.page for step in incident.steps)
    version: Content = element("div", "version ", element("code", incident.version), class_="soft") if several else None
    what: list[Content] = [
        kind_text(incident.kind),
        version,
        element(
            "div",
            f"at {incident.scale}" + (f", {counted(pages, 'page')}" if pages else ""),
            class_="soft",
        ),
    ]
    return [
        minute_of(incident.opened),
        open_text(incident),
        badge(incident.tier),
        what,
        [sentence(incident.sentence), _details(incident)],
    ]


def _details(incident: IncidentPart) -> Element:
    others = [element("li", sentence(finding)) for finding in incident.findings[1:]]
    also = [element("p", "Also at its worst:", class_="soft"), element("ul", *others)] if others else []
    steps = table(
        ("known at (UTC)", "step", "tier", "window", "told"),
        [
            (
                minute_of(step.at),
                step.step,
                step.tier,
                step.scale,
                "page" if step.page else "yes" if step.told else f"no: {step.reason.replace('_', ' ')}",
            )
            for step in incident.steps[:STEPS_SHOWN]
        ],
        tight=range(5),
    )
    more = len(incident.steps) - STEPS_SHOWN
    rest: Content = element("p", f"and {more:,} more steps", class_="soft") if more > 0 else None
    found = f", {counted(len(others), 'more finding')}" if others else ""
    summary = element("summary", counted(len(incident.steps), "step") + found)
    return element("details", summary, *also, steps, rest)


def rules_table(report: BacktestReport) -> Element:
    """Return both rules side by side."""
    figures = [comparison(rule) for rule in report.rules]
    rows: list[Sequence[Cell]] = [(lines[0][0], *(value for _, value in lines)) for lines in zip(*figures, strict=True)]
    rows.append(("columns named most", *(columns_text(rule.columns, at_most=4) or "none" for rule in report.rules)))
    names = [RULE_NAMES[rule.rule] for rule in report.rules]
    made = table(("", *names), rows, numbers=range(1, len(figures) + 1))
    made.set("class", "narrow")
    return made


def scales_table(scales: Sequence[ScalePart], *, textbook: bool) -> Element:
    """Return every scale: how many windows, what they said, why some said nothing."""

    def row(each: ScalePart) -> list[Cell]:
        alarming = f"{each.warning:,} / {each.alert:,} / {each.critical:,}"
        return [
            f"{each.scale} every {each.step}",
            f"{each.windows:,}",
            percent_cell(each.judged / each.windows) if each.windows else "–",
            f"{each.typical_events:,}",
            alarming,
            *([f"{each.textbook_alarming:,}"] if textbook else []),
            f"{each.incidents:,}",
            _reasons(each),
        ]

    beside = ["textbook alarming"] if textbook else []
    headings = [
        "scale",
        "windows",
        "judged",
        "typical events",
        "warning / alert / critical",
        *beside,
        "incidents opened",
        "not judged because",
    ]
    return table(headings, [row(scale) for scale in scales], numbers=range(1, len(headings) - 1), tight=(0,))


def _reasons(scale: ScalePart) -> str:
    if not scale.windows:
        return "no window ended in the history"
    return ", ".join(
        f"{INCONCLUSIVE[reason]} ({percent_cell(count / scale.windows)})"
        for reason, count in scale.inconclusive.items()
    )


def columns_table(columns: Sequence[ColumnPart], *, textbook: bool) -> Element:
    """Return the columns that caused most."""
    beside = ["textbook windows"] if textbook else []
    headings = ["column", "worst tier", "incidents led", "in incidents", "alarming windows", *beside, "largest PSI"]
    rows: list[list[Cell]] = [
        [
            element("code", column.name),
            badge(column.tier),
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
                badge_of(action.outcome),
                action.explanation,
            )
            for action in actions[:ACTIONS_SHOWN]
        ],
        tight=(0, 1, 2),
    )


def badge_of(outcome: ActionOutcome) -> Element:
    """Return an action's outcome as a label."""
    style = "alert" if outcome is ActionOutcome.ASKED else "quiet"
    return element("span", OUTCOMES[outcome], class_=f"badge {style}")


def segments_table(segments: Sequence[SegmentPart]) -> Element:
    """Return each segment's windows."""
    return table(
        ("segment", "value", "windows", "judged", "alarming"),
        [
            (
                element("code", segment.tag),
                element("code", segment.value),
                f"{segment.windows:,}",
                percent_cell(segment.judged / segment.windows),
                f"{segment.alarming:,}",
            )
            for segment in segments
        ],
        numbers=(2, 3, 4),
    )
