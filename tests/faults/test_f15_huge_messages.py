"""F15, messages of 1, 10 and 50 MB: refused before they are parsed, memory flat, the stream goes on."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from sqlalchemy import Engine

from monitor.store.schema import dead_letter
from tests.faults.resident import resident_megabytes
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.services.ingest import ingest_process, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
MEGABYTE = 1_000_000
HUGE = [50] * 8 + [10] * 20 + [2] * 50  # 700 MB
ALLOWED_MEGABYTES = 300
"""More than an idle worker has: what the client fetches ahead (32 MB) and holds at once, some copies of 50 MB."""


def allow_huge(broker: KafkaBroker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    entry = ConfigEntry("max.message.bytes", str(60 * MEGABYTE), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


def produce_huge(broker: KafkaBroker, topic: str) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 60 * MEGABYTE, "linger.ms": 0})
    for size in HUGE:  # one after the other: the test need not hold them all
        producer.produce(topic, b"{" + b" " * (size * MEGABYTE), partition=0, timestamp=START + 10_000_000)
        assert producer.flush(60) == 0


@contextmanager
def frozen(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("meanwhile", [nullcontext, frozen], ids=["as they come", "all at once"])
def test_huge_messages_are_refused_unread_and_memory_stays_flat(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    tmp_path: Path,
    meanwhile: Callable[[subprocess.Popen[bytes]], AbstractContextManager[object]],
) -> None:
    """700 MB of them in one partition: dead letters of no bytes; what comes before, next to them and after counts.

    Those that are all there already come as fast as the client can fetch them.
    """
    apply_model(engine)
    topic = topic_names.predictions
    allow_huge(kafka_broker, topic)
    good = [encoded(prediction_event(number, at=START + number)) for number in range(800)]
    settings = settings_for(database_url, kafka_broker, topic_names, flush_seconds=1.0, flush_events=50_000)
    with ingest_process(settings, tmp_path) as process:
        produce(kafka_broker, topic, good[:400])
        wait_until(lambda: records(engine) == 400)
        before = resident_megabytes(process.pid)
        with meanwhile(process):
            produce_huge(kafka_broker, topic)
        produce(kafka_broker, topic, good[400:])
        wait_until(lambda: records(engine) == 800 + len(HUGE), seconds=150)
        highest = resident_megabytes(process.pid)
    assert highest - before < ALLOWED_MEGABYTES, f"resident memory rose from {before:.0f} to {highest:.0f} MB"
    assert sum(row.counters.counted for row in offsets_of(engine, topic)) == 800
    with engine.connect() as connection:
        letters = connection.execute(sa.select(dead_letter)).all()
    assert {letter.reason for letter in letters} == {"too_large"}
    assert sorted(letter.size for letter in letters) == sorted(size * MEGABYTE + 1 for size in HUGE)
    assert all(letter.value is None for letter in letters)
