"""The page from top to bottom: headline, time line, columns, incidents, both rules, what could not be seen."""

from collections.abc import Iterator
from importlib.resources import files
from xml.etree.ElementTree import Element

from driftline.backtest.page.charts import accuracy_chart, psi_chart
from driftline.backtest.page.html import Content, element, sentence, written
from driftline.backtest.page.tables import (
    actions_table,
    columns_table,
    incidents_table,
    rules_table,
    scales_table,
    segments_table,
)
from driftline.backtest.page.timeline import bucket_text, timeline
from driftline.backtest.report.schema import BacktestReport
from driftline.backtest.report.wording import headline, subline
from monitor.humanize import counted, duration, duration_words, minute_of, percent_cell, rate
from monitor.types import Tier
from monitor.units import DAY_MINUTES, HOUR_MINUTES

_PLACES = ("<!--title-->", "<!--content-->")


def page_of(report: BacktestReport) -> str:
    """Return the page of *report*; equal reports give equal pages."""
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    before, _, rest = template.partition(_PLACES[0])
    between, _, after = rest.partition(_PLACES[1])
    title = element("title", f"Backtest of {report.model}: {headline(report)}")
    return "".join((before, written(title), between, written(element("main", *_content(report))), after))


def _content(report: BacktestReport) -> Iterator[Element]:
    textbook = len(report.rules) > 1
    yield from _head(report)
    yield from _section("When", timeline(report), _legend(), say=_when(report))
    if report.charts.psi:
        shown = report.charts.psi
        charts = [psi_chart(report, track, labelled=track is shown[-1]) for track in shown]
        yield from _section("How far the columns moved", *charts, say=_psi_caption(report))
    if report.accuracy is not None:
        yield from _accuracy(report)
    yield from _incidents(report)
    if textbook:
        yield from _section("Beside the textbook rule", rules_table(report), say=_TEXTBOOK)
    yield from _section("What each scale could see", scales_table(report.scales, textbook=textbook), say=_SCALES)
    if report.segments:
        yield from _section("Segments", segments_table(report.segments), say="Shown, never part of an incident.")
    if report.columns:
        yield from _section("Columns that caused most", columns_table(report.columns, textbook=textbook))
    if report.actions:
        yield from _section("What would have been asked of other systems", actions_table(report.actions))
    if report.notes:
        notes = [element("li", sentence(note)) for note in report.notes]
        yield element("h2", "To read this right")
        yield element("ul", *notes, class_="notes")
    yield _foot(report)


def _head(report: BacktestReport) -> Iterator[Element]:
    history, told = report.history, report.told
    days = duration_words(history.days * DAY_MINUTES)
    judged = sum(scale.judged for scale in report.scales)
    calm = not told.incidents and judged > 0
    yield element(
        "p",
        element("b", report.model),
        f" · backtest on {history.source} · {history.events:,} predictions, {minute_of(history.first)} to ",
        f"{minute_of(history.last)} UTC ({days})",
        class_="over",
    )
    yield element("h1", headline(report), **({"class": "calm"} if calm else {}))
    yield element("p", subline(report), class_="lead")
    windows = sum(scale.windows for scale in report.scales)
    cards = (
        ("pages a week", rate(told.pages_per_week), f"{told.pages:,} in {days}"),
        ("warnings a week", rate(told.warnings_per_week), f"{told.warnings:,} in {days}"),
        ("incidents", f"{told.incidents:,}", f"{told.open_at_end} open at the end"),
        (
            "time in an incident",
            percent_cell(told.open_share),
            duration(told.open_hours * HOUR_MINUTES) if told.open_hours else "none",
        ),
        ("windows judged", percent_cell(judged / windows) if windows else "–", f"{judged:,} of {windows:,}"),
    )
    yield element("div", *(_card(*card) for card in cards), class_="cards")


def _card(name: str, figure: str, more: str) -> Element:
    return element(
        "div",
        element("div", figure, class_="figure"),
        element("div", name, class_="name"),
        element("div", more, class_="more"),
        class_="card",
    )


