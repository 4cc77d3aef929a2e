"""The command that a message asks people to type is one that they can type."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from driftline.cli.output import own_command


@pytest.fixture
def program(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "driftline"
    program.parent.mkdir()
    program.touch(mode=0o755)
    return program


def test_outside_the_path_it_is_the_path_it_was_started_by(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone's `.venv/bin/driftline` is in nobody's PATH; another one that is there is not meant."""
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    assert own_command() == str(program)
    other = program.parents[1] / "driftline"
    other.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert own_command() == str(program)


def test_in_the_path_its_name_is_enough(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, or from an activated environment."""
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    assert own_command() == "driftline"


def test_started_as_a_module_it_is_the_module_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m driftline`, with the Python that has it, and with -P where it was given."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/driftline/__main__.py", "demo"])
    monkeypatch.setattr(sys, "flags", SimpleNamespace(safe_path=False))
    assert own_command() == f"{sys.executable} -m driftline"
    monkeypatch.setattr(sys, "flags", SimpleNamespace(safe_path=True))
    assert own_command() == f"{sys.executable} -P -m driftline"
