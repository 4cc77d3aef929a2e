"""A broker that forgets a topic for a moment, or does not answer, costs a second reading and no record."""

import random

import pytest
from sqlalchemy import Engine

from consumers.kafka.admin import Cluster
from consumers.kafka.settings import unavailable
from monitor.settings import Settings
from tests.models.credit import apply_credit_model, credit_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def test_partitions_given_back_and_claimed_again_are_counted_once(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before flushes and between them the broker says "no such topic" or nothing; then it is the same topic again."""
    apply_credit_model(engine)
    monkeypatch.setattr("consumers.assignment.TOPICS_SECONDS", 0.1)
    chance, ids, answers = random.Random(5), Cluster.ids, {"none": 0, "silent": 0}

    def forgetful(cluster: Cluster, names: list[str], *, timeout_seconds: float = 10.0) -> dict[str, str] | None:
        result = ids(cluster, names, timeout_seconds=timeout_seconds)
        draw = chance.random()
        if timeout_seconds < 10 and draw < 0.2 and answers["none"] < 12:
            answers["none"] += 1
            return {}
        if timeout_seconds < 10 and draw > 0.8 and answers["silent"] < 4:
            answers["silent"] += 1
            raise unavailable(Settings(), "asking for ids", "a test")
        return result

    monkeypatch.setattr(Cluster, "ids", forgetful)
    bodies, sent = credit_bodies(20_000), 0
    with ingesting(settings_for(database_url, kafka_broker, topic_names, batch_size=100)):
        while min(answers.values()) < 4:
            assert sent < len(bodies), f"the broker answered as it should have: {answers}"
            produce(kafka_broker, topic_names.predictions, bodies[sent : sent + 100])
            sent += 100
            wait_until(lambda least=sent - 300: records(engine) > least, seconds=60)
        wait_until(lambda: records(engine) == sent, seconds=90)
    assert [row.unaccounted for row in offsets_of(engine, topic_names.predictions)] == [0] * 4
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
