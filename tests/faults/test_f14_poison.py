"""F14, poison messages: dead letters with a reason, the stream goes on; too many stop their own model, no other."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.health import Health
from monitor.store.model_intake import resume_model, stopped_models
from monitor.store.schema import dead_letter
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.command import document, run
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def events(model: str, first: int, count: int) -> list[bytes]:
    return [encoded(prediction_event(number, model=model, at=START + number)) for number in range(first, first + count)]


def dead(engine: Engine) -> dict[str, int]:
    query = sa.select(dead_letter.c.reason, sa.func.count()).group_by(dead_letter.c.reason)
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def test_bytes_that_are_no_event_stop_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Two thousand of them in one partition: all are dead letters, what comes between and after counts."""
    apply_model(engine)
    produce(kafka_broker, topic_names.predictions, events("credit", 0, 100))
    produce(kafka_broker, topic_names.predictions, [b"broken", b"\x00\xff", b"[]", b"{}"] * 500, partitions=1)
    produce(kafka_broker, topic_names.predictions, events("credit", 100, 100))
    health = Health()
    with ingesting(settings_for(database_url, kafka_broker, topic_names), health=health):
        wait_until(lambda: records(engine) == 2200)
        wait_until(lambda: any("name no model or cannot be read" in notice for notice in health.notices))
    assert not any(row.paused_reason for row in offsets_of(engine, topic_names.predictions))
    counted = counted_in_database(engine)
    assert counted == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
    assert sum(row["counted"] or 0 for row in counted.partitions.values()) == 200


def test_a_model_nobody_applied_stops_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """With a third of all records, over every partition, it stopped the whole monitor; it is no bad input at all."""
    apply_model(engine)
    bodies = [
        body
        for credit, nobody in zip(events("credit", 0, 800), events("nobody", 0, 800), strict=True)
        for body in (credit, credit.replace(b"p-", b"q-"), nobody)
    ]
    produce(kafka_broker, topic_names.predictions, bodies)
    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == 2400)
    assert not any(row.paused_reason for row in offsets_of(engine, topic_names.predictions))
    with engine.connect() as connection:
        assert not stopped_models(connection)
    assert sum(row.counters.counted for row in offsets_of(engine, topic_names.predictions)) == 1600


def test_a_bad_producer_stops_its_own_model_until_a_human_resumes_it(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """Another model in the same partition counts every record; what the stopped one sent meanwhile comes back."""
    apply_model(engine)
    fraud = apply_model(engine, model="fraud")
    settings = settings_for(database_url, kafka_broker, topic_names)
    topic = topic_names.predictions
    broken = [body.replace(b"2026-", b"soon-") for body in events("fraud", 0, 80)]
    with ingesting(settings):
        produce(kafka_broker, topic, broken, partitions=1)
        produce(kafka_broker, topic, events("fraud", 100, 40) + events("credit", 0, 400), partitions=1)
        wait_until(lambda: records(engine) == 520)
    assert dead(engine) == {"malformed": 80, "model_stopped": 40}
    (stopped,) = document(database_url, "status", directory=tmp_path)["stopped_models"]
    assert (stopped["model"]["name"], stopped["source"]["partition"]) == ("fraud", 0)
    assert "offset 49: timestamp: expected" in stopped["reason"]
    assert "stopped in" in run(database_url, "models", "list", directory=tmp_path).stdout
    with ingesting(settings):  # it stays stopped over a restart, and learns of the decision while it runs
        produce(kafka_broker, topic, events("fraud", 200, 1), partitions=1)
        wait_until(lambda: dead(engine)["model_stopped"] == 41)
        resumed = run(database_url, "models", "resume", "fraud", directory=tmp_path)
        assert resumed.returncode == 0, resumed.stderr
        again = run(database_url, "models", "resume", "fraud", directory=tmp_path)
        assert (again.returncode, "expected a stopped model" in again.stderr) == (2, True)

        def counted() -> int:
            return sum(row.counters.counted for row in offsets_of(engine, topic))

        sent: list[int] = []

        def is_counted_again() -> bool:
            produce(kafka_broker, topic, events("fraud", 300 + len(sent), 1), partitions=1)
            sent.append(1)
            return counted() > 400

        wait_until(is_counted_again)
        wait_until(lambda: records(engine) == 521 + len(sent))
        before = counted()
        stopped_count = dead(engine)["model_stopped"]
        replayed = _replay(
            kafka_broker, settings.database_url, tmp_path, "--model", "fraud", "--reason", "model_stopped"
        )
        assert replayed == stopped_count
        wait_until(lambda: counted() == before + stopped_count)
    with engine.begin() as connection:
        assert not stopped_models(connection)
        assert resume_model(connection, fraud) == ()


def _replay(broker: KafkaBroker, url: str, directory: Path, *chosen: str) -> int:
    (directory / "driftline.toml").write_text(f'kafka_bootstrap = "{broker.bootstrap}"\n')
    return len(document(url, "dead-letters", "replay", *chosen, directory=directory)["sent"])
