"""What commands print: tables and progress for people, one JSON document for programs."""

import json
import re
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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

_UNBROKEN = 100_000  # wider than any table
_NUMBER = re.compile(r"(-|never|[×x]?-?[\d,]+(\.\d+)?( ?%)?)( ✓|  )?")


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
    """Print *rows* under *headings*, one a line, or the sentence *empty* when there are none.

    *notes* are sentences, one per row, wrapped below it: in a column of their own they would be unreadable.
    """
    console = Console(soft_wrap=True, highlight=False, markup=False)
    listed = [[_cell(value) for value in row] for row in rows]
    if not listed:
        console.print(Text.assemble((title, "bold"), f": {empty}"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading, column in zip(headings, zip(*listed, strict=True), strict=True):
        right = all(_NUMBER.fullmatch(cell) for cell in column)
        table.add_column(Text(heading), justify="right" if right else "left", no_wrap=True)
    for row in listed:
        table.add_row(*map(Text, row))
    console.print(Text(title, style="bold"))
    for line, note in zip_longest(table_lines(console, table), ("", *notes), fillvalue=""):
        console.print(Text("  ").append(line))
        if note:
            console.print(fill(str(note), max(console.width, 40), initial_indent="      ", subsequent_indent="      "))


def table_lines(console: Console, table: Table, *, width: int | None = None) -> list[Text]:
    """Return *table* as lines without blanks at their ends, to be printed with `soft_wrap`.

    Args:
        width: Where values are folded. None: nowhere, so that programs that read the lines find each value whole.
    """
    lines = []
    for segments in console.render_lines(table, console.options.update(width=width or _UNBROKEN), pad=False):
        line = Text.assemble(*((text, style or "") for text, style, _ in segments))
        line.rstrip()
        lines.append(line)
    return lines


def progress_bar(*, quiet: bool) -> Progress:
    """Return a bar on stderr: what is done of how much, and how long the rest takes; *quiet*: not shown."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=quiet)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return " ".join(text.splitlines())
