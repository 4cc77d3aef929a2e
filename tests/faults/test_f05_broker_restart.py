"""F5: the broker is restarted in order and killed under load; nothing is lost and nothing counted twice."""

import threading
import time
from collections import Counter

import pytest
from confluent_kafka import KafkaError, Message, Producer
from sqlalchemy import Engine

from monitor.health import Health
from tests.models.credit import START, apply_credit_model, credit_bodies, good_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ends_of, ingesting, offsets_of, produce, records, settings_for, unread
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


class Load(threading.Thread):
    """Produces the bodies one after the other until all are accepted, whatever the broker goes through.

    A client's queue that is empty does not say so: a record that it gave up has left it, too. Such a record is sent
    again, as a producer that cares for its events would; *refusals* says why.
    """

    def __init__(self, bootstrap: str, topic: str, bodies: list[bytes]) -> None:
        super().__init__(daemon=True)
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": True, "log_level": 0}
        )
        self._topic, self._bodies = topic, bodies
        self.accepted = 0
        self.refusals: Counter[str] = Counter()

    def run(self) -> None:
        for number, body in enumerate(self._bodies):
            self._send(body, partition=number % 4)
            time.sleep(0.003)
        self._producer.flush(120)

    def _send(self, body: bytes, *, partition: int) -> None:
        self._producer.produce(
            self._topic, body, partition=partition, timestamp=START + 10_000_000, on_delivery=self._delivered
        )
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.accepted += 1
            return
        self.refusals[error.str()] += 1
        self._send(message.value() or b"", partition=message.partition() or 0)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_restarted_broker_loses_and_doubles_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, protocol: str
) -> None:
    """An orderly restart, a kill, a freeze of some seconds, all while records are produced and counted."""
    apply_credit_model(engine)
    bodies, health = credit_bodies(5000), Health()
    settings = settings_for(database_url, kafka_broker, topic_names, kafka_group_protocol=protocol)
    load = Load(kafka_broker.bootstrap, topic_names.predictions, bodies)
    with ingesting(settings, health=health) as worker:
        load.start()
        wait_until(lambda: records(engine) > 0)
        kafka_broker.restart()
        time.sleep(1)
        kafka_broker.kill()
        kafka_broker.start()
        time.sleep(1)
        kafka_broker.pause()
        time.sleep(4)
        kafka_broker.resume()
        load.join(180)
        assert load.accepted == len(bodies), f"accepted {load.accepted} of {len(bodies)}, refused {load.refusals}"
        ends = ends_of(kafka_broker, topic_names.predictions)
        # A record that the client gave up although the broker has it is there twice: not the bodies count, the ends do.
        assert sum(ends.values()) >= load.accepted, f"accepted {load.accepted}, refused {load.refusals}, holds {ends}"
        wait_until(
            lambda: not unread(engine, ends),
            lambda: f"the rest of {ends}: {unread(engine, ends)}; refused {load.refusals}; health: {health.reason}",
            seconds=120,
        )
        assert worker.is_alive()
    assert records(engine) == sum(ends.values())
    assert [row.unaccounted for row in offsets_of(engine, topic_names.predictions)] == [0] * 4
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)


def test_a_client_that_is_cut_off_is_replaced(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is silent though the broker answers others: a new one takes the partitions over, each record counts once.

    The real thing needs an answer without brokers at an unlucky moment; here its statistics are read as without any.
    """
    apply_credit_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names)

    def epochs() -> set[int]:
        return {row.epoch for row in offsets_of(engine, topic_names.predictions)}

    def silent_until_replaced(statistics: str) -> float | None:
        return None if epochs() == {1} else 0.0

    monkeypatch.setattr("consumers.outages.CUT_OFF_SECONDS", 8.0)  # its statistics come every five
    monkeypatch.setattr("consumers.kafka.consumer.seconds_of_silence", silent_until_replaced)
    produce(kafka_broker, topic_names.predictions, good_bodies(0, 400))
    with ingesting(settings) as worker:
        wait_until(lambda: records(engine) == 400)
        wait_until(lambda: min(epochs()) > 1, "another client that takes the partitions over")
        produce(kafka_broker, topic_names.predictions, good_bodies(400, 400))
        wait_until(lambda: records(engine) == 800)
        assert worker.is_alive()
    assert [row.unaccounted for row in offsets_of(engine, topic_names.predictions)] == [0] * 4
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
