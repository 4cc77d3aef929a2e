"""Holes on a real Kafka: those of the log are counted, those of the client are read again."""

import random
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from sqlalchemy import Engine

from consumers.kafka.consumer import InputConsumer, Received
from monitor.store.offsets import StoredOffset
from tests.models.credit import START, apply_credit_model, credit_bodies, encoded, prediction_event
from tests.oracle.panes import counted_in_database, read_partition, recount_topics
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def end_of(broker: KafkaBroker, topic: str, partition: int) -> int:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "ends"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1])
    finally:
        consumer.close()


def adds_up(row: StoredOffset) -> bool:
    return row.unaccounted == 0 and row.counters.records + row.counters.skipped == row.next_offset


def test_markers_and_aborted_records_of_transactions_are_counted_as_holes(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Committed and aborted transactions in turn, over a restart, the last marker at the end of the log."""
    apply_credit_model(engine)
    topic, bodies = topic_names.predictions, credit_bodies(600)
    settings = settings_for(database_url, kafka_broker, topic_names)
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": topic})
    producer.init_transactions(30)

    def transactions(chosen: list[bytes]) -> int:
        committed = 0
        for number, start in enumerate(range(0, len(chosen), 20)):
            producer.begin_transaction()
            part = chosen[start : start + 20]
            for place, body in enumerate(part):
                producer.produce(topic, body, partition=place % 4, timestamp=START + 10_000_000)
            if number % 3 == 1:
                producer.abort_transaction(30)
            else:
                producer.commit_transaction(30)
                committed += len(part)
        return committed

    committed = transactions(bodies[:300])
    with ingesting(settings):
        wait_until(lambda: records(engine) == committed)
        committed += transactions(bodies[300:])
        wait_until(lambda: records(engine) == committed)
    ends = [end_of(kafka_broker, topic, partition) for partition in range(4)]
    with ingesting(settings):
        wait_until(lambda: [row.next_offset for row in offsets_of(engine, topic)] == ends)
        wait_until(lambda: all(row.caught_up for row in offsets_of(engine, topic)))
        produce(kafka_broker, topic, [encoded(prediction_event(n, at=START + n)) for n in range(9000, 9004)])
        wait_until(lambda: records(engine) == committed + 4)
    rows = offsets_of(engine, topic)
    assert all(adds_up(row) for row in rows)
    assert min(row.counters.skipped for row in rows) > 20
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic)


def test_what_compaction_removed_is_counted_as_holes(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """A compacted topic is read through: the last event of each key is counted, the offsets before it are holes."""
    apply_credit_model(engine)
    topic = f"compacted-{topic_names.predictions}"
    config = {
        "cleanup.policy": "compact",
        "segment.bytes": str(1 << 20),
        "segment.ms": "100",
        "min.cleanable.dirty.ratio": "0.01",
    }
    kafka_broker.create_topic(topic, partitions=1, config=config)
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap})

    def write(number: int) -> None:
        body = encoded(prediction_event(number, at=START + number))
        # the broker closes a segment by the records' timestamps
        producer.produce(topic, body, key=b"%d" % (number % 10), timestamp=START + 10_000_000 + number * 1000)
        producer.flush(10)

    for number in range(200):
        write(number)
    sent = 200

    def compacted() -> bool:
        nonlocal sent
        write(sent)  # a segment is closed only when the next record comes
        sent += 1
        return len(list(read_partition(kafka_broker.bootstrap, topic, 0))) < sent - 100

    wait_until(compacted, seconds=90)
    settings = settings_for(database_url, kafka_broker, topic_names, predictions_topics=(topic,))
    end = end_of(kafka_broker, topic, 0)
    with ingesting(settings):
        wait_until(lambda: [row.next_offset for row in offsets_of(engine, topic)] == [end])
    (row,) = offsets_of(engine, topic)
    assert adds_up(row)
    assert row.counters.skipped > 50


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_records_that_the_client_loses_are_read_again(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    monkeypatch: pytest.MonkeyPatch,
    protocol: str,
) -> None:
    """Pieces from the beginning, the middle and the end of a partition's batch vanish in the client: none is lost."""
    apply_credit_model(engine)
    chance, consume = random.Random(3), InputConsumer.consume
    lost: list[int] = []
    ingest: list[InputConsumer] = []  # the second reading's client, made later, is sound

    def lossy(consumer: InputConsumer, count: int, *, timeout_seconds: float) -> Received:
        received = consume(consumer, count, timeout_seconds=timeout_seconds)
        result = received.records
        ingest.append(consumer)
        if consumer is not ingest[0] or not result or len(lost) >= 20 or chance.random() < 0.5:
            return received
        start = chance.choice((0, chance.randrange(len(result)), max(0, len(result) - 30)))
        lost.append(len(result[start : start + 30]))
        return replace(received, records=result[:start] + result[start + 30 :])

    monkeypatch.setattr(InputConsumer, "consume", lossy)
    bodies = credit_bodies(3000)
    settings = settings_for(database_url, kafka_broker, topic_names, batch_size=200, kafka_group_protocol=protocol)
    with ingesting(settings):
        for part in range(10):
            produce(kafka_broker, topic_names.predictions, bodies[part::10])
        wait_until(
            lambda: (
                [row.next_offset for row in offsets_of(engine, topic_names.predictions)]
                == [end_of(kafka_broker, topic_names.predictions, partition) for partition in range(4)]
            )
        )
    assert len(lost) > 5
    assert records(engine) == len(bodies)
    assert all(adds_up(row) and row.counters.skipped == 0 for row in offsets_of(engine, topic_names.predictions))
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
