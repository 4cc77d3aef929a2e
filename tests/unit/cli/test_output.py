"""Tables of commands and the backtest's text, piped and on a terminal."""

import io

import pytest
from rich.console import Console

from driftline.cli.backtest_text import print_report
from driftline.cli.output import print_table
from tests.unit.backtest.test_summary import lively, report


def printed(capsys: pytest.CaptureFixture[str], *rows: tuple[object, ...], notes: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of a table of three columns under its title."""
    headings = ("name", "rows", "share")[: len(rows[0])] if rows else ("name",)
    print_table("Models", headings, rows, empty="none [yet]", notes=notes)
    return capsys.readouterr().out.splitlines()


def test_numbers_are_right_aligned_and_nothing_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    """A column of numbers, dashes and percentages ends at one edge; words begin at one."""
    assert printed(capsys, ("credit", 1234567, "0.5%"), ("a", None, "12.0%")) == [
        "Models",
        "  name         rows  share",
        "  credit  1,234,567   0.5%",
        "  a               -  12.0%",
    ]


def test_a_piped_row_stays_on_one_line_whatever_it_holds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value is cut, folded or read as markup or as an emoji; a line break inside one becomes a blank."""
    monkeypatch.setenv("COLUMNS", "40")
    long = "x" * 500
    lines = printed(capsys, ("[bold]:bug:[/bold]\nnext", "日本"), (long, "b"))
    assert lines[2] == f"  {'[bold]:bug:[/bold] next':<500}  日本"
    assert lines[3] == f"  {long}  b"


def test_a_note_stands_below_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Notes belong to rows in order; an empty one takes no line, and a table without rows is a sentence."""
    assert printed(capsys, ("a",), ("b",), notes=("", "of b")) == ["Models", "  name", "  a", "  b", "      of b"]
    assert printed(capsys) == ["Models: none [yet]"]


def test_the_backtest_folds_to_a_terminal_and_nowhere_else() -> None:
    """On 60 columns every table fits; piped, a scale with its reason is one line, without blanks at its end."""
    terminal, pipe = io.StringIO(), io.StringIO()
    shown = report(lively())
    print_report(shown, Console(file=terminal, width=60, force_terminal=True, color_system=None))
    print_report(shown, Console(file=pipe, width=60))
    row = "24h/2h         1      0 %          0          0        0   not full yet 100 %"
    assert row in pipe.getvalue().splitlines()
    assert row not in terminal.getvalue()
    assert all(len(line) <= 60 for line in terminal.getvalue().splitlines() if "─" in line)
    assert "  2026-06-13 12:00  warning   performance at 10m, open at the end\n" in pipe.getvalue()
    assert not any(line.endswith(" ") for line in pipe.getvalue().splitlines())
