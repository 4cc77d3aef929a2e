"""How commands speak: tables for people, one JSON document for programs."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from itertools import zip_longest
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]


def own_command() -> str:
    """Return how this program was started, to be typed again: from a clone it is not in the PATH."""
    started = Path(sys.argv[0])
    if started.name != "driftline":
        return f"{sys.executable}{' -P' if sys.flags.safe_path else ''} -m driftline"
    in_path = shutil.which("driftline")
    return "driftline" if in_path is not None and Path(in_path).absolute() == started.absolute() else str(started)


def print_json(value: object) -> None:
    """Print *value*, made of dataclasses, tuples and plain values, as one JSON document."""
    typer.echo(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def json_line(value: object) -> str:
    """Return *value* as JSON on one line."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def print_table(
    title: str, headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str, notes: Sequence[str] = ()
) -> None:
    """Print *rows* under *headings*, or the sentence *empty* when there are none.

    *notes* are sentences, one per row, wrapped below it: in a column of their own they would be unreadable.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    listed = [[_cell(text) for text in row] for row in rows]
    if not listed:
        console.print(Text.assemble((title, "bold"), f": {empty}"))
        return
    widths = [max(len(text) for text in column) for column in zip(headings, *listed, strict=True)]
    right = [all(_is_number(row[number]) for row in listed) for number in range(len(headings))]
    console.print(Text(title, style="bold"))
    console.print(Text("  " + _aligned(headings, widths, right), style="dim"))
    for row, note in zip_longest(listed, notes, fillvalue=""):
        console.print("  " + _aligned(list(row), widths, right))
        if note:
            console.print(fill(str(note), max(console.width, 40), initial_indent="      ", subsequent_indent="      "))


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = zip(row, widths, right, strict=True)
    return "  ".join(text.rjust(width) if is_right else text.ljust(width) for text, width, is_right in cells).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).lstrip("-").isdigit()
