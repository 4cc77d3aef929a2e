"""The time line: when an incident was open, what each scale said, the textbook rule below, and the traffic."""

from collections.abc import Iterator
from itertools import groupby

import htpy as h
from htpy import Element

from alerting.incidents.state import Step
from driftline.backtest.page.charts import LEFT, WIDTH, TimeAxis, horizontal_line, millis_of, svg_attributes, time_axis
from driftline.backtest.report.counts import LETTERS
from driftline.backtest.report.schema import BacktestReport, IncidentPart, StepPart
from driftline.backtest.report.wording import kind_text
from monitor.humanize import minute_of
from monitor.types import Verdict
from monitor.units import MINUTE_MILLIS

LANE, STRIP, TRAFFIC = 26, 15, 54
VERDICTS = {  # letter of a scale's strip: class and word
    letter: ("blank" if verdict is Verdict.INCONCLUSIVE else verdict.lower(), verdict.lower())
    for verdict, letter in LETTERS.items()
}


def timeline(report: BacktestReport) -> Element:
    """Return the chart."""
    axis = time_axis(report.charts)
    parts: list[Element] = []
    y = 14.0
    parts.append(_heading("Incidents", y))
    for name, incidents in _lanes(report):
        parts += _lane(axis, name, incidents, y=y + 8)
        y += LANE
    if not report.incidents:
        parts.append(h.text(".faint", svg_attributes(x=LEFT, y=y))["none"])
    y += 22
    parts.append(_heading("Windows, this spec", y))
    for scale in report.scales:
        parts += _strip(report, axis, scale.scale, scale.strip, y=y + 7)
        y += STRIP
    if len(report.rules) > 1:
        y += 26
        parts.append(_heading("Windows, textbook rule", y))
        for scale in report.scales:
            parts += _strip(report, axis, scale.scale, scale.textbook_strip, y=y + 7)
            y += STRIP
    y += 26
    parts += _traffic(report, axis, y=y)
    y += TRAFFIC + 8
    label = "Incidents, verdicts of every scale and traffic over time"
    return h.svg(viewBox=f"0 0 {WIDTH} {y + 24:.0f}", role="img", aria_label=label)[
        _hatching(), axis.grid(top=20, bottom=y), parts, axis.labels(y=y + 16)
    ]


def _heading(text: str, y: float) -> Element:
    return h.text(".strong", svg_attributes(x=0, y=y))[text]


def _hatching() -> Element:
    pattern = h.pattern(
        "#inconclusive", width=5, height=5, patternUnits="userSpaceOnUse", patternTransform="rotate(45)"
    )
    return h.defs[pattern[h.line(".hatch", svg_attributes(x1=0, y1=0, x2=0, y2=5))]]


def _lanes(report: BacktestReport) -> list[tuple[str, list[IncidentPart]]]:
    several = len(report.history.versions) > 1
    lanes: dict[str, list[IncidentPart]] = {}
    for incident in report.incidents:
        version = f" {incident.version}" if several else ""
        lanes.setdefault(kind_text(incident.kind) + version, []).append(incident)
    return sorted(lanes.items())


def _lane(axis: TimeAxis, name: str, incidents: list[IncidentPart], *, y: float) -> Iterator[Element]:
    yield h.text(svg_attributes(x=0, y=y + 13))[name[:22]]
    yield horizontal_line(y + 9)
    for incident in incidents:
        closed = "still open at the end" if incident.closed is None else f"closed {minute_of(incident.closed)}"
        yield h.g[
            h.title[f"{incident.tier}, opened {minute_of(incident.opened)}, {closed}. {incident.sentence}"],
            (_bar(axis.x(start), axis.x(stop), tier, y) for start, stop, tier in _spans(incident, until=axis.stop)),
            (_mark(axis.x(millis_of(step.at)), y) for step in incident.steps if step.page),
        ]


def _bar(left: float, right: float, tier: str, y: float) -> Element:
    return h.rect(svg_attributes(x=left, y=y + 3, width=max(right - left, 2.5), height=12, rx=1.5), class_=tier)


def _mark(x: float, y: float) -> Element:
    """A page: a small triangle that points at the bar."""
    return h.path(".page", d=f"M{x - 4:.1f} {y - 5:.1f}h8l-4 6z")


def _spans(incident: IncidentPart, *, until: int) -> Iterator[tuple[int, int, str]]:
    begun: StepPart | None = None
    for step in incident.steps:
        if begun is not None:
            yield millis_of(begun.at), millis_of(step.at), begun.tier
        begun = None if step.step is Step.RESOLVED else step
    if begun is not None:
        yield millis_of(begun.at), until, begun.tier


def _strip(report: BacktestReport, axis: TimeAxis, name: str, strip: str, *, y: float) -> Iterator[Element]:
    yield h.text(svg_attributes(x=LEFT - 10, y=y + 9), text_anchor="end")[name]
    millis, first = report.charts.bucket_minutes * MINUTE_MILLIS, 0
    for letter, run in groupby(strip):
        last = first + len(list(run))
        if letter in VERDICTS:
            x, until = axis.x(axis.start + first * millis), axis.x(axis.start + last * millis)
            class_, word = VERDICTS[letter]
            yield h.rect(svg_attributes(x=x, y=y, width=until - x, height=STRIP - 4), class_=class_)[
                h.title[f"{name}: {word}"]
            ]
        first = last


def _traffic(report: BacktestReport, axis: TimeAxis, *, y: float) -> Iterator[Element]:
    charts = report.charts
    most = max(charts.traffic, default=0) or 1
    millis = charts.bucket_minutes * MINUTE_MILLIS
    yield _heading("Traffic", y + 4)
    yield h.text(".faint", svg_attributes(x=0, y=y + 20))["predictions"]
    yield h.text(".faint", svg_attributes(x=0, y=y + 33))[f"per {bucket_text(charts.bucket_minutes)}"]
    yield h.text(".faint", svg_attributes(x=LEFT - 10, y=y + 9), text_anchor="end")[f"{most:,}"]
    yield h.text(".faint", svg_attributes(x=LEFT - 10, y=y + TRAFFIC), text_anchor="end")["0"]
    outline = [f"M{LEFT} {y + TRAFFIC}"]
    for number, count in enumerate(charts.traffic):
        height = y + TRAFFIC - count / most * (TRAFFIC - 4)
        left, right = axis.x(axis.start + number * millis), axis.x(axis.start + (number + 1) * millis)
        outline.append(f"L{left:.1f} {height:.1f}H{right:.1f}")
    yield h.path(".bars", d="".join([*outline, f"V{y + TRAFFIC}Z"]))
    yield horizontal_line(y + TRAFFIC)


def bucket_text(minutes: int) -> str:
    """Return the length of a bucket: '30 min', '2 h', '1 day'."""
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 1440 else f"{minutes // 1440} day{'' if minutes == 1440 else 's'}"