def _section(title: str, *content: Element, say: Content = None) -> Iterator[Element]:
    yield element("h2", title)
    if say is not None:
        yield element("p", say, class_="say")
    yield element("div", *content, class_="scroll")


def _when(report: BacktestReport) -> str:
    bucket = bucket_text(report.charts.bucket_minutes)
    return (
        "Bars are open incidents, triangles are pages. Below, each mark is the worst window that ended within "
        f"{bucket}, for every window length by itself."
    )


def _legend() -> Element:
    marks = (
        ("ok", "ok"),
        *((tier.word, tier.word) for tier in Tier if tier),
        ("blank", "inconclusive"),
    )
    items = []
    for name, word in marks:
        box = element(
            "svg", element("rect", class_=name, x=0, y=0, width=16, height=10), viewBox="0 0 16 10", aria_hidden="true"
        )
        items.append(element("li", box, word))
    page = element("svg", element("path", class_="page", d="M4 2h8l-4 6z"), viewBox="0 0 16 10", aria_hidden="true")
    return element("ul", *items, element("li", page, "page"), class_="legend")


def _psi_caption(report: BacktestReport) -> str:
    rule = report.rule
    return (
        f"Line: the observed PSI. Filled: the part of it that is proven at {100 * (1 - rule.alpha):g} % confidence; "
        "only that can pass a tier, and only when both halves of the window show it. Each point is the largest within "
        f"{bucket_text(report.charts.bucket_minutes)}."
    )


_TEXTBOOK = (
    "The same windows judged by plain thresholds: PSI over the tiers or a KS p-value under 0.05. An alarm here is a "
    "stretch of alarming windows of one scale, what a monitor without incidents would send; its incidents are opened "
    "and closed as this spec's are."
)
_SCALES = "A window that could not be judged is neither good news nor bad news."


def _accuracy(report: BacktestReport) -> Iterator[Element]:
    accuracy = report.accuracy
    assert accuracy is not None
    overall = "" if accuracy.accuracy is None else f"{accuracy.accuracy:.4f} over {counted(accuracy.labelled, 'truth')}"
    reference = "" if accuracy.reference_accuracy is None else f"; the reference had {accuracy.reference_accuracy:.4f}"
    if not accuracy.points:
        say = f"No window had enough truths to be judged: {accuracy.labelled:,} predictions met their truth."
        yield element("h2", "Accuracy")
        yield element("p", say, class_="say")
        return
    windows = ", ".join(f"{scale} {count:,}" for scale, count in accuracy.windows.items())
    say = f"{overall}{reference}. Vertical lines are intervals. Mature windows: {windows}."
    yield from _section("Accuracy", accuracy_chart(report, accuracy), say=say)


def _incidents(report: BacktestReport) -> Iterator[Element]:
    yield element("h2", "Incidents")
    if report.incidents:
        yield element("div", incidents_table(report), class_="scroll")
        return
    closest = max(
        report.charts.psi, key=lambda track: max((psi or 0.0 for psi in track.psi), default=0.0), default=None
    )
    text = [element("p", headline(report), class_="good")]
    if closest is not None:
        largest = max((value or 0.0 for value in closest.psi), default=0.0)
        proven = any(value is not None and value > report.rule.warning for value in closest.proven)
        why = "proven in single windows, but it did not last" if proven else "never proven to pass the warning tier"
        text.append(
            element(
                "p", "Closest to it came ", element("code", closest.column),
                f" with a PSI of {largest:.2f} at {closest.scale}, {why} of {report.rule.warning:g}." if not proven
                else f" with a PSI of {largest:.2f} at {closest.scale}, {why}.",
            )
        )  # fmt: skip
    yield element("div", *text, class_="calmbox")


def _foot(report: BacktestReport) -> Element:
    rule = report.rule
    return element(
        "footer",
        f"Driftline {report.driftline}. Rule {rule.rule}, alpha {rule.alpha:g}, tiers {rule.warning:g} / "
        f"{rule.alert:g} / {rule.critical:g}, at least {rule.min_events:,} events a window, windows of "
        f"{', '.join(rule.scales)}. Counted, windowed and decided by the code that runs on live events; all times are "
        "event times in UTC.",
    )
