"""A model that is applied later: what it sent before waits for it and is counted by itself."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.store.schema import dead_letter
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.panes import counted_in_database
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def events(model: str, count: int) -> list[bytes]:
    return [encoded(prediction_event(number, model=model, at=START + number)) for number in range(count)]


def counted(engine: Engine, topic: str) -> int:
    return sum(row.counters.counted for row in offsets_of(engine, topic))


def waiting(engine: Engine) -> int:
    query = sa.select(sa.func.count()).where(dead_letter.c.replayed_at.is_(None))
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def test_what_an_unknown_model_sent_is_counted_once_it_is_applied(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Two workers, more letters than one turn sends: each is sent again by one of them, and counted once."""
    apply_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names, dead_letter_minimum=10)
    topic = topic_names.predictions
    with ingesting(settings), ingesting(settings):
        produce(kafka_broker, topic, events("fraud", 1200) + events("nobody", 10) + events("credit", 100))
        wait_until(lambda: records(engine) == 1310)
        assert counted(engine, topic) == 100
        apply_model(engine, model="fraud")
        wait_until(lambda: counted(engine, topic) == 1300, seconds=90)
        wait_until(lambda: waiting(engine) == 10)
    rows = offsets_of(engine, topic)
    assert sum(row.counters.records for row in rows) == 2510
    assert sum(row.counters.duplicates for row in rows) == 0
    panes = counted_in_database(engine).panes
    events_of = {model_id: 0 for model_id, *_ in panes}
    for (model_id, _, tag, *_), counts in panes.items():
        events_of[model_id] += 0 if tag else counts["events"]
    assert sorted(events_of.values()) == [100, 1200]


def test_under_the_policy_discover_nothing_waits(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Only the number of records is kept."""
    apply_model(engine)
    topic = topic_names.predictions
    with ingesting(settings_for(database_url, kafka_broker, topic_names, unknown_model="discover")):
        produce(kafka_broker, topic, events("fraud", 100))
        wait_until(lambda: records(engine) == 100)
    assert waiting(engine) == 0
    assert sum(row.counters.dead for row in offsets_of(engine, topic)) == 100
