"""F9: a producer sends each event one to five times, shuffled; what is counted equals the unique stream."""

import random
from collections import Counter
from typing import Literal

import pytest
from confluent_kafka import Producer
from sqlalchemy import Engine

from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.panes import Counted, counted_in_database, recount_topics
from tests.services.ingest import ingesting, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.kafka
EVENTS = 2_000


def send(broker: KafkaBroker, topic: str, events: list[tuple[bytes, bytes]]) -> None:
    """Produce (key, body) by key, as producers do: copies of an event meet in one partition."""
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for key, body in events:
        producer.produce(topic, body, key=key, timestamp=START + 1_800_000)
    assert producer.flush(60) == 0


def values(counted: Counted) -> tuple[object, object, object]:
    """Return what of *counted* does not depend on its place in a topic: counts, unseen values, ledger rows."""
    unseen = Counter(
        (key, value, number) for key, occurrences in counted.unseen.items() for value, number in occurrences.items()
    )
    return counted.panes, unseen, Counter(counted.ledger.values())


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_one_to_five_copies_in_any_order_equal_the_unique_stream(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    protocol: Literal["classic", "consumer"],
) -> None:
    """Over three workers one after the other, so that what was seen has to be read from the database, too."""
    apply_model(engine, sample_rate=1.0)
    draw = random.Random(9)
    unique = [
        (f"p-{number}".encode(), encoded(prediction_event(number, at=START + draw.randrange(1_200_000))))
        for number in range(EVENTS)
    ]
    copies = [event for event in unique for _ in range(draw.randint(1, 5))]
    draw.shuffle(copies)
    assert len(copies) > 2 * EVENTS
    once = f"{topic_names.predictions}.once"
    kafka_broker.create_topic(once, partitions=4)
    send(kafka_broker, once, unique)
    settings = settings_for(database_url, kafka_broker, topic_names, kafka_group_protocol=protocol)
    third = len(copies) // 3
    sent = 0
    for part in (copies[:third], copies[third : 2 * third], copies[2 * third :]):
        send(kafka_broker, topic_names.predictions, part)
        sent += len(part)
        with ingesting(settings):
            wait_until(lambda sent=sent: records(engine) == sent)
    counted = counted_in_database(engine)
    assert values(counted) == values(recount_topics(engine, kafka_broker.bootstrap, once))
    totals = Counter[str]()
    for partition in counted.partitions.values():
        totals.update({name: int(value or 0) for name, value in partition.items()})
    assert (totals["counted"], totals["duplicates"]) == (EVENTS, len(copies) - EVENTS)
    assert (totals["late"], totals["dead"]) == (0, 0)
