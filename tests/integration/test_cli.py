"""The reading and repairing commands on a real database."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from driftline.cli.status_models import print_models
from monitor.store.deployments import Deployment, assume_deployments
from monitor.store.flush import DeploymentRow, append_deployments
from monitor.store.schema import (
    dead_letter,
    deployment,
    input_offset,
    metadata,
)
from monitor.store.views.status import model_statuses
from monitor.types import PartitionKey, Stage
from monitor.units import DAY_MILLIS
from tests.models.credit import START
from tests.models.drifted import INCIDENT, SENTENCE, insert_drift
from tests.services.command import document, run


@pytest.fixture
def drifted(engine: Engine) -> Engine:
    """A database in which one model drifted, one partition stopped, one record was refused."""
    insert_drift(engine)
    return engine


def test_status_shows_verdict_watermark_partitions_and_incidents(
    drifted: Engine, database_url: str, tmp_path: Path
) -> None:
    """Newest verdict and mature accuracy, how far it is, who holds the watermark and why, counters, open incidents."""
    result = document(database_url, "status", directory=tmp_path)
    (model,) = result["models"]
    (verdict,) = model["verdicts"]
    assert (verdict["version"], verdict["length"], verdict["events"]) == ("3.2.0", 60, 600)
    assert (verdict["verdict"], verdict["sentence"]) == ("WARNING", SENTENCE)
    (accuracy,) = model["accuracies"]
    assert (accuracy["window_end"], accuracy["accuracy"]) == (START - 300_000, 0.82)
    assert model["progress"] == [
        {"length": 60, "evaluated_until": START, "final_until": START - 300_000, "judged_after": None}
    ]
    assert [incident["id"] for incident in model["open_incidents"]] == [INCIDENT]
    (topic,) = result["topics"]
    assert topic["held_by"] == "predictions[0]"
    assert topic["held_because"] == "stopped: 10 of the last 50 records are bad"
    assert topic["watermark"] == START - 60_000
    assert result["partitions"][0]["counted"] == 40
    assert result["dead_letters"] == {"malformed": 12_000}
    assert result["dead_letters_kept"] == {"malformed": 350}
    shown = run(database_url, "status", directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for part in ("WARNING", "predictions[0]", "stopped: 10 of the last 50", "8b20baab", "12,000 malformed (350 kept)"):
        assert part in shown.stdout


def test_status_shows_who_serves_and_what_is_assumed(drifted: Engine, database_url: str, tmp_path: Path) -> None:
    """The newest stage of each version with its share; what follows from an accepted rollback is marked."""
    with drifted.begin() as connection:
        model_id = connection.scalar(sa.text("SELECT id FROM model"))
        append_deployments(
            connection,
            [
                DeploymentRow(
                    model_id=model_id,
                    version=version,
                    event_time=START,
                    stage=Stage.PRODUCTION,
                    traffic=traffic,
                    manifest=None,
                    source=PartitionKey("deployments", 0),
                    offset=offset,
                )
                for offset, (version, traffic) in enumerate((("3.2.0", None), ("3.1.0", 0.25)))
            ],
            {},
        )
        left = Deployment(version="3.2.0", stage=Stage.RETIRED, event_time=START + 60_000, assumed_since=START + 1)
        assume_deployments(connection, model_id, [left], action_id="8b20baab")
    shown = run(database_url, "status", directory=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for part in ("retired (assumed)", "production", "0.2500", "assumed: a rollback was accepted"):
        assert part in shown.stdout
    (model,) = document(database_url, "status", directory=tmp_path)["models"]
    assert {row["version"]: row["assumed_since"] for row in model["deployments"]} == {
        "3.2.0": START + 1,
        "3.1.0": None,
    }


def test_status_names_retired_versions_in_one_line(drifted: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten that were replaced, with windows of before: text shows what serves or has an incident, JSON all rows."""
    older = [f"2.{number}.0" for number in range(10)]
    with drifted.begin() as connection:
        model_id = connection.scalar(sa.text("SELECT id FROM model"))
        for offset, version in enumerate((*older, "3.1.0", "3.2.0", "3.3.0")):
            connection.execute(
                sa.insert(deployment).values(
                    model_id=model_id, version=version, event_time=START - DAY_MILLIS + offset, stage="production",
                    topic="deployments", partition=0, offset=offset,
                )
            )  # fmt: skip
        connection.execute(
            sa.text("INSERT INTO series (model_id, version, segment_tag, segment_value)"
                    " SELECT :model_id, unnest(CAST(:versions AS text[])), '', ''"),
            {"model_id": model_id, "versions": older},
        )  # fmt: skip
        for table in ("evaluation", "performance_evaluation"):
            names = {column.name for column in metadata.tables[table].c} - {"id", "series_id", "window_end"}
            copied = ", ".join(f'"{name}"' for name in sorted(names))
            connection.execute(
                sa.text(
                    f"INSERT INTO {table} (series_id, window_end, {copied})"  # noqa: S608  # names of the schema
                    f" SELECT series.id, window_end - 3600000, {copied} FROM {table}, series WHERE version LIKE '2.%'"
                )
            )
        (model,) = model_statuses(connection)
    print_models((model,))
    shown = capsys.readouterr().out.splitlines()
    assert f"Retired versions of credit: {', '.join(older[:8])}, ... (11)." in shown
    # 3.2.0 was replaced, and its incident is open
    assert {line.split()[1] for line in shown if line.split()[:1] == ["credit"]} == {"3.2.0", "3.3.0"}
    assert {verdict.version for verdict in model.verdicts} == {*older, "3.2.0"}
    assert model.retired == (*older, "3.1.0")


