"""Records in, ingest workers on them, and how far they read."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from sqlalchemy import Engine

from consumers.worker import run_ingest
from monitor.settings import Settings
from monitor.store.offsets import StoredOffset, list_offsets
from monitor.types import PartitionKey
from tests.models.credit import START
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until


def settings_for(database_url: str, broker: KafkaBroker, names: TopicNames, **changes: object) -> Settings:
    chosen: dict[str, object] = {
        "database_url": database_url,
        "kafka_bootstrap": broker.bootstrap,
        "kafka_group": names.predictions,
        "predictions_topics": (names.predictions,),
        "truths_topics": (names.ground_truth,),
        "deployments_topics": (names.deployments,),
        "wakeups_topic": names.wakeups,
        "session_timeout_ms": 6000,
        "flush_seconds": 0.2,
        "batch_size": 500,
    }
    return Settings.model_validate(chosen | changes)


@contextmanager
def ingesting(settings: Settings, **hooks: Any) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=run_ingest, args=(settings,), kwargs={"stop": stop, **hooks})
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def records(engine: Engine) -> int:
    with engine.connect() as connection:
        return sum(offset.counters.records for offset in list_offsets(connection))


def produce(broker: KafkaBroker, topic: str, bodies: list[bytes], *, partitions: int = 4, at: int = START) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for number, body in enumerate(bodies):
        producer.produce(topic, body, partition=number % partitions, timestamp=at + 10_000_000)
    assert producer.flush(30) == 0


def offsets_of(engine: Engine, topic: str) -> list[StoredOffset]:
    with engine.connect() as connection:
        return [offset for offset in list_offsets(connection) if offset.key.topic == topic]


def ends_of(broker: KafkaBroker, topic: str) -> dict[PartitionKey, int]:
    """Return the broker's end offset of every partition of *topic*; a restarted one needs a moment until it leads."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "ends"})
    ends: dict[PartitionKey, int] = {}

    def all_known() -> bool:
        try:
            for number in sorted(consumer.list_topics(topic, timeout=30).topics[topic].partitions):
                place = TopicPartition(topic, number)
                ends[PartitionKey(topic, number)] = consumer.get_watermark_offsets(place, timeout=30)[1]
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            return False
        return True

    try:
        wait_until(all_known, f"the ends of {topic}")
    finally:
        consumer.close()
    return ends


def unread(engine: Engine, ends: Mapping[PartitionKey, int]) -> str:
    """Return which partitions are not read to their *ends*, and what their rows say; empty: all are."""
    with engine.connect() as connection:
        rows = {row.key: row for row in list_offsets(connection)}
    behind = [rows[key] for key, end in ends.items() if rows[key].next_offset < end]
    return "; ".join(
        f"{row.key} at {row.next_offset:,} of {ends[row.key]:,}, epoch {row.epoch}, heartbeat {row.heartbeat_at},"
        f" at its end as its worker sees it: {row.caught_up}, stopped: {row.paused_reason}"
        for row in behind
    )


@contextmanager
def ingest_process(settings: Settings, directory: Path, *, failpoint: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Give a running ingest as a process of its own, killed at the end; *failpoint* as `monitor.failpoint` says."""
    config = directory / "settings.json"
    config.write_text(settings.model_dump_json())
    environment = {**os.environ, **({"DRIFTLINE_FAILPOINT": failpoint} if failpoint else {})}
    process = subprocess.Popen([sys.executable, "-m", "tests.services.ingest_worker", str(config)], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
