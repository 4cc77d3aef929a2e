"""A model is removed with all that is stored of it, and nothing else; the roles go on meanwhile."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.errors import SpecError, UnavailableError
from monitor.store.configuration import load_configuration, read_generation
from monitor.store.model_removal import _CONDITIONS, remove_model, stored_parts, withdraw_model
from monitor.store.schema import dead_letter, metadata, model, pane, series
from monitor.store.series import ensure_series
from monitor.store.specs import model_id_of
from monitor.types import ModelKey, SeriesKey
from tests.integration.stored_rows import store_everywhere
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
KEYS = ModelKey("default", "credit"), ModelKey("team", "fraud")


@pytest.fixture
def models(engine: Engine) -> tuple[int, int]:
    """Two models with a row in every table that has rows of models."""
    ids = apply_model(engine, model="credit"), apply_model(engine, model="fraud", namespace="team")
    with engine.begin() as connection:
        for model_id, key in zip(ids, KEYS, strict=True):
            ensure_series(connection, {SeriesKey(model_id, "1")})
            store_everywhere(connection, model_id, key)
    return ids


def held(engine: Engine, model_id: int) -> dict[str, int]:
    with engine.connect() as connection:
        return {part.table: part.rows for part in stored_parts(connection, model_id)}


def remove(engine: Engine, model_id: int, **options: object) -> None:
    with engine.begin() as connection:
        withdraw_model(connection, model_id)
    remove_model(engine, model_id, pause=lambda: None, **options)  # type: ignore[arg-type]  # a test's shorthand


def test_every_table_is_known_to_have_rows_of_models_or_none() -> None:
    """A table that is added says whose its rows are; only these have none of a model."""
    of_none = {
        "configuration",
        "input_offset",
        "topic_incarnation",
        "flush",
        "dedup",
        "model",
        "heartbeat",
        "unanswering_host",
    }
    assert set(_CONDITIONS) | of_none == {table.name for table in metadata.sorted_tables}


def test_all_of_it_goes_and_nothing_of_another_model(engine: Engine, models: tuple[int, int]) -> None:
    """The preview names every table with its rows; afterwards there is none, and the other model has all of its own."""
    before = held(engine, models[1])
    assert set(before) == set(held(engine, models[0])) == set(_CONDITIONS)
    remove(engine, models[0])
    assert held(engine, models[1]) == before
    with engine.connect() as connection:
        assert connection.execute(sa.select(model.c.id)).scalars().all() == [models[1]]
        assert [applied.key for applied in load_configuration(connection).models] == [KEYS[1]]
        for table, row_count in before.items():
            total = connection.execute(sa.select(sa.func.count()).select_from(metadata.tables[table])).scalar()
            assert total == row_count, table


def test_it_goes_in_short_transactions_and_may_be_begun_again(engine: Engine, models: tuple[int, int]) -> None:
    """Ended after its third transaction, it goes on where it was; meanwhile the model cannot be applied."""
    with engine.begin() as connection:
        (series_id,) = ensure_series(connection, {SeriesKey(models[0], "1")}).values()
        cells_id = connection.execute(sa.text("SELECT min(id) FROM cells")).scalar()
        row = {"series_id": series_id, "cells_id": cells_id, "span": 1, "events": 1, "sampled": 0, "counts": b""}
        connection.execute(sa.insert(pane), [{**row, "start": START + number} for number in range(25)])
    deleted: list[tuple[str, int]] = []

    def interrupt(table: str, rows: int) -> None:
        deleted.append((table, rows))
        if len(deleted) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remove(engine, models[0], on_deleted=interrupt, limit=10)
    with engine.begin() as connection, pytest.raises(SpecError, match="models remove credit --yes"):
        model_id_of(connection, KEYS[0])
    remove(engine, models[0], on_deleted=lambda table, rows: deleted.append((table, rows)), limit=10)
    assert [rows for table, rows in deleted if table == "pane"] == [10, 10, 6]
    with engine.begin() as connection:
        assert model_id_of(connection, KEYS[0]) not in models


def test_what_was_begun_before_is_waited_for(engine: Engine, models: tuple[int, int]) -> None:
    """A flush that read the generation before commits later: its pane and its series go too."""
    pauses: list[int] = []
    flushing = engine.connect()
    read_generation(flushing)
    (series_id,) = ensure_series(flushing, {SeriesKey(models[0], "new")}).values()

    def commit() -> None:
        cells_id = flushing.execute(sa.text("SELECT min(id) FROM cells")).scalar()
        row = {"series_id": series_id, "cells_id": cells_id, "span": 1, "events": 1, "sampled": 0, "counts": b""}
        flushing.execute(sa.insert(pane).values(**row, start=START))
        flushing.commit()

    with engine.begin() as connection:
        withdraw_model(connection, models[0])
    timer = threading.Timer(1.0, commit)
    timer.start()
    remove_model(engine, models[0], pause=lambda: pauses.append(1))
    timer.join()
    flushing.close()
    assert pauses
    with engine.connect() as connection:
        assert set(connection.execute(sa.select(series.c.model_id)).scalars()) == {models[1]}


def test_somebody_who_never_stops_is_named(engine: Engine, models: tuple[int, int]) -> None:
    """Rows that come back, here for a trigger keeps them, keep the model from going: said after so many passes."""
    trigger = """
        CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER stay BEFORE DELETE ON deployment FOR EACH ROW EXECUTE FUNCTION stay()
    """
    with engine.begin() as connection:
        withdraw_model(connection, models[0])
        connection.execute(sa.text(trigger))
    with pytest.raises(UnavailableError, match="still being added"):
        remove_model(engine, models[0], pause=lambda: None)
    with engine.connect() as connection:
        assert [applied.key for applied in load_configuration(connection).models] == [KEYS[1]]


def test_the_command_shows_first_and_removes_with_yes(
    engine: Engine, database_url: str, models: tuple[int, int], tmp_path: Path
) -> None:
    """Without --yes nothing changes; a name that is none is refused with those that are."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "driftline", "models", "remove", *arguments], cwd=tmp_path, text=True, check=False,
            env={"DRIFTLINE_DATABASE_URL": database_url, "PATH": ""}, capture_output=True, timeout=60,
        )  # fmt: skip

    unknown = command("churn")
    assert unknown.returncode == 2
    assert "credit, team/fraud" in unknown.stderr
    before = held(engine, models[1])
    shown = json.loads(command("team/fraud", "--json").stdout)
    assert {part["table"]: part["rows"] for part in shown["tables"]} == before
    assert all(part["bytes"] > 0 for part in shown["tables"])
    assert "--yes" in command("team/fraud").stdout
    assert held(engine, models[1]) == before
    done = command("team/fraud", "--yes")
    assert (done.returncode, "team/fraud is removed" in done.stdout) == (0, True)
    with engine.connect() as connection:
        assert connection.execute(sa.select(model.c.name)).scalars().all() == ["credit"]


