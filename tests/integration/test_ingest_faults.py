"""Ingest on a real Kafka and a real Postgres while the group, the log or the process changes under it."""

import time
from collections import Counter
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from sqlalchemy import Engine

from consumers.kafka.consumer import InputConsumer
from consumers.telemetry import observe_lag
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.metrics import LAG_RECORDS
from monitor.store.offsets import BrokerPartition, claim_partition
from monitor.store.outage import named_outage
from monitor.store.partition_repairs import ResumeAt, paused_partitions, resume_partition
from monitor.store.schema import input_offset
from monitor.types import PartitionKey, StartAt, TopicRole
from tests.fakes.records import fresh_state
from tests.models.credit import apply_credit_model, credit_bodies, good_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

ASKED_BEFORE_LOCK = 2  # to discover a partition, and to claim it


def add_partitions(broker: KafkaBroker, topic: str, total: int) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_partitions([NewPartitions(topic, total)])[topic].result(30)
    wait_until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == total)


def delete_records(broker: KafkaBroker, before: Mapping[tuple[str, int], int]) -> None:
    """Move the beginning of each (topic, partition) of *before*, as retention would."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    futures = admin.delete_records([TopicPartition(*place, offset) for place, offset in before.items()])
    assert [future.result(30) is not None for future in futures.values()] == [True] * len(before)


@pytest.mark.kafka
@pytest.mark.parametrize("start_at", ["earliest", "latest"])
def test_added_partitions_are_counted_from_their_beginning(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, start_at: str
) -> None:
    """What was written to new partitions before the worker knew of them counts, whatever the start policy (F40)."""
    apply_credit_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names, start_at=start_at)
    with ingesting(settings):
        wait_until(lambda: [offset.epoch for offset in offsets_of(engine, topic_names.predictions)] == [1] * 4)
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        wait_until(lambda: records(engine) == 100)
    add_partitions(kafka_broker, topic_names.predictions, 6)
    produce(kafka_broker, topic_names.predictions, good_bodies(100, 300), partitions=6)
    with ingesting(settings):
        wait_until(lambda: records(engine) == 400)
    assert len(offsets_of(engine, topic_names.predictions)) == 6
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)


@pytest.mark.kafka
def test_retention_past_our_offset_stops_until_resumed(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    postgres_server: PostgresServer,
) -> None:
    """The log is cut past a worker that waits for Postgres: the partition stops, says why, and resumes (F39)."""
    apply_credit_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names)
    topic = topic_names.predictions
    key = PartitionKey(topic, 0)

    def paused() -> dict[PartitionKey, str]:
        with engine.connect() as connection:
            return paused_partitions(connection)

    health = Health()
    with ingesting(settings, health=health) as worker:
        produce(kafka_broker, topic, good_bodies(0, 400))
        wait_until(lambda: records(engine) == 400)
        postgres_server.stop("fast")
        engine.dispose()
        wait_until(lambda: "Postgres" in (health.reason or ""))  # a heartbeat failed, so everything is paused
        produce(kafka_broker, topic, good_bodies(400, 400))
        delete_records(kafka_broker, {(topic, 0): 150})
        postgres_server.start()
        wait_until(lambda: key in paused())
        assert "retention passed us: expected offset 100, found 150" in paused()[key]
        wait_until(lambda: records(engine) == 700)
        assert worker.is_alive()
        with engine.begin() as connection:
            resume_partition(connection, topic, 0, at=ResumeAt.EARLIEST)
        wait_until(lambda: records(engine) == 750)
        assert not paused()
    assert offsets_of(engine, topic)[0].next_offset == 200


@pytest.mark.kafka
def test_a_recreated_topic_is_detected_when_it_is_assigned(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Deleted and made again with more records under a running worker: none of them is counted before a word (F39)."""
    apply_credit_model(engine)
    only = {"truths_topics": (), "deployments_topics": ()}
    settings = settings_for(database_url, kafka_broker, topic_names, **only)
    topic = topic_names.predictions
    with ingesting(settings):
        produce(kafka_broker, topic, good_bodies(0, 40))
        wait_until(lambda: records(engine) == 40)
        with engine.begin() as connection:  # what the row says of a topic that is no more, the worker's memory does not
            connection.execute(sa.text("UPDATE input_offset SET topic_id = 'of-before'"))
        with ingesting(settings):
            wait_until(lambda: sum(bool(offset.paused_reason) for offset in offsets_of(engine, topic)) >= 1)
    reasons = [offset.paused_reason for offset in offsets_of(engine, topic) if offset.paused_reason]
    assert all("topic recreated: expected topic id of-before" in str(reason) for reason in reasons)


