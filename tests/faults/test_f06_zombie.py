"""F6: a worker frozen past its session comes back with an unflushed batch; it is refused, says so, and drops it."""

import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from confluent_kafka import Producer
from sqlalchemy import Engine

from monitor.settings import Settings
from monitor.store.offsets import StoredOffset, list_offsets
from tests.models.credit import START, apply_credit_model, credit_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import offsets_of, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.processes import end, spawn
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
FREEZES = 4


def steady(bootstrap: str, topic: str, bodies: list[bytes], stop: threading.Event) -> list[bytes]:
    """Produce *bodies* at 400 a second until all are sent or *stop*; return those that were."""
    producer, sent = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5}), []
    for number, body in enumerate(bodies):
        if stop.is_set():
            break
        producer.produce(topic, body, partition=number % 4, timestamp=START + 10_000_000)
        sent.append(body)
        producer.poll(0)
        time.sleep(0.0025)
    assert producer.flush(60) == 0
    return sent


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_zombie_is_refused_and_drops_its_memory(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path, protocol: str
) -> None:
    """Frozen with records in memory until another worker has its partitions: `offset.fenced`, and the oracle agrees."""
    apply_credit_model(engine)
    topic = topic_names.predictions
    only = {"truths_topics": (), "deployments_topics": ()}
    settings: Settings = settings_for(
        database_url, kafka_broker, topic_names, flush_seconds=2.0, kafka_group_protocol=protocol, **only
    )
    (tmp_path / "settings.json").write_text(settings.model_dump_json())
    command = [sys.executable, "-m", "tests.services.ingest_worker", str(tmp_path / "settings.json")]
    stop, sent = threading.Event(), list[bytes]()
    load = threading.Thread(
        target=lambda: sent.extend(steady(kafka_broker.bootstrap, topic, credit_bodies(60_000), stop))
    )
    logs = {name: tmp_path / f"{name}.log" for name in ("a", "b")}
    workers = {"a": spawn(command, log=logs["a"])}
    try:
        load.start()
        wait_until(lambda: records(engine) > 0)
        workers["b"] = spawn(command, log=logs["b"])
        wait_until(lambda: "partition.claimed" in logs["b"].read_text(), seconds=60)  # each has some of them now
        for _ in range(FREEZES):
            before = {row.key: row.epoch for row in list_of(engine)}
            time.sleep(1)  # most of a flush's records are in memory now
            workers["a"].send_signal(signal.SIGSTOP)
            wait_until(lambda before=before: any(row.epoch > before[row.key] for row in list_of(engine)), seconds=60)
            workers["a"].send_signal(signal.SIGCONT)
            seen = records(engine)
            wait_until(lambda seen=seen: records(engine) > seen + 500, seconds=60)
            if "offset.fenced" in logs["a"].read_text():
                break
        stop.set()
        load.join(90)
        wait_until(lambda: records(engine) == len(sent), seconds=90)
    finally:
        stop.set()
        for worker in workers.values():
            end(worker, by=signal.SIGTERM, timeout_seconds=30)
    assert "offset.fenced" in logs["a"].read_text()
    assert [row.unaccounted for row in offsets_of(engine, topic)] == [0] * 4
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic)


def list_of(engine: Engine) -> tuple[StoredOffset, ...]:
    with engine.connect() as connection:
        return list_offsets(connection)
