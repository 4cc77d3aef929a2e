"""Ingest on a real Kafka and a real Postgres: counted once, whatever happens in between."""

import threading
import time

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from consumers.worker import run_ingest
from monitor.health import Health
from monitor.store.partition_repairs import ResumeAt, resume_partition
from tests.models.credit import START, apply_credit_model, apply_model, credit_bodies, encoded, prediction_event
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_each_record_counts_once_over_restarts(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, protocol: str
) -> None:
    """Three workers after one another, each stopped midway, leave what the oracle reads from the topic."""
    apply_credit_model(engine)
    bodies = credit_bodies(3000)
    settings = settings_for(database_url, kafka_broker, topic_names, kafka_group_protocol=protocol)
    for part in range(3):
        produce(kafka_broker, topic_names.predictions, bodies[part::3])
        with ingesting(settings):
            if part == 2:
                wait_until(lambda: records(engine) == len(bodies))
            else:
                before = records(engine)
                wait_until(lambda before=before: records(engine) > before)
    counted = counted_in_database(engine)
    assert counted == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
    totals = {
        name: sum(partition[name] or 0 for partition in counted.partitions.values()) for name in ("duplicates", "late")
    }
    assert min(totals.values()) > 10
    assert {"future", "malformed", "parked"} <= set(counted.dead.values())


def test_a_fenced_worker_writes_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """When somebody else takes a partition over, our batch is dropped and counted again from the stored offset."""
    apply_credit_model(engine)
    bodies = credit_bodies(2000)
    settings = settings_for(database_url, kafka_broker, topic_names)
    with ingesting(settings):
        produce(kafka_broker, topic_names.predictions, bodies[::2])
        wait_until(lambda: records(engine) == len(bodies[::2]))
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE input_offset SET epoch = epoch + 1"))
        produce(kafka_broker, topic_names.predictions, bodies[1::2])
        wait_until(lambda: records(engine) == len(bodies))
    assert min(offset.epoch for offset in offsets_of(engine, topic_names.predictions)) >= 3
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)


def test_a_recreated_topic_is_refused(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """A topic deleted and made again with more records is not read on; resumed at its beginning, it is."""
    apply_credit_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names)
    produce(kafka_broker, topic_names.predictions, credit_bodies(50))
    before = len(credit_bodies(50))
    with ingesting(settings):
        wait_until(lambda: records(engine) == before)
    kafka_broker.delete_topic(topic_names.predictions)
    kafka_broker.create_topic(topic_names.predictions, partitions=4)
    again = [encoded(prediction_event(number, at=START + number)) for number in range(5000, 5400)]
    produce(kafka_broker, topic_names.predictions, again)
    with ingesting(settings):
        wait_until(lambda: all(offset.paused_reason for offset in offsets_of(engine, topic_names.predictions)))
        assert all("recreated" in str(offset.paused_reason) for offset in offsets_of(engine, topic_names.predictions))
        assert records(engine) == before
        with engine.begin() as connection:
            for partition in range(4):
                resume_partition(connection, topic_names.predictions, partition, at=ResumeAt.EARLIEST)
        wait_until(lambda: records(engine) == before + 400)


def test_an_apply_while_counting_is_counted_under_the_new_configuration(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """A model applied while its first events wait for their flush gets them: the batch is counted again."""
    apply_model(engine, model="other")
    settings = settings_for(database_url, kafka_broker, topic_names, dead_letter_minimum=10_000)
    bodies = credit_bodies(200)
    with ingesting(settings.model_copy(update={"flush_seconds": 600.0, "flush_events": 150})):
        wait_until(lambda: [offset.epoch for offset in offsets_of(engine, topic_names.predictions)] == [1] * 4)
        produce(kafka_broker, topic_names.predictions, bodies[:100])
        time.sleep(0.5)  # they are read by now; if they were not, the test would ask less, not fail
        apply_credit_model(engine)
        produce(kafka_broker, topic_names.predictions, bodies[100:])
        wait_until(lambda: records(engine) >= 150)
    with ingesting(settings):
        wait_until(lambda: records(engine) == len(bodies))
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
    assert sum(partition["counted"] or 0 for partition in counted_in_database(engine).partitions.values()) >= 180


def test_a_restarted_postgres_is_waited_for(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    postgres_server: PostgresServer,
) -> None:
    """Three crashes of Postgres under load: the worker lives on, says that Postgres is away, and nothing is lost."""
    apply_credit_model(engine)
    health, reasons = Health(), []
    stop = threading.Event()
    settings = settings_for(database_url, kafka_broker, topic_names)
    worker = threading.Thread(
        target=run_ingest,
        args=(settings,),
        kwargs={"stop": stop, "health": health},
    )
    worker.start()
    bodies = credit_bodies(1500)
    for part in range(3):
        produce(kafka_broker, topic_names.predictions, bodies[part::3])
        if part:
            wait_until(lambda part=part: records(engine) >= part * len(bodies) // 3 - 3)
        postgres_server.stop("immediate")
        engine.dispose()
        time.sleep(1.5)
        reasons.append(health.reason or "")
        postgres_server.start()
    wait_until(lambda: records(engine) == len(bodies))
    wait_until(lambda: health.reason is None)
    assert worker.is_alive()
    stop.set()
    worker.join(30)
    assert all("Postgres at" in reason for reason in reasons)
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
