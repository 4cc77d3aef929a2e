"""docs/statistics-in-your-notebook.md is executed: its code runs top to bottom and prints what the page says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from driftline import stats

PAGE = (Path(__file__).parents[2] / "docs" / "statistics-in-your-notebook.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def printed_and_shown(page: str) -> list[tuple[str, str]]:
    """Run the Python blocks of *page* in one namespace; return what each run printed and what the page shows of it."""
    pairs: list[tuple[str, str]] = []
    namespace: dict[str, object] = {}
    printed = io.StringIO()
    for kind, text in BLOCK.findall(page):
        if kind == "python":
            with contextlib.redirect_stdout(printed):
                exec(compile(text, "page", "exec"), namespace)
        else:
            pairs.append((printed.getvalue(), text))
            printed = io.StringIO()
    assert printed.getvalue() == "", "the page shows nothing of what its last block prints"
    return pairs


def test_the_page_prints_what_it_shows() -> None:
    """Each output on the page is that of the code above it, to the letter."""
    pairs = printed_and_shown(PAGE)
    assert len(pairs) >= 5
    assert [printed for printed, _ in pairs] == [shown for _, shown in pairs]


def test_a_page_that_says_something_else_is_detected() -> None:
    """One digit changed in an output, or an output left out, does not pass."""
    ((printed, shown),) = printed_and_shown("```python\nprint(2 + 2)\n```\n\n```text\n5\n```\n")
    assert (printed, shown) == ("4\n", "5\n")
    with pytest.raises(AssertionError, match="last block"):
        printed_and_shown("```python\nprint(4)\n```\n")


def test_the_page_names_every_statistic() -> None:
    """The table has a place for each name that `driftline.stats` exports, and names no other function."""
    table = PAGE.split("## Which one for which column")[1].split("## An example")[0]
    rows = "".join(line for line in table.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`(\w+)`", rows)) == set(stats.__all__)
