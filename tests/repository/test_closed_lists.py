"""Closed lists: the product compares members, never the bare words, and has words for people for each member."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from enum import Enum, StrEnum
from pathlib import Path
from types import ModuleType

import pytest

from alerting.actions.reasons import GROUNDS, REFUSALS, Ground, Refusal
from alerting.notifications.outbox_rows import EVENT_TYPES
from driftline.backtest.report.counts import LETTERS
from driftline.backtest.report.schema import ActionOutcome
from driftline.backtest.report.wording import INCONCLUSIVE, OUTCOMES, RULE_NAMES
from driftline.cli.backtest_text import STYLES
from driftline.cli.reference.show import CALIBRATION_MARKS
from monitor.detection.comparison import SHARES
from monitor.detection.explanation import SHARE_WORDS
from monitor.evaluate.window import WINDOW_SENTENCES
from monitor.spec.model import DriftRule
from monitor.types import ActionKind, Calibration, InconclusiveReason, Tier, Verdict

ROOT = Path(__file__).parents[2]
PACKAGES = ("monitor", "consumers", "alerting", "driftline")

# A word that is not a list's where it stands: (file, word) and what it is instead.
SOMETHING_ELSE = {
    ("alerting/kafka_credentials.py", "none"): "a value of a property of librdkafka",
    ("consumers/decode/events_to_columns.py", "label"): "a field of a prediction's JSON",
    ("consumers/decode/events_to_columns.py", "score"): "a field of a prediction's JSON",
    ("consumers/decode/events_to_columns.py", "value"): "a field of a prediction's JSON",
    ("driftline/cli/evaluations.py", "result"): "a field of `ShownEvaluation`",
    ("driftline/backtest/run.py", "retraining"): "a field of `ActionsSpec`",
    ("driftline/backtest/run.py", "rollback"): "a field of `ActionsSpec`",
    ("driftline/demo/story.py", "label"): "a field of a prediction's JSON",
    ("driftline/demo/story.py", "score"): "a field of a prediction's JSON",
    ("monitor/result_codec.py", "invalid"): "a field of `ColumnResult`",
    ("monitor/result_codec.py", "missing"): "a field of `ColumnResult`",
    ("monitor/result_codec.py", "unseen"): "a field of `ColumnResult`",
    ("monitor/spec/actions.py", "alert"): "what a spec may say of a receiver, checked by its type",
    ("monitor/spec/actions.py", "critical"): "what a spec may say of a receiver, checked by its type",
    ("monitor/spec/actions.py", "warning"): "what a spec may say of a receiver, checked by its type",
    ("monitor/store/engine.py", "postgres"): "a scheme of a URL",
}


def modules() -> Iterator[ModuleType]:
    for package in map(importlib.import_module, PACKAGES):
        yield package
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def closed_lists() -> dict[str, frozenset[str]]:
    """Return the words of each closed list of the product by its name; tiers are written by their names."""
    lists = {
        f"{value.__module__}.{value.__name__}": frozenset(str(member) for member in value) - {""}
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, StrEnum) and value.__module__ == module.__name__
    }
    return lists | {"monitor.types.Tier": frozenset(tier.word for tier in Tier)}


def words(node: ast.AST) -> list[str]:
    """Return the text that *node* is, or those of its elements; empty unless it is text through and through."""
    match node:
        case ast.Constant(value=str(word)):
            return [word]
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            parts = [words(element) for element in elements]
            return [word for part in parts for word in part] if all(parts) else []
    return []


def compared_words(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and word of all text that is compared: by an operator, by a case, or inside a statement of SQL."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare(left=left, comparators=others):
                yield from ((node.lineno, word) for side in (left, *others) for word in words(side))
            case ast.MatchValue(value=value):
                yield from ((node.lineno, word) for word in words(value))
            case ast.Constant(value=str(text)):
                yield from ((node.lineno, word) for word in re.findall(r"(?:=|<>|\bIN \(|, ) ?'([\w-]+)'", text))


def tables(source: str) -> Iterator[tuple[int, frozenset[str]]]:
    """Yield line and words of each collection of several texts, and of the keys of each dict."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Dict(keys=keys):
                texts = words(ast.Tuple(elts=[key for key in keys if key is not None]))
            case ast.Tuple() | ast.List() | ast.Set():
                texts = words(node)
            case _:
                continue
        if len(texts) > 1:
            yield node.lineno, frozenset(texts)


def bare_words(source: str, lists: dict[str, frozenset[str]]) -> Iterator[tuple[int, str]]:
    """Yield line and word of each bare word of a list: compared with, or in a table of one list's words alone.

    A table of other words too is the keys of a document or the headings of columns.
    """
    every = frozenset().union(*lists.values())
    yield from ((line, word) for line, word in compared_words(source) if word in every)
    for line, texts in tables(source):
        if any(texts <= members for members in lists.values()):
            yield from ((line, word) for word in sorted(texts))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("row.state != 'pending'", ["pending"]),
        ("finding.statistic in ('psi', 'other words')", ["psi"]),
        ("match kind:\n    case 'drift': pass", ["drift"]),
        ("words = {'measured': '', 'estimated': '~'}", ["estimated", "measured"]),
        ("OF_VALUES = frozenset({'psi', 'ks'})", ["ks", "psi"]),
        ("""sa.text("SELECT 1 FROM outbox WHERE state = 'pending'")""", ["pending"]),
        ("""sa.text("reason IN ('parked', 'anything')")""", ["parked"]),
        ("row.state is not DeliveryState.PENDING", []),
        ("document = {'psi': 0.1, 'name': 'x'}", []),
        ("print('pending')", []),
    ],
)
def test_bare_words_are_found(source: str, expected: list[str]) -> None:
    """The walk over the sources sees comparisons, cases, tables and SQL, and no more."""
    assert sorted(word for _, word in bare_words(source, closed_lists())) == expected


def test_the_product_compares_no_bare_word_of_a_closed_list() -> None:
    """Comparisons, cases, tables of words and SQL name members: a word that is renamed or misspelt is an error."""
    lists = closed_lists()
    breaches = {
        (str(path.relative_to(ROOT)), word): f"{path.relative_to(ROOT)}:{line}: {word!r}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, word in bare_words(path.read_text(encoding="utf-8"), lists)
    }
    assert [text for place, text in breaches.items() if place not in SOMETHING_ELSE] == []
    assert SOMETHING_ELSE.keys() - breaches.keys() == set(), "exceptions that nothing needs any more"


@pytest.mark.parametrize(
    ("table", "members"),
    [
        (SHARE_WORDS, set(SHARES)),
        (WINDOW_SENTENCES, {
            InconclusiveReason.BLIND, InconclusiveReason.COMPACTED, InconclusiveReason.FILLING,
            InconclusiveReason.NEW_CELLS, InconclusiveReason.NO_REFERENCE,
        }),
        (INCONCLUSIVE, set(InconclusiveReason) - {InconclusiveReason.CONCLUSIVE}),
        (REFUSALS, set(Refusal)),
        (GROUNDS, set(Ground)),
        (OUTCOMES, set(ActionOutcome)),
        (RULE_NAMES, set(DriftRule)),
        (LETTERS, set(Verdict)),
        (STYLES, set(Tier)),
        (CALIBRATION_MARKS, set(Calibration)),
        (EVENT_TYPES, set(ActionKind)),
    ],
)  # fmt: skip
def test_words_for_people_are_total(table: Mapping[Enum, str], members: set[Enum]) -> None:
    """Each member of a list has words of its own, and no other member's; at most one has none."""
    assert set(table) == members
    assert len(set(table.values())) == len(table)
