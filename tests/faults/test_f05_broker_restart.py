"""F5: the broker is restarted in order and killed under load; nothing is lost and nothing counted twice."""

import threading
import time

import pytest
from confluent_kafka import Producer
from sqlalchemy import Engine

from tests.models.credit import START, apply_credit_model, credit_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, offsets_of, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


class Load(threading.Thread):
    """Produces the bodies one after the other until all are accepted, whatever the broker goes through."""

    def __init__(self, bootstrap: str, topic: str, bodies: list[bytes]) -> None:
        super().__init__(daemon=True)
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": 5, "enable.idempotence": True, "log_level": 0}
        )
        self._topic, self._bodies = topic, bodies
        self.left = len(bodies)

    def run(self) -> None:
        for number, body in enumerate(self._bodies):
            self._producer.produce(self._topic, body, partition=number % 4, timestamp=START + 10_000_000)
            self._producer.poll(0)
            time.sleep(0.003)
        self.left = self._producer.flush(120)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_restarted_broker_loses_and_doubles_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, protocol: str
) -> None:
    """An orderly restart, a kill, a freeze of some seconds, all while records are produced and counted."""
    apply_credit_model(engine)
    bodies = credit_bodies(5000)
    settings = settings_for(database_url, kafka_broker, topic_names, kafka_group_protocol=protocol)
    load = Load(kafka_broker.bootstrap, topic_names.predictions, bodies)
    with ingesting(settings) as worker:
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
        assert load.left == 0, f"{load.left} records were never accepted by the broker"
        wait_until(lambda: records(engine) >= len(bodies), seconds=120)
        assert worker.is_alive()
    assert [row.unaccounted for row in offsets_of(engine, topic_names.predictions)] == [0] * 4
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
