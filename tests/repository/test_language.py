"""The language of the sources: plain contemporary English and the field's terms, no dialect of our own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("driftline", "monitor", "consumers", "alerting", "migrations", "tests", "benchmarks")
PYTHON = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TEXTS = sorted(
    [*PYTHON, *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/**/*.md"), ROOT / "Makefile"]
)


class Banned(NamedTuple):
    """A word that a stranger has to learn; what to say instead, and why."""

    words: str
    better: str
    reason: str


BANNED = (
    Banned("tell|tells|told", "notify, report, show, say", "a receiver is notified, a command shows, a window reports"),
    Banned("hear|hears|heard|whoever", "receiver, is notified", "the field speaks of receivers"),
    Banned("gone|taken away", "retired, removed, dropped, lost", "each is another event, with another cause"),
    Banned("beside", "next to, alongside, or what it is (`textbook_result`)", "says where, not what"),
    Banned("anew|again and again", "retry, re-read, re-evaluate, repeatedly", "says that, not what, is repeated"),
    Banned("loudness", "severity", "the field's term"),
    Banned("patience", "lateness bounds, deadline, timeout", "which of the three, and in which unit"),
    Banned("sight", "report", "what a command prints about a reference is a report"),
    Banned("noticing", "detection delay", "the field's term"),
)
NAMES_WITHOUT_MEANING = {"each": "the noun of what is looped over", "found": "what it holds", "taken": "what it holds"}

# Contracts with what is outside this repository, or stored: they keep their words.
KEPT = (
    "tell_values",  # a key of specs
    'name="told"',  # a key of stored incidents
    '"told":1',  # the same, in such an incident
    '"told": 2',
    "(was `told`)",  # the changelog, to those who look for the old name
    "(was\n  `told`)",
    "(was `sight`)",
    "(was `taken`)",
)


def words_of(text: str) -> str:
    """Return *text* with identifiers broken into their words, so that `is_told` and `ToldPart` are read as prose is."""
    for name in KEPT:
        text = text.replace(name, "\n" * name.count("\n"))
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace("_", " ")


def breaches(text: str, banned: Banned) -> Iterator[str]:
    pattern = re.compile(rf"\b(?:{banned.words})\b", re.IGNORECASE)
    for number, line in enumerate(words_of(text).splitlines(), start=1):
        if match := pattern.search(line):
            yield f"{number}: {match.group()!r} in {line.strip()[:100]!r}"


@pytest.mark.parametrize("banned", BANNED, ids=lambda banned: banned.better)
def test_the_sources_speak_plain_english(banned: Banned) -> None:
    """No banned word stands in code, comments, names, messages or documentation; the better one is in the table."""
    texts = [path for path in TEXTS if path != Path(__file__)]
    problems = [
        f"{path.relative_to(ROOT)}:{breach}"
        for path in texts
        for breach in breaches(path.read_text(encoding="utf-8"), banned)
    ]
    assert problems == [], f"say instead: {banned.better} ({banned.reason})"


def names_bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def test_variables_are_named_after_what_they_hold() -> None:
    """No variable or parameter is called `each`, `found` or `taken`."""
    problems = [
        f"{path.relative_to(ROOT)}:{line}: {name!r}, say {NAMES_WITHOUT_MEANING[name]}"
        for path in PYTHON
        for line, name in names_bound(ast.parse(path.read_text(encoding="utf-8")))
        if name in NAMES_WITHOUT_MEANING
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("line", "breach"),
    [
        ("steps_told = 1", True),
        ("class ToldPart:", True),
        ("# Whoever was notified", True),
        ("f'{count} told'", True),
        ("besides, it was untold", False),
        ("alerting.tell_values: true", False),
    ],
)
def test_the_search_reads_names_as_words(line: str, breach: bool) -> None:
    """A banned word is found inside snake_case and CamelCase, not inside another word."""
    assert any(list(breaches(line, banned)) for banned in BANNED) is breach
