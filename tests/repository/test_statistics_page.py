"""docs/statistics.md says what the code says: its figures are the command's, and its prose has no others."""

import re
from pathlib import Path

import pytest

from benchmarks.statistics_figures import FIGURES, blocks_of, with_figures

PAGE = (Path(__file__).parents[2] / "docs" / "statistics.md").read_text(encoding="utf-8")


def prose_of(page: str) -> str:
    """Return the page without its figures, its code and the numbers of its lists."""
    without_figures = re.sub(r"<!-- figures.*?<!-- end -->", "", page, flags=re.DOTALL)
    return re.sub(r"^\d+\. |`[^`]*`", "", without_figures, flags=re.MULTILINE)


def test_every_figure_of_the_page_is_the_commands() -> None:
    """Rewriting its figures does not change the page; `python -m benchmarks.statistics_figures --write` repairs it."""
    assert with_figures(PAGE) == PAGE


def test_every_figure_is_shown_once() -> None:
    """The page has each block that there is a figure for, and no other."""
    assert sorted(blocks_of(PAGE)) == sorted(FIGURES)


def test_the_prose_has_no_figures_of_its_own() -> None:
    """A number outside the blocks would be nobody's; the p-value of the textbook rule is its name."""
    assert re.findall(r"\d[\d.,]*\d|\d", prose_of(PAGE)) == ["0.05"]


def test_a_page_that_says_something_else_is_detected() -> None:
    """One digit changed in a figure, and the page is not what the command writes; an unknown block is an error."""
    changed = PAGE.replace("9,200", "9,201", 1)
    assert changed != PAGE
    assert with_figures(changed) == PAGE
    with pytest.raises(KeyError):
        with_figures("<!-- figures: nothing -->\n<!-- end -->")
