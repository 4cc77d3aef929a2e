"""The shape of the tree: one idea per file, said in its first line; no file too long, no room without a name."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("driftline", "monitor", "consumers", "alerting", "migrations", "tests", "benchmarks")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
NAMELESS = {"utils", "helpers", "common", "base", "manager", "core"}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_says_its_idea_first_and_stays_short(path: Path) -> None:
    """Each module opens with a docstring on its first line and ends before line 401."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith(('"""', 'r"""')), "the first line must be the docstring that says the file's idea"
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


def test_every_room_has_a_name_of_the_field() -> None:
    """No module is called utils, helpers, common, base, manager or core."""
    assert [relative(path) for path in FILES if path.stem in NAMELESS or path.parent.name in NAMELESS] == []


def test_a_class_name_stands_for_one_thing() -> None:
    """No two modules of the product define a class of the same name: a search for it finds the only one."""
    product = [path for path in FILES if path.relative_to(ROOT).parts[0] in ROOMS[:4]]
    classes = [
        node.name
        for path in product
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert [name for name, times in Counter(classes).items() if times > 1] == []


def test_nothing_outside_the_tree_is_needed() -> None:
    """No program, test or document climbs above the root of the clone: what it needs is in it or fetched by name."""
    climbing = []
    for path in (*FILES, ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "Makefile", ROOT / ".ci" / "run"):
        depth = len(path.relative_to(ROOT).parts)
        climbs = [
            int(levels) for levels in re.findall(r"__file__\)\.parents\[(\d+)\]", path.read_text(encoding="utf-8"))
        ]
        if "../" + "shared" in path.read_text(encoding="utf-8") or any(number >= depth for number in climbs):
            climbing.append(relative(path))
    assert climbing == []
