"""A table of figures as the documentation's pages show it."""

from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, note: str = "") -> str:
    """Return the table in Markdown, *note* below it."""
    lines = [headings, ["---"] * len(headings), *rows]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{text}\n\n{note}" if note else text
