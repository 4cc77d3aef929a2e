"""The table of faults in docs/operations.md names a test for each, and each test of a fault is named by it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = [*range(1, 10), *range(11, 18), *range(25, 34), *range(39, 43)]
ROW = re.compile(r"^\| F(\d+) \|.*\| ([^|]*) \|$", re.MULTILINE)
PROVEN_BY = {
    int(number): re.findall(r"`(tests/[^`]+)`", tests)
    for number, tests in ROW.findall((ROOT / "docs/operations.md").read_text())
}


def test_each_fault_has_its_row() -> None:
    """One row each, in order."""
    assert list(PROVEN_BY) == FAULTS


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_tests_that_exist(fault: int) -> None:
    """At least one, each a file of the repository."""
    assert PROVEN_BY[fault]
    assert [name for name in PROVEN_BY[fault] if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests/faults").glob("test_*.py")), ids=lambda path: path.stem)
def test_a_file_of_a_fault_is_in_its_row(path: Path) -> None:
    """`test_f05_….py` proves F5, says so in its first line, and the table's row F5 names it."""
    number = re.match(r"test_f(\d\d)_", path.name)
    assert number, "expected a name like test_f05_broker_restart.py"
    assert re.match(rf'"""F{int(number[1])}\b', path.read_text())
    assert path.relative_to(ROOT).as_posix() in PROVEN_BY[int(number[1])]
