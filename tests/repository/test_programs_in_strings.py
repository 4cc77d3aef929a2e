"""Programs that stand as text in tests, for processes that are killed or run elsewhere: no type checker reads them."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("monitor", "consumers", "alerting", "driftline", "tests", "benchmarks")
OF_THE_VERSION_BEFORE = "consumers.ingest"  # tests/faults/test_f25 runs it on the tree of that version


def programs(source: str) -> Iterator[ast.Module]:
    """Yield the texts in *source* that are programs with imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "import" in node.value:
            try:
                program = ast.parse(node.value)
            except SyntaxError:
                continue
            if any(isinstance(statement, ast.Import | ast.ImportFrom) for statement in program.body):
                yield program


def missing_imports(program: ast.Module) -> Iterator[str]:
    """Yield the names of ours that *program* imports and that are not there."""
    for node in ast.walk(program):
        if not isinstance(node, ast.ImportFrom) or node.module is None or node.module.split(".")[0] not in OURS:
            continue
        if node.module == OF_THE_VERSION_BEFORE:
            continue
        try:
            module = importlib.import_module(node.module)
        except ModuleNotFoundError:
            yield node.module
            continue
        yield from (f"{node.module}.{alias.name}" for alias in node.names if not hasattr(module, alias.name))


WITH_PROGRAMS = [
    path
    for room in ("tests", "benchmarks")
    for path in sorted((ROOT / room).rglob("*.py"))
    if any(True for _ in programs(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("path", WITH_PROGRAMS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_program_in_a_string_imports_what_there_is(path: Path) -> None:
    """A name of ours that was renamed is renamed in such programs, too: else they end before they are killed."""
    missing = [name for program in programs(path.read_text(encoding="utf-8")) for name in missing_imports(program)]
    assert missing == []
