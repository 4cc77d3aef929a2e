"""Nothing that came from outside reaches the terminal as anything but text: every command over hostile values."""

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer.main
from sqlalchemy import Engine
from typer.testing import CliRunner

from driftline.cli.app import app
from monitor.clock import iso_utc
from monitor.errors import DriftlineError
from monitor.humanize import printable_lines
from monitor.result_codec import encode_result
from monitor.results import ColumnResult, WindowResult
from monitor.store.schema import evaluation, metadata, unseen_value
from monitor.types import Verdict
from tests.models.credit import START
from tests.models.drifted import INCIDENT, insert_drift
from tests.services.command import run

# Clears the screen, colours it (C1), turns the reading direction, forges a line in four ways.
HOSTILE = "\x1b[2J\x9b31m\x7f\u202e\u2066\u200b\x85\u2028\rFORGED\nFORGED"
ACTION = "00000000-0000-5000-8000-000000000001"
# Closed lists of our own, and texts that are parsed, not shown as they are.
OWN_WORDS = {
    "action.kind", "action.state", "action_step.state", "cells.digest", "dead_letter.reason",
    "dead_letter_count.reason", "deployment.stage", "endpoint.type", "evaluation.result", "evaluation.verdict",
    "incident.kind", "incident.state", "incident.status", "input_offset.role", "input_offset.timestamp_type",
    "outbox.kind", "outbox.state", "performance_evaluation.result", "performance_evaluation.verdict",
    "reference.digest", "series.segment_tag", "series.segment_value", "spec.text", "transition.step",
    "version_reference.source",
}  # fmt: skip
# Which a command takes as an argument: they are given as they are stored.
NAMES = {"model.name", "model.namespace", "input_offset.topic"}
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "status": ((),),
    "incidents": ((), (INCIDENT,)),
    "actions": ((), (ACTION,), (ACTION, "approve")),
    "evaluations": (("credit",), ("credit", "--end", "2026-06-01T00:00")),
    "models list": ((),),
    "models resume": (("credit",), ("nobody",)),
    "models remove": (("credit",), ("nobody",)),
    "partitions list": ((),),
    "partitions resume": (("predictions", "0"), ("nothing", "0")),
    "partitions account": (("predictions", "0"),),
    "partitions rewind": (("predictions", "0", "--to", "2026-05-01T00:00:00Z"), ("--model", "credit"), ("x", "0")),
    "dead-letters list": ((),),
    "dead-letters replay": (("--model", "nobody"),),
    "reference list": (("credit",), ("nobody",)),
    "reference show": (("1",), ("credit",)),
    "reference diff": (("1", "credit"),),
    "reference adopt": (("1", "--model", "credit"),),
    "reference store": (("1", "--model", "credit"),),
    "holds": ((), ("--past",)),
    "hold": (("credit", "--why", f"held{HOSTILE}"), ("nobody", "--why", "held")),
    "release": (("credit",), ("nobody",)),
    "migrate": ((),),
    "schema": ((),),
}
# Of these nothing that they print comes from the database.
OF_FILES = {"init", "plan", "apply", "backtest", "replay", "reference build"}  # `test_columns_with_hostile_names`
OF_LOGS = {"ingest", "alerter", "maintain", "up", "demo"}  # test_logs, test_supervisor
OF_KAFKA = {"topics create", "reference learn"}  # names from the settings; columns as of files


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Give every command that does something, with the names of its groups in front."""
    if not hasattr(command, "list_commands"):
        yield " ".join(path)
        return
    for name in command.list_commands(None):
        yield from leaves(command.get_command(None, name), (*path, name))


def is_text(character: str) -> bool:
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def require_plain(output: str, *, of: str) -> None:
    """Every character is text, and no line begins with what a value put on a line of its own."""
    unsafe = {repr(character) for character in output if character != "\n" and not is_text(character)}
    assert not unsafe, f"{of} printed {unsafe}"
    assert not re.search(r"^\W*FORGED", output, re.MULTILINE), f"{of} let a value forge a line:\n{output}"


@pytest.fixture
def hostile(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Every text that a database can hold of others, with control characters at its end."""
    insert_drift(engine)
    result = WindowResult(
        verdict=Verdict.WARNING, events=600, sentence=f"it moved{HOSTILE}",
        columns=(ColumnResult(name=f"income{HOSTILE}", n=600),),
    )  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.update(evaluation).values(result=encode_result(result).decode()))
        connection.execute(
            sa.text("INSERT INTO unseen_value (series_id, column_name, hour, counts, other)"
                    " SELECT id, 'country', :hour, CAST(:counts AS jsonb), 0 FROM series"),
            {"hour": START - 3_600_000, "counts": json.dumps({f"XX{HOSTILE}": 7})},
        )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO deployment (model_id, version, event_time, stage, topic, partition, \"offset\")"
                    " SELECT id, '3.1.0', :at, 'production', 'deployments', 0, 0 FROM model"), {"at": START}
        )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO discovered_model (namespace, name, records) VALUES ('default', 'm', 1)")
        )
        poisoned = list(poison(connection))
    assert {"incident.version", "incident.sentence", "outbox.last_error", "endpoint.name", "series.version",
            "action.to_version", "deployment.version", "dead_letter.sentence"} <= set(poisoned)  # fmt: skip
    monkeypatch.setenv("DRIFTLINE_DATABASE_URL", database_url)
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    return engine


