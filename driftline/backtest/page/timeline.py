"""The time line: when an incident was open, what each scale said, the textbook rule below, and the traffic."""

from collections.abc import Iterator
from itertools import groupby
from xml.etree.ElementTree import Element

from alerting.incidents.state import Step
from driftline.backtest.page.charts import LEFT, RIGHT, WIDTH, TimeAxis, millis_of, time_axis
from driftline.backtest.page.html import element
from driftline.backtest.report.schema import BacktestReport, IncidentPart, StepPart
from driftline.backtest.report.wording import kind_text
from monitor.humanize import minute_of
from monitor.units import MINUTE_MILLIS

LANE, STRIP, TRAFFIC = 26, 15, 54
CLASSES = {"?": "blank", "o": "ok", "w": "warning", "a": "alert", "c": "critical"}
WORDS = {"?": "inconclusive", "o": "ok", "w": "warning", "a": "alert", "c": "critical"}


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
        parts.append(element("text", "none", class_="faint", x=LEFT, y=y))
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
    return element(
        "svg",
        _hatching(),
        *axis.grid(top=20, bottom=y),
        *parts,
        *axis.labels(y=y + 16),
        viewBox=f"0 0 {WIDTH} {y + 24:.0f}",
        role="img",
        aria_label="Incidents, verdicts of every scale and traffic over time",
    )


def _heading(text: str, y: float) -> Element:
    return element("text", text, class_="strong", x=0, y=y)


def _hatching() -> Element:
    line = element("line", class_="hatch", x1=0, y1=0, x2=0, y2=5)
    pattern = element(
        "pattern",
        line,
        id="inconclusive",
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return element("defs", pattern)


def _lanes(report: BacktestReport) -> list[tuple[str, list[IncidentPart]]]:
    several = len(report.history.versions) > 1
    lanes: dict[str, list[IncidentPart]] = {}
    for incident in report.incidents:
        version = f" {incident.version}" if several else ""
        lanes.setdefault(kind_text(incident.kind) + version, []).append(incident)
    return sorted(lanes.items())


def _lane(axis: TimeAxis, name: str, incidents: list[IncidentPart], *, y: float) -> Iterator[Element]:
    yield element("text", name[:22], x=0, y=y + 13)
    yield element("line", class_="rule", x1=LEFT, x2=WIDTH - RIGHT, y1=y + 9, y2=y + 9)
    for incident in incidents:
        bars = [
            element(
                "rect",
                class_=tier,
                x=axis.x(start),
                y=y + 3,
                width=max(axis.x(stop) - axis.x(start), 2.5),
                height=12,
                rx=1.5,
            )
            for start, stop, tier in _spans(incident, until=axis.stop)
        ]
        pages = [_mark(axis.x(millis_of(step.at)), y) for step in incident.steps if step.page]
        closed = "still open at the end" if incident.closed is None else f"closed {minute_of(incident.closed)}"
        title = element("title", f"{incident.tier}, opened {minute_of(incident.opened)}, {closed}. {incident.sentence}")
        yield element("g", title, *bars, *pages)


def _mark(x: float, y: float) -> Element:
    """A page: a small triangle that points at the bar."""
    return element("path", class_="page", d=f"M{x - 4:.1f} {y - 5:.1f}h8l-4 6z")


def _spans(incident: IncidentPart, *, until: int) -> Iterator[tuple[int, int, str]]:
    begun: StepPart | None = None
    for step in incident.steps:
        if begun is not None:
            yield millis_of(begun.at), millis_of(step.at), begun.tier
        begun = None if step.step is Step.RESOLVED else step
    if begun is not None:
        yield millis_of(begun.at), until, begun.tier


def _strip(report: BacktestReport, axis: TimeAxis, name: str, strip: str, *, y: float) -> Iterator[Element]:
    yield element("text", name, x=LEFT - 10, y=y + 9, text_anchor="end")
    millis, at = report.charts.bucket_minutes * MINUTE_MILLIS, 0
    for letter, run in groupby(strip):
        length = len(list(run))
        if letter in CLASSES:
            x = axis.x(axis.start + at * millis)
            width = axis.x(axis.start + (at + length) * millis) - x
            title = element("title", f"{name}: {WORDS[letter]}")
            yield element("rect", title, class_=CLASSES[letter], x=x, y=y, width=width, height=STRIP - 4)
        at += length


def _traffic(report: BacktestReport, axis: TimeAxis, *, y: float) -> Iterator[Element]:
    charts = report.charts
    most = max(charts.traffic, default=0) or 1
    millis = charts.bucket_minutes * MINUTE_MILLIS
    yield _heading("Traffic", y + 4)
    yield element("text", "predictions", class_="faint", x=0, y=y + 20)
    yield element("text", f"per {bucket_text(charts.bucket_minutes)}", class_="faint", x=0, y=y + 33)
    yield element("text", f"{most:,}", class_="faint", x=LEFT - 10, y=y + 9, text_anchor="end")
    yield element("text", "0", class_="faint", x=LEFT - 10, y=y + TRAFFIC, text_anchor="end")
    steps = [f"M{LEFT} {y + TRAFFIC}"]
    for number, count in enumerate(charts.traffic):
        height = y + TRAFFIC - count / most * (TRAFFIC - 4)
        left, right = axis.x(axis.start + number * millis), axis.x(axis.start + (number + 1) * millis)
        steps.append(f"L{left:.1f} {height:.1f}H{right:.1f}")
    steps.append(f"V{y + TRAFFIC}Z")
    yield element("path", class_="bars", d="".join(steps))
    yield element("line", class_="rule", x1=LEFT, x2=WIDTH - RIGHT, y1=y + TRAFFIC, y2=y + TRAFFIC)


def bucket_text(minutes: int) -> str:
    """Return the length of a bucket: '30 min', '2 h', '1 day'."""
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 1440 else f"{minutes // 1440} day{'' if minutes == 1440 else 's'}"