@pytest.mark.kafka
def test_a_rebalance_storm_counts_each_record_once(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """A second worker joins and leaves every two seconds under load; the oracle agrees (F7)."""
    apply_credit_model(engine)
    only = {"truths_topics": (), "deployments_topics": ()}  # so that it is the predictions that move
    settings = settings_for(database_url, kafka_broker, topic_names, **only)
    bodies = credit_bodies(6000)

    def claims() -> int:
        return sum(offset.epoch for offset in offsets_of(engine, topic_names.predictions))

    with ingesting(settings):
        for part in range(8):
            produce(kafka_broker, topic_names.predictions, bodies[part::8])
            if part % 2:
                moved = claims()
                with ingesting(settings):
                    wait_until(lambda moved=moved: claims() > moved)  # whatever the joining takes on this machine
                    time.sleep(2)
            else:
                time.sleep(2)
        wait_until(lambda: records(engine) == len(bodies))
    assert max(offset.epoch for offset in offsets_of(engine, topic_names.predictions)) >= 3
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)


@pytest.mark.kafka
def test_an_end_that_was_asked_for_too_early_stops_nothing(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who held the partition flushed on after the broker was asked: its end is asked for again, under the row's lock.

    ::

        new owner   asks the end: 10 ................. locks the row: 100 > 10, "the log is shorter than we read"?
        old owner                     flushes to 100
    """
    apply_credit_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names)
    produce(kafka_broker, topic_names.predictions, good_bodies(0, 400))
    with ingesting(settings):
        wait_until(lambda: records(engine) == 400)
    asked: Counter[PartitionKey] = Counter()
    watermarks = InputConsumer.watermarks

    def answered_early(consumer: InputConsumer, key: PartitionKey) -> tuple[int, int]:
        asked[key] += 1
        low, high = watermarks(consumer, key)
        return low, high if asked[key] > ASKED_BEFORE_LOCK else min(high, 10)

    monkeypatch.setattr(InputConsumer, "watermarks", answered_early)
    produce(kafka_broker, topic_names.predictions, good_bodies(400, 400))
    with ingesting(settings):
        wait_until(lambda: records(engine) == 800)
    assert not any(partition.paused_reason for partition in offsets_of(engine, topic_names.predictions))
    assert min(count for key, count in asked.items() if key.topic == topic_names.predictions) > ASKED_BEFORE_LOCK


def test_a_partition_locked_by_a_frozen_worker_is_not_waited_for(engine: Engine) -> None:
    """Claiming a row that another transaction holds says so within seconds instead of hanging with it."""
    broker_partition = BrokerPartition(key=PartitionKey("p", 0), role=TopicRole.PREDICTIONS, topic_id="", low=0, high=9)
    with engine.begin() as connection:
        claim_partition(connection, broker_partition, start_at=StartAt.EARLIEST)
    with engine.begin() as frozen:
        frozen.execute(sa.text("UPDATE input_offset SET next_offset = 5"))
        with (
            pytest.raises(UnavailableError, match="lock timeout"),
            named_outage(engine, "taking over"),
            engine.begin() as connection,
        ):
            claim_partition(connection, broker_partition, start_at=StartAt.EARLIEST)


def test_a_read_only_postgres_is_waited_for(engine: Engine) -> None:
    """A primary that a failover made read-only is an outage, no reason to die."""
    read_only = engine.execution_options(postgresql_readonly=True)
    with (
        pytest.raises(UnavailableError, match="read-only"),
        named_outage(engine, "flushing"),
        read_only.begin() as connection,
    ):
        connection.execute(sa.text("DELETE FROM flush"))


def test_a_partition_that_left_lags_here_no_more() -> None:
    """The gauge knows the partitions that are ours now and no others."""

    def shown() -> set[str]:
        return {sample.labels["partition"] for metric in LAG_RECORDS.collect() for sample in metric.samples}

    observe_lag([fresh_state(0), fresh_state(1)], lambda key: 100)
    assert shown() == {"0", "1"}
    observe_lag([fresh_state(1)], lambda key: 100)
    assert shown() == {"1"}


def test_without_a_broker_no_heartbeat_says_that_the_end_was_reached(
    kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, engine: Engine
) -> None:
    """The broker is killed under an idle worker: its heartbeat stops, so the watermark holds; it goes on afterwards."""
    apply_credit_model(engine)
    produce(kafka_broker, topic_names.predictions, good_bodies(0, 50))

    def last_heartbeat() -> float:
        query = sa.select(sa.func.max(sa.extract("epoch", input_offset.c.heartbeat_at)))
        with engine.connect() as connection:
            return float(connection.execute(query).scalar() or 0)

    def beats() -> bool:
        before = last_heartbeat()
        time.sleep(2.5)
        return last_heartbeat() > before

    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == 50)
        wait_until(beats)
        kafka_broker.kill()
        try:
            time.sleep(3)
            assert not beats()
        finally:
            kafka_broker.start()
        produce(kafka_broker, topic_names.predictions, good_bodies(50, 50))
        wait_until(lambda: records(engine) == 100)
        wait_until(beats)