def poison(connection: sa.Connection) -> Iterator[str]:
    """Append `HOSTILE` to every text of every row but our own words; give the columns that had rows."""
    for table in metadata.sorted_tables:
        for column in table.columns:
            name = f"{table.name}.{column.name}"
            if isinstance(column.type, sa.Text) and not column.foreign_keys and name not in OWN_WORDS | NAMES:
                poisoned = sa.func.coalesce(sa.cast(column, sa.Text), "") + HOSTILE
                if connection.execute(sa.update(table).values({column.name: poisoned})).rowcount:
                    yield name


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def printed(result: Any) -> str:
    """Return what the process would print: of an error of ours what `main` prints of it; any other fails the test."""
    if not (result.exception is None or isinstance(result.exception, DriftlineError | SystemExit)):
        raise result.exception
    return result.output + ("" if result.exception is None else printable_lines(str(result.exception)))


def test_every_command_prints_text_only(hostile: Engine) -> None:
    """Text and JSON of each, over a database in which every foreign text ends in escape sequences and forged lines."""
    known = set(COMMANDS) | OF_FILES | OF_LOGS | OF_KAFKA
    assert set(leaves(typer.main.get_command(app))) == known, "a new command: add it to COMMANDS"
    for name, calls in COMMANDS.items():
        for arguments in calls:
            for json_option in ((), ("--json",)):
                if json_option and name in ("migrate", "schema"):
                    continue
                result = invoke(*name.split(), *arguments, *json_option)
                require_plain(printed(result), of=f"driftline {name} {' '.join(arguments)} {json_option}")


def test_json_keeps_the_value_itself(hostile: Engine) -> None:
    """Programs read what is stored, control characters and all: escaped in the text, equal once parsed."""
    (head,) = json.loads(invoke("incidents", "--json").output)["incidents"]
    assert head["version"] == f"3.2.0{HOSTILE}"
    assert "it moved" in invoke("evaluations", "credit").output


def test_the_fixture_is_seen_by_the_check(hostile: Engine) -> None:
    """The control of the control: a value printed as it is would be detected."""
    with hostile.connect() as connection:
        version = connection.scalar(sa.select(unseen_value.c.column_name).limit(1))
    with pytest.raises(AssertionError, match="printed"):
        require_plain(str(version), of="this test")
    with pytest.raises(AssertionError, match="forge"):
        require_plain("3.2.0\nFORGED", of="this test")


def test_columns_with_hostile_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the commands on files: a table's column names and values are as foreign as an event's."""
    monkeypatch.chdir(tmp_path)
    for name, shift in (("reference", 0), ("later", 5)):
        rows = "\n".join(
            f"{iso_utc(START + index * 6_000)},{index % 7 + shift},v{index % 3}\x1b[2J,{index % 2},0.{index % 10}"
            for index in range(3000)
        )
        head = "at,income\x1b[2J\u202e,region\x9b31m,truth,score"
        (tmp_path / f"{name}.csv").write_text(f"{head}\n{rows}\n", encoding="utf-8")
    named = ("--score", "score", "--truth", "truth", "--timestamp", "at")
    plan, profile = ("--events-per-minute", "10"), "credit.reference"
    for arguments in (
        ("init", "--reference", "reference.csv", *named, "--model", "credit", "--scales", "1h/5m"),
        ("plan", "credit.yaml", *plan),
        ("plan", "credit.yaml", *plan, "--json"),
        ("reference", "show", profile, *plan),
        ("reference", "show", profile, *plan, "--json"),
        ("reference", "diff", profile, profile),
        ("reference", "diff", profile, profile, "--json"),
    ):
        result = invoke(*arguments)
        assert result.exit_code == 0, (arguments, printed(result))
        assert "income" in result.output
        require_plain(result.output, of=" ".join(arguments))
    for options in (("--json",), ()):  # a process of its own: it sets logs and signals
        history = ("backtest", "credit.yaml", "--data", "later.csv", "--score", "score", "--timestamp", "at")
        shown = run("", *history, *options, directory=tmp_path)
        assert shown.returncode == 0, shown.stderr
        require_plain(shown.stdout, of="backtest")
    assert "income" in shown.stdout
