"""Exit codes and messages of the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.cli.exit_codes import ExitCode, WrongUseError, exit_code_of
from monitor.errors import (
    DriftlineError,
    OffsetFenced,
    SchemaVersionError,
    SettingsError,
    SpecError,
    UnavailableError,
)


def run(*arguments: str, directory: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}
    return subprocess.run(
        [sys.executable, "-m", "driftline", *arguments],
        env={**kept, "TERM": "dumb", "COLUMNS": "120", **environment},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SpecError("a.yaml", ("x",)), 2),
        (SettingsError("x"), 2),
        (WrongUseError("x"), 2),
        (UnavailableError("x"), 3),
        (SchemaVersionError("x"), 3),
        (OffsetFenced("t", 0), 1),
        (DriftlineError("x"), 1),
    ],
)
def test_each_error_has_its_documented_code(error: DriftlineError, code: int) -> None:
    """2 for what the user wrote, 3 for what is not there, 1 for the rest."""
    assert exit_code_of(error) == code


def test_help_documents_commands_and_exit_codes(tmp_path: Path) -> None:
    """`driftline --help` names every command and every exit code, and succeeds."""
    done = run("--help", directory=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    commands = (
        "demo", "replay", "topics", "migrate", "init", "reference", "schema", "apply", "up", "ingest", "alerter",
        "maintain", "status", "incidents", "evaluations", "partitions", "dead-letters",
    )  # fmt: skip
    assert [command for command in commands if f" {command} " not in done.stdout] == []
    said = " ".join(done.stdout.split())
    assert "Exit codes: 0 ok; 1 unexpected failure; 2 wrong use" in said
    assert "3 a service is not reachable" in said
    assert "4 the demo's story did not come out" in said


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("incidents",),
        ("evaluations", "credit"),
        ("partitions", "list"),
        ("dead-letters", "list"),
        ("reference", "list"),
        ("migrate",),
    ],
)
def test_an_unreachable_database_is_reported_without_a_traceback(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Exit code 3; the message says what was tried, where, and what to do, without the password."""
    url = "postgresql://someone:geheim@127.0.0.1:1/nothing"
    done = run(*command, directory=tmp_path, DRIFTLINE_DATABASE_URL=url)
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "Postgres: no answer at" in done.stderr
    assert "127.0.0.1:1" in done.stderr
    assert "DRIFTLINE_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "geheim" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (("status",), {"DRIFTLINE_BATCH_SIZE": "none"}, "DRIFTLINE_BATCH_SIZE"),
        (("status",), {"DRIFTLINE_DATABASE_URL": "mysql://x"}, "expected postgresql://"),
        (("apply", "nothing.yaml"), {}, "found: No such file or directory; `driftline init` writes one"),
        (("dead-letters", "replay"), {}, "expected --reason, --topic, --model or --all"),
        (("no-such-command",), {}, "No such command"),
        (("statuz",), {}, "Did you mean 'status'"),
        (("ingest", "--log-format", "xml"), {}, "Invalid value"),
    ],
)
def test_wrong_use_ends_with_two(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """Wrong settings, files, options: exit code 2, the sentence on stderr, no traceback."""
    done = run(*arguments, directory=tmp_path, **environment)
    assert done.returncode == ExitCode.WRONG_USE, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