@pytest.mark.parametrize(
    ("heartbeat", "because"),
    [
        (None, "no worker has read it yet: is `driftline ingest` running?"),
        ("2026-06-01T12:00:00Z", "no worker has read it since 2026-06-01 12:00: is `driftline ingest` running?"),
        (sa.func.now(), "it lags: more is coming in than is counted, or it is catching up"),
    ],
)
def test_status_says_whether_a_worker_reads_what_holds_the_watermark(
    drifted: Engine, database_url: str, tmp_path: Path, heartbeat: Any, because: str
) -> None:
    """A partition without a living worker is distinguished from one that lags; a person reads the same sentence."""
    with drifted.begin() as connection:
        connection.execute(sa.update(input_offset).values(paused_reason=None, heartbeat_at=heartbeat))
    (topic,) = document(database_url, "status", directory=tmp_path)["topics"]
    assert (topic["held_by"], topic["held_because"]) == ("predictions[0]", because)
    assert because in run(database_url, "status", directory=tmp_path).stdout


def test_status_does_not_call_a_partition_behind_whose_records_never_pause(
    drifted: Engine, database_url: str, tmp_path: Path
) -> None:
    """It is not seen at its end, yet its newest event is of seconds ago."""
    now = sa.cast(sa.func.extract("epoch", sa.func.now()) * 1000, sa.BigInteger)
    with drifted.begin() as connection:
        connection.execute(
            sa.update(input_offset).values(
                paused_reason=None, heartbeat_at=sa.func.now(), caught_up_at=None, max_event_time=now - 3000
            )
        )
    (topic,) = document(database_url, "status", directory=tmp_path)["topics"]
    assert topic["held_because"] == "it keeps up: its records come without a pause"


def test_one_incident_is_shown_with_all_that_happened(drifted: Engine, database_url: str, tmp_path: Path) -> None:
    """By the beginning of its id: its steps, its refused action with the reason, its delivery with its attempts."""
    (listed,) = document(database_url, "incidents", directory=tmp_path)["incidents"]
    assert (listed["id"], listed["kind"], listed["version"]) == (INCIDENT, "drift", "3.2.0")
    story = document(database_url, "incidents", "8b20", directory=tmp_path)
    assert [(step["step"], step["reason"]) for step in story["steps"]] == [("opened", "finding_endured")]
    assert [(action["kind"], action["state"], action["reason"]) for action in story["actions"]] == [
        ("retraining", "refused", "tier_below_alert")
    ]
    assert [(delivery["state"], delivery["attempts"], delivery["endpoint"]) for delivery in story["deliveries"]] == [
        ("done", 2, "credit/receivers/team")
    ]
    shown = run(database_url, "incidents", "8b20", directory=tmp_path)
    assert "tier_below_alert" in shown.stdout
    unknown = run(database_url, "incidents", "ffff", directory=tmp_path)
    assert unknown.returncode == 2
    assert "found none" in unknown.stderr


def test_a_stopped_partition_goes_on_by_decision_only_once(drifted: Engine, database_url: str, tmp_path: Path) -> None:
    """`partitions resume` clears the stop and fences the worker; a partition that is not stopped is refused."""
    done = run(database_url, "partitions", "resume", "predictions", "0", directory=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "10 of the last 50 records are bad" in done.stdout
    with drifted.connect() as connection:
        row = connection.execute(sa.select(input_offset)).one()
    assert (row.paused_reason, row.next_offset, row.epoch) == (None, 50, 1)
    again = run(database_url, "partitions", "resume", "predictions", "0", directory=tmp_path)
    assert again.returncode == 2
    assert "expected a stopped partition" in again.stderr


def test_dead_letters_are_listed_with_their_sentence(drifted: Engine, database_url: str, tmp_path: Path) -> None:
    """Place, reason and sentence; a reason without letters lists none."""
    (letter,) = document(database_url, "dead-letters", "list", directory=tmp_path)["dead_letters"]
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("predictions", 0, 7)
    assert letter["sentence"] == "expected a JSON object, found its beginning"
    with drifted.begin() as connection:
        connection.execute(sa.update(dead_letter).values(replayed_at="2026-06-01T12:00:30.5Z"))
    assert "2026-06-01 12:00:30\n" in run(database_url, "dead-letters", "list", directory=tmp_path).stdout
    none = document(database_url, "dead-letters", "list", "--reason", "future", directory=tmp_path)
    assert none["dead_letters"] == []


def test_an_empty_database_is_refused_until_it_is_migrated(
    postgres_server: Any, database_url: str, tmp_path: Path
) -> None:
    """Without the schema every command ends with 3 and says `driftline migrate`; `migrate` twice does no harm."""
    name = "never_migrated"
    url = postgres_server.create_database(name)
    try:
        before = run(url, "status", directory=tmp_path)
        assert before.returncode == 3
        assert "driftline migrate" in before.stderr
        for _ in range(2):
            assert run(url, "migrate", directory=tmp_path).returncode == 0
        after = run(url, "status", directory=tmp_path)
        assert after.returncode == 0, after.stderr
        assert "no model is applied" in after.stdout
    finally:
        postgres_server.drop_database(name)
