"""Closed lists: the product compares members, never the bare words, and has words for people for each member."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PACKAGES = ("monitor", "consumers", "alerting", "driftline")

# A word that is not a list's where it stands: (file, word) and what it is instead.
SOMETHING_ELSE: dict[tuple[str, str], str] = {}


def modules() -> Iterator[ModuleType]:
    for package in map(importlib.import_module, PACKAGES):
        yield package
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                yield importlib.import_module(module.name)


def closed_lists() -> dict[str, frozenset[str]]:
    """Return the words of each closed list of the product by its name."""
    return {
        f"{value.__module__}.{value.__name__}": frozenset(str(member) for member in value) - {""}
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, StrEnum) and value.__module__ == module.__name__
    }


def words(node: ast.AST) -> list[str]:
    """Return the text that *node* is, or those of its elements; empty unless it is text through and through."""
    match node:
        case ast.Constant(value=str(word)):
            return [word]
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            found = [words(element) for element in elements]
            return [word for part in found for word in part] if all(found) else []
    return []


def compared(source: str) -> Iterator[tuple[int, list[str], bool]]:
    """Yield line and words of what *source* compares (True), and of its collections of text and keys (False)."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Compare(left=left, comparators=others):
                for side in (left, *others):
                    yield node.lineno, words(side), True
            case ast.MatchValue(value=value):
                yield node.lineno, words(value), True
            case ast.Dict(keys=keys):
                if all(key is not None for key in keys):
                    yield node.lineno, words(ast.Tuple(elts=keys)), False
            case ast.Tuple() | ast.List() | ast.Set():
                yield node.lineno, words(node), False


def bare_words(source: str, lists: dict[str, frozenset[str]]) -> Iterator[tuple[int, str]]:
    """Yield line and word of each bare word of a list: compared with, or one of a table of a list's words alone.

    A table of words of several lists is a document's keys or a table's headings.
    """
    every = frozenset().union(*lists.values())
    for line, found, is_compared in compared(source):
        if is_compared:
            yield from ((line, word) for word in found if word in every)
        elif len(found) > 1 and any(frozenset(found) <= members for members in lists.values()):
            yield from ((line, word) for word in found)


def test_the_product_compares_no_bare_word_of_a_closed_list() -> None:
    lists = closed_lists()
    found = {
        (str(path.relative_to(ROOT)), word): f"{path.relative_to(ROOT)}:{line}: {word!r}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, word in bare_words(path.read_text(), lists)
    }
    assert [text for place, text in found.items() if place not in SOMETHING_ELSE] == []
    assert SOMETHING_ELSE.keys() - found.keys() == set(), "exceptions that nothing needs any more"
