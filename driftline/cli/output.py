"""What commands print: lines, tables and progress for people, one JSON document for programs.

The only file of the command line that writes to a terminal: nothing that came from outside (a version, an unseen value,
a receiver's answer) reaches it with a control character or on a line of its own, and no escape sequence but rich's own.
"""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from itertools import zip_longest
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from monitor.humanize import printable, printable_lines

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]

LINE_WIDTH = 110  # of sentences that are wrapped whatever the terminal's width
_UNBROKEN = 100_000  # wider than any table
_NOT_SHOWN = re.compile(r"[^\n\x20-\x7e]")  # JSON's own line ends are no control characters of its strings
_NUMBER = re.compile(r"(-|never|[×x]?-?[\d,]+(\.\d+)?( ?%)?)( ✓|  )?")


def own_command() -> str:
    """Return how this program was started, to be typed again: from a clone it is not in the PATH."""
    started = Path(sys.argv[0])
    if started.name != "driftline":
        return f"{sys.executable}{' -P' if sys.flags.safe_path else ''} -m driftline"
    in_path = shutil.which("driftline")
    return "driftline" if in_path is not None and Path(in_path).absolute() == started.absolute() else str(started)


class PlainConsole(Console):
    """A rich console that writes control characters of its own only: those in what it prints are escaped."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield the segments of *renderable*, each safe for a terminal."""
        for segment in super().render(renderable, options):
            # a control segment moves the cursor of a live display
            yield segment if segment.control else segment._replace(text=printable_lines(segment.text))


def print_line(text: str = "") -> None:
    """Print *text* as exactly one line, whatever is in it."""
    typer.echo(printable(text))


def print_wrapped(text: str, *, initial_indent: str = "", subsequent_indent: str = "") -> None:
    """Print one sentence, wrapped at `LINE_WIDTH`."""
    typer.echo(
        fill(
            printable(text),
            LINE_WIDTH,
            break_on_hyphens=False,
            initial_indent=initial_indent,
            subsequent_indent=subsequent_indent,
        )
    )


def print_json_document(document: str) -> None:
    """Print *document*, JSON with its line ends, as it is but for what a terminal obeys."""
    typer.echo(_escaped_json(document), nl=False)


def print_error(text: str) -> None:
    """Print what went wrong to stderr; it may have several lines."""
    sys.stderr.write(printable_lines(text) + "\n")


def print_json(value: object) -> None:
    """Print *value*, made of dataclasses, tuples and plain values, as one JSON document."""
    typer.echo(_json(value, indent=2))


def print_json_line(value: object) -> None:
    """Print *value* as JSON on one line, at once: somebody may read along."""
    typer.echo(_json(value))
    sys.stdout.flush()


def _json(value: object, *, indent: int | None = None) -> str:
    return _escaped_json(json.dumps(_plain(value), ensure_ascii=False, indent=indent))


def _escaped_json(document: str) -> str:
    """Return the JSON *document* with what a terminal obeys escaped in its strings; it means the same."""
    return _NOT_SHOWN.sub(_json_escape, document)


def _json_escape(match: re.Match[str]) -> str:
    character = match[0]
    return character if printable(character) == character else json.dumps(character)[1:-1]


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
    console = PlainConsole(soft_wrap=True, highlight=False, markup=False)
    listed = [[_cell(value) for value in row] for row in rows]
    if not listed:
        console.print(Text.assemble((printable(title), "bold"), f": {empty}"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading, column in zip(headings, zip(*listed, strict=True), strict=True):
        right = all(_NUMBER.fullmatch(cell) for cell in column)
        table.add_column(Text(heading), justify="right" if right else "left", no_wrap=True)
    for row in listed:
        table.add_row(*map(Text, row))
    console.print(Text(printable(title), style="bold"))
    for line, note in zip_longest(table_lines(console, table), ("", *notes), fillvalue=""):
        console.print(Text("  ").append(line))
        if note:
            indent, width = " " * 6, max(console.width, 40)
            console.print(fill(printable(note), width, initial_indent=indent, subsequent_indent=indent))


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
    return Progress(*columns, console=PlainConsole(stderr=True), disable=quiet)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return printable(" ".join(text.splitlines()))
