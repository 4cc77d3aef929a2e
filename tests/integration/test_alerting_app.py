"""The alerter as it runs: wake-ups through Faust on a real Kafka and the embedded broker; broker or database away."""

import base64
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Producer
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.app import run_alerter
from alerting.faust_listener import Listener, consumer_group
from monitor.health import Health
from monitor.settings import Settings
from tests.fakes.receiver import Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import SECRET_ENV, action, apply_story
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.processes import free_port
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

T0 = 1_780_000_200_000
SECRET = secrets.token_bytes(32)


@contextmanager
def listening(settings: Settings) -> Iterator[set[str]]:
    """Give the set of names that a listener was woken for."""
    woken: set[str] = set()
    failures: list[str] = []
    with Listener(settings, wake=woken.add, on_failure=failures.append, health=Health()):
        yield woken
    assert failures == []


def produce_until(woken: set[str], producer: Producer, topic: str, names: set[str]) -> None:
    """Produce wake-ups until all arrived: what was sent before the group had its partitions is rightly not read."""

    def all_arrived() -> bool:
        for name in names:
            producer.produce(topic, key=name.encode(), value=b"")
        producer.flush(5)
        time.sleep(0.3)
        return names <= woken

    wait_until(all_arrived, what="the wake-ups", seconds=60)


def test_wake_ups_arrive_from_a_real_kafka(kafka_broker: KafkaBroker, topic_names: TopicNames) -> None:
    """Keys of every partition reach the alerter, known models or not."""
    settings = Settings(
        kafka_bootstrap=kafka_broker.bootstrap, wakeups_topic=topic_names.wakeups, kafka_group=topic_names.wakeups
    )
    names = {f"model-{index}" for index in range(12)} | {"project/credit"}
    with listening(settings) as woken:
        produce_until(woken, Producer({"bootstrap.servers": kafka_broker.bootstrap}), topic_names.wakeups, names)


def test_wake_ups_arrive_from_the_embedded_broker() -> None:
    """The same on librdkafka's mock cluster, which the demo runs on."""
    producer = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
    metadata = producer.list_topics("driftline.wakeups", timeout=10)
    broker = next(iter(metadata.brokers.values()))
    settings = Settings(kafka_bootstrap=f"{broker.host}:{broker.port}")
    assert consumer_group(settings) == "driftline-alerter"
    with listening(settings) as woken:
        produce_until(woken, producer, "driftline.wakeups", {"credit"})


def test_wake_ups_go_on_after_a_broker_restart(kafka_broker: KafkaBroker, topic_names: TopicNames) -> None:
    """The broker is killed and started again under a listener; and a stop without a broker takes seconds."""
    settings = Settings(
        kafka_bootstrap=kafka_broker.bootstrap, wakeups_topic=topic_names.wakeups, kafka_group=topic_names.wakeups
    )
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "log_level": 0})
    with listening(settings) as woken:
        produce_until(woken, producer, topic_names.wakeups, {"before"})
        kafka_broker.kill()
        kafka_broker.start()
        produce_until(woken, producer, topic_names.wakeups, {"after"})
        kafka_broker.kill()
        began = time.monotonic()
    took = time.monotonic() - began
    kafka_broker.start()
    assert took < 30  # librdkafka and Faust would wait for minutes


@dataclass
class Running:
    """One alerter in a thread."""

    settings: Settings
    stop: threading.Event = field(default_factory=threading.Event)
    health: Health = field(default_factory=Health)

    def __enter__(self) -> "Running":
        self._thread = threading.Thread(
            target=run_alerter, args=(self.settings,), kwargs={"stop": self.stop, "health": self.health}
        )
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the alerter did not stop"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setitem(os.environ, SECRET_ENV, "whsec_" + base64.b64encode(SECRET).decode())
    with receiver(SECRET) as running:
        yield running


def decide(engine: Engine, hook: Receiver, *, model: str) -> None:
    applied = apply_story(engine, model=model, retraining=action("auto", hook.url), alerting="freshness: 9999d")
    story = ScriptedEvaluator()
    story.play(applied, "a", start=T0)
    assert advance_model(engine, applied, story, Settings()).granted == 1


def settings_without_broker(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        kafka_bootstrap=f"127.0.0.1:{free_port()}",
        sweep_seconds=0.2,
        delivery_seconds=0.1,
        delivery_timeout_seconds=2,
    )


def test_without_a_broker_it_sweeps_and_delivers_all_the_same(
    engine: Engine, database_url: str, hook: Receiver
) -> None:
    """Wake-ups only save time: what was decided is sent while no broker answers, and a stop is obeyed."""
    decide(engine, hook, model="credit")
    with Running(settings_without_broker(database_url)) as alerter:
        hook.wait_for(lambda receiver: len(receiver.requests) == 1)
        wait_until(lambda: "turn" in alerter.health.ages and alerter.health.reason is None, what="a sweep")
        wait_until(lambda: "Kafka at" in " ".join(alerter.health.notices), what="a notice of the broker")
    assert hook.requests[0].verified


def test_it_recovers_when_the_database_comes_back(
    engine: Engine, database_url: str, postgres_server: PostgresServer, hook: Receiver
) -> None:
    """Postgres is stopped at once and started again: health says so meanwhile, and the next decision is sent."""
    decide(engine, hook, model="before")
    with Running(settings_without_broker(database_url)) as alerter:
        hook.wait_for(lambda receiver: len(receiver.requests) == 1)
        postgres_server.stop("immediate")
        try:
            wait_until(lambda: bool(alerter.health.reason), what="an unhealthy report")
        finally:
            postgres_server.start()
        engine.dispose()
        decide(engine, hook, model="after")
        hook.wait_for(lambda receiver: len(receiver.identifiers) == 2)
        wait_until(lambda: alerter.health.reason is None, what="a healthy report")
