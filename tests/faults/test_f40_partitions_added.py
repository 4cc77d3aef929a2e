"""F40: partitions added to a topic under a running worker are picked up, and complete."""

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from sqlalchemy import Engine

from tests.models.credit import START, apply_credit_model, encoded, prediction_event
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


def bodies(first: int, count: int) -> list[bytes]:
    return [encoded(prediction_event(number, at=START + number)) for number in range(first, first + count)]


@pytest.mark.parametrize(("protocol", "start_at"), [("classic", "latest"), ("consumer", "earliest")])
def test_partitions_added_under_a_running_worker_are_counted_from_their_beginning(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    protocol: str,
    start_at: str,
) -> None:
    """What was written to new partitions before the worker knew of them counts, whatever the start policy."""
    apply_credit_model(engine)
    topic = topic_names.predictions
    settings = settings_for(database_url, kafka_broker, topic_names, kafka_group_protocol=protocol, start_at=start_at)
    with ingesting(settings):
        wait_until(lambda: [row.epoch for row in offsets_of(engine, topic)] == [1] * 4)
        produce(kafka_broker, topic, bodies(0, 100))
        wait_until(lambda: records(engine) == 100)
        admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
        admin.create_partitions([NewPartitions(topic, 6)])[topic].result(30)
        wait_until(lambda: len(admin.list_topics(topic, timeout=10).topics[topic].partitions) == 6)
        produce(kafka_broker, topic, bodies(100, 300), partitions=6)
        wait_until(lambda: records(engine) == 400, seconds=120)  # clients refresh their metadata every 30 s
    rows = offsets_of(engine, topic)
    assert [(row.first_offset, row.unaccounted) for row in rows] == [(0, 0)] * 6
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic)
