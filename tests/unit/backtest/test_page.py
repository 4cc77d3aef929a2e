"""The page of a backtest: self-contained, escaped, complete, and calm where nothing happened."""

from html.parser import HTMLParser

import msgspec
import pytest

from driftline.backtest.page import page_of
from driftline.backtest.page.charts import LEFT, RIGHT, TICKS_AT_MOST, WIDTH, TimeAxis
from driftline.backtest.page.document import printable
from driftline.backtest.page.tables import sentence
from driftline.backtest.report.build import report_of
from driftline.backtest.report.schema import BacktestReport
from monitor.types import InconclusiveReason, Tier, Verdict
from tests.models.credit import START, profile
from tests.unit.backtest.outcomes import DAY, HOUR, ONE_HOUR, finding, incident, outcome, spec, step, window
from tests.unit.backtest.test_summary import lively, report

HOSTILE = "</style><script>alert('x')</script>\"&<img src=x onerror=alert(1)>\x1b[31m\u202e"


class Read(HTMLParser):
    """Tags, attributes and texts of a page."""

    VOID = frozenset({"meta", "br", "img", "input", "link", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"{tag} closes nothing"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.texts.append(data)


def hostile_report() -> BacktestReport:
    """A report in which everything that a user names is hostile."""
    bad = msgspec.structs.replace(finding(HOSTILE), sentence=f"`{HOSTILE}`: moved to `{HOSTILE}`.")
    raised = incident(step(HOUR, "opened", Tier.CRITICAL, findings=[bad], length=60), version=HOSTILE)
    result = outcome(
        incidents=[raised],
        windows=[window(HOUR, scale=ONE_HOUR, verdict=Verdict.CRITICAL, findings=[bad])],
        psi=[(HOUR, HOSTILE, 0.4, 0.3)],
        versions=(HOSTILE, "2"),
    )
    named = spec(model=HOSTILE, columns={HOSTILE: {"kind": "numeric"}})
    return report_of(result, spec=named, profile=profile(), source=HOSTILE)


def test_no_name_becomes_markup() -> None:
    """Hostile names of the model, file, version, column and value are text, nowhere a tag or an attribute."""
    page = page_of(hostile_report())
    read = Read(page)
    assert "script" not in read.tags
    assert "img" not in read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert page.count("<style>") == page.count("</style>") == 1
    assert "alert('x')" in "".join(read.texts)
    assert not [letter for letter in page if letter < " " and letter not in "\n\t"]
    assert "\u202e" not in page


@pytest.mark.parametrize("result", [report(lively()), report(outcome()), hostile_report()])
def test_the_page_needs_nothing_from_outside(result: BacktestReport) -> None:
    """No script, no link, no address, no import; every tag is closed; it reads in light, dark and print."""
    page = page_of(result)
    read = Read(page)
    assert read.open == []
    assert not {"script", "link", "iframe", "object", "embed", "img"} & set(read.tags)
    assert not [value for name, value in read.attributes if name in ("src", "href", "action", "srcset")]
    assert "://" not in page
    assert "@import" not in page
    assert [value for _, value in read.attributes if "url(" in (value or "")] == []
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_page_shows_the_whole_document() -> None:
    """Every incident's sentence, every refusal, every note and both rules are on it; equal reports, equal pages."""
    result = report(lively())
    page, text = page_of(result), "".join(Read(page_of(result)).texts)
    for part in result.incidents:
        assert part.sentence.replace("`", "") in text
    for action in result.actions:
        assert action.explanation in text
    for note in result.notes:
        assert note.replace("`", "") in text
    assert "textbook rule" in text
    assert page == page_of(report(lively()))


def test_nothing_raised_is_good_news() -> None:
    """The headline, and how close the nearest column came; without windows it is no good news."""
    calm = report(outcome(windows=[window(HOUR, scale=ONE_HOUR)], psi=[(HOUR, "amount", 0.04, None)], days=21))
    page = page_of(calm)
    assert '<h1 class="calm">Nothing would have been raised in 21 days.</h1>' in page
    assert "with a PSI of 0.04 at 1h, never proven to pass the warning tier of 0.1." in "".join(Read(page).texts)
    blind = page_of(
        report(outcome(windows=[window(HOUR, verdict=Verdict.INCONCLUSIVE, reason=InconclusiveReason.FILLING)]))
    )
    assert 'class="calm"' not in blind
    assert "says nothing about the model" in blind


@pytest.mark.parametrize("days", [0.02, 0.5, 1, 7, 21, 90, 400, 3000])
def test_the_axis_of_time_is_readable(days: float) -> None:
    """A few round ticks inside the chart, each with another label."""
    axis = TimeAxis(START, START + int(days * DAY))
    ticks = axis.ticks()
    assert len(ticks) <= TICKS_AT_MOST + 1
    assert len({label for _, label in ticks}) == len(ticks)
    assert all(LEFT <= axis.x(at) <= WIDTH - RIGHT for at, _ in ticks)
    if days >= 0.5:
        assert len(ticks) >= 3
    assert (axis.x(START - DAY), axis.x(START + 9000 * DAY)) == (LEFT, WIDTH - RIGHT)


def test_what_stands_in_backticks_is_code() -> None:
    """A sentence with a name in it; what has no glyph or reverses the direction is replaced."""
    assert str(sentence("`x<1`: moved")) == "<span><code>x&lt;1</code>: moved</span>"
    assert printable("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"
