"""F5: the broker is restarted in order and killed under load; nothing is lost and nothing counted twice."""

import threading
import time
from collections import Counter
from functools import partial

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

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(480)]


class Load(threading.Thread):
    """Produces the bodies one after the other until all are accepted, whatever the broker goes through.

    A client's queue that is empty does not say so: a record that it gave up has left it, too. Such a record is sent
    again, as a producer that cares for its events would; *refusals* says why. So is what a client holds that has lost
    all brokers for good (librdkafka's issue 5301), by a new one; *replaced* counts these.
    """

    def __init__(self, bootstrap: str, topic: str, bodies: list[bytes]) -> None:
        super().__init__(daemon=True)
        self._settings = {"bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": True, "log_level": 0}
        self._producer = Producer(self._settings)
        self._topic, self._bodies = topic, bodies
        self._waiting = dict.fromkeys(range(len(bodies)))
        self.replaced = 0
        self.refusals: Counter[str] = Counter()

    @property
    def accepted(self) -> int:
        return len(self._bodies) - len(self._waiting)

    def run(self) -> None:
        for number in range(len(self._bodies)):
            self._send(number)
            time.sleep(0.003)
        while self._waiting:
            before = len(self._waiting)
            self._producer.flush(30)
            if len(self._waiting) == before:
                self.replaced += 1
                self._producer = Producer(self._settings)
                for number in tuple(self._waiting):
                    self._send(number)

    def _send(self, number: int) -> None:
        self._producer.produce(
            self._topic,
            self._bodies[number],
            partition=number % 4,
            timestamp=START + 10_000_000,
            on_delivery=partial(self._delivered, number),
        )
        self._producer.poll(0)

    def _delivered(self, number: int, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self._waiting.pop(number, None)
            return
        self.refusals[error.str()] += 1
        self._send(number)


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
        load.join(240)
        story = f"accepted {load.accepted} of {len(bodies)}, refused {load.refusals}, clients replaced {load.replaced}"
        assert load.accepted == len(bodies), story
        ends = ends_of(kafka_broker, topic_names.predictions)
        # A record that the client gave up although the broker has it is there twice: not the bodies count, the ends do.
        assert sum(ends.values()) >= load.accepted, f"{story}, holds {ends}"
        wait_until(
            lambda: not unread(engine, ends),
            lambda: f"the rest of {ends}: {unread(engine, ends)}; {story}; health: {health.reason}",
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
