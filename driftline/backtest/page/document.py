"""The whole page: headline, time line, columns, incidents, both rules, what was not judged."""

import re
from collections.abc import Iterator
from importlib.resources import files

import htpy as h
from htpy import Element, Node
from markupsafe import Markup

from driftline.backtest.page.charts import accuracy_chart, psi_chart, svg_attributes
from driftline.backtest.page.tables import (
    actions_table,
    columns_table,
    incidents_table,
    rules_table,
    scales_table,
    segments_table,
    sentence,
)
from driftline.backtest.page.timeline import VERDICTS, bucket_text, timeline
from driftline.backtest.report.schema import AccuracyPart, BacktestReport
from driftline.backtest.report.wording import headline, subline
from monitor.humanize import counted, duration, duration_words, minute_of, percent_cell, rate
from monitor.units import DAY_MINUTES, HOUR_MINUTES

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def page_of(report: BacktestReport) -> str:
    """Return the page of *report*; equal reports give equal pages."""
    page = h.html(lang="en")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="color-scheme", content="light dark"),
            h.meta(name="generator", content="driftline backtest"),
            h.title[f"Backtest of {report.model}: {headline(report)}"],
            h.style[Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))],
        ],
        h.body[h.main[_content(report)]],
    ]
    return printable(str(page)) + "\n"


def printable(text: str) -> str:
    """Return *text* without what has no glyph or turns the direction of what follows."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _content(report: BacktestReport) -> Iterator[Node]:
    textbook = len(report.rules) > 1
    yield _head(report)
    yield _section("When", timeline(report), _legend(), say=_when(report))
    if shown := report.charts.psi:
        charts = [psi_chart(report, track, labelled=track is shown[-1]) for track in shown]
        yield _section("How far the columns moved", charts, say=_psi_caption(report))
    if report.accuracy is not None:
        yield _accuracy(report, report.accuracy)
    yield h.h2["Incidents"]
    yield h.div(".scroll")[incidents_table(report)] if report.incidents else _nothing_raised(report)
    if textbook:
        yield _section("Compared with the textbook rule", rules_table(report), say=_TEXTBOOK)
    yield _section("What each scale could see", scales_table(report.scales, textbook=textbook), say=_SCALES)
    if report.segments:
        yield _section("Segments", segments_table(report.segments), say="Shown, never part of an incident.")
    if report.columns:
        yield _section("Columns that caused most", columns_table(report.columns, textbook=textbook))
    if report.actions:
        yield _section("What would have been asked of other systems", actions_table(report.actions))
    if report.notes:
        yield h.h2["To read this right"]
        yield h.ul(".notes")[(h.li[sentence(note)] for note in report.notes)]
    yield _foot(report)


def _head(report: BacktestReport) -> list[Element]:
    history, summary = report.history, report.summary
    windows, judged = sum(scale.windows for scale in report.scales), sum(scale.judged for scale in report.scales)
    days = duration_words(history.days * DAY_MINUTES)
    calm = not summary.incidents and judged > 0
    cards = (
        ("pages a week", rate(summary.pages_per_week), f"{summary.pages:,} in {days}"),
        ("warnings a week", rate(summary.warnings_per_week), f"{summary.warnings:,} in {days}"),
        ("incidents", f"{summary.incidents:,}", f"{summary.open_at_end} open at the end"),
        (
            "time in an incident",
            percent_cell(summary.open_share),
            duration(summary.open_hours * HOUR_MINUTES) if summary.open_hours else "none",
        ),
        ("windows judged", percent_cell(judged / windows) if windows else "–", f"{judged:,} of {windows:,}"),
    )
    return [
        h.p(".over")[
            h.b[report.model],
            f" · backtest on {history.source} · {history.events:,} predictions,"
            f" {minute_of(history.first)} to {minute_of(history.last)} UTC ({days})",
        ],
        h.h1(class_="calm" if calm else None)[headline(report)],
        h.p(".lead")[subline(report)],
        h.div(".cards")[
            (
                h.div(".card")[h.div(".figure")[figure], h.div(".name")[name], h.div(".more")[more]]
                for name, figure, more in cards
            )
        ],
    ]


def _section(title: str, *content: Node, say: str | None = None) -> list[Node]:
    return [h.h2[title], h.p(".say")[say] if say else None, h.div(".scroll")[content]]


def _when(report: BacktestReport) -> str:
    bucket = bucket_text(report.charts.bucket_minutes)
    return (
        "Bars are open incidents, triangles are pages. Below, each mark is the worst window that ended within "
        f"{bucket}, each window length in a line of its own."
    )


def _legend() -> Element:
    def key(mark: Element, word: str) -> Element:
        return h.li[h.svg(viewBox="0 0 16 10", aria_hidden="true")[mark], word]

    return h.ul(".legend")[
        (key(h.rect(svg_attributes(x=0, y=0, width=16, height=10), class_=name), word) for name, word in _LEGEND),
        key(h.path(".page", d="M4 2h8l-4 6z"), "page"),
    ]


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
_LEGEND = sorted(VERDICTS.values(), key=lambda mark: mark[0] == "blank")
_SCALES = "A window that could not be judged is neither good news nor bad news."


def _accuracy(report: BacktestReport, accuracy: AccuracyPart) -> list[Node]:
    if not accuracy.points:
        say = f"No window had enough truths to be judged: {accuracy.labelled:,} predictions met their truth."
        return [h.h2["Accuracy"], h.p(".say")[say]]
    overall = "" if accuracy.accuracy is None else f"{accuracy.accuracy:.4f} over {counted(accuracy.labelled, 'truth')}"
    reference = "" if accuracy.reference_accuracy is None else f"; the reference had {accuracy.reference_accuracy:.4f}"
    windows = ", ".join(f"{scale} {count:,}" for scale, count in accuracy.windows.items())
    say = f"{overall}{reference}. Vertical lines are intervals. Mature windows: {windows}."
    return _section("Accuracy", accuracy_chart(report, accuracy), say=say)


def _nothing_raised(report: BacktestReport) -> Element:
    """Return the headline, and how close the nearest column came."""
    closest, most, warning = None, -1.0, report.rule.warning
    for track in report.charts.psi:
        largest = max((psi or 0.0 for psi in track.psi), default=0.0)
        if largest > most:
            closest, most = track, largest
    if closest is None:
        return h.div(".calmbox")[h.p(".good")[headline(report)]]
    proven = any(value is not None and value > warning for value in closest.proven)
    why = (
        "proven in single windows, but it did not last"
        if proven
        else f"never proven to pass the warning tier of {warning:g}"
    )
    return h.div(".calmbox")[
        h.p(".good")[headline(report)],
        h.p["Closest to it came ", h.code[closest.column], f" with a PSI of {most:.2f} at {closest.scale}, {why}."],
    ]


def _foot(report: BacktestReport) -> Element:
    rule = report.rule
    return h.footer[
        f"Driftline {report.driftline}. Rule {rule.rule}, alpha {rule.alpha:g}, tiers {rule.warning:g} / "
        f"{rule.alert:g} / {rule.critical:g}, at least {rule.min_events:,} events a window, windows of "
        f"{', '.join(rule.scales)}. Counted, windowed and decided by the code that runs on live events; all times are "
        "event times in UTC."
    ]