@pytest.mark.kafka
def test_a_worker_goes_on_without_the_model(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Removed while its events come: the others are counted, its own are parked from then on, none is lost."""
    ids = {name: apply_model(engine, model=name, sample_rate=1.0) for name in ("credit", "fraud")}

    def bodies(first: int, count: int) -> list[bytes]:
        numbers = range(first, first + count)
        return [encoded(prediction_event(n, model=("credit", "fraud")[n % 2], at=START + n)) for n in numbers]

    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        produce(kafka_broker, topic_names.predictions, bodies(0, 400))
        wait_until(lambda: records(engine) == 400)
        remove(engine, ids["credit"])
        produce(kafka_broker, topic_names.predictions, bodies(400, 400))
        wait_until(lambda: records(engine) == 800)
    with engine.connect() as connection:
        letters = connection.execute(sa.select(dead_letter.c.reason, dead_letter.c.model, sa.func.count()).group_by(
            dead_letter.c.reason, dead_letter.c.model)).all()  # fmt: skip
        whole = sa.select(sa.func.sum(pane.c.events)).join(series, series.c.id == pane.c.series_id)
        counted = connection.execute(whole.where(series.c.segment_tag == "")).scalar()
    assert [tuple(row) for row in letters] == [("parked", "credit", 200)]
    assert counted == 400
