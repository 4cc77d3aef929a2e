"""Workers are killed, frozen and cut off from Postgres at random; the database still equals the topic, bit by bit."""

import json
import random
import signal
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from confluent_kafka import Producer

from monitor.store.engine import make_engine
from monitor.store.schema import input_offset
from tests.acceptance.roles import Roles
from tests.factories import apply_credit_model, credit_event
from tests.oracle import counted_in_database, recount_topics
from tests.services.databases import fresh_database
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import create_topics, unique_topic_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
EVENTS = 120_000
KILLS = 20
RESTARTS_AT_KILL = {5, 10, 15}
ZOMBIE_AT_KILL = 4


class Traffic(threading.Thread):
    """Produces events, some of them twice, some shuffled, some broken, until all are sent."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        self.topic = topic
        self.sent = 0

    def run(self) -> None:
        random_ = random.Random(11)
        for number in range(EVENTS):
            key, value, millis = credit_event(number, random_)
            for _ in range(1 + (random_.random() < 0.05)):
                self.producer.produce(self.topic, value, key=key, timestamp=millis)
                self.sent += 1
            if number % 1000 == 0:
                self.producer.produce(self.topic, b'{"prediction_id": 7', key=key, timestamp=millis)
                self.producer.flush(10)
                self.sent += 1
                time.sleep(0.45)
        self.producer.flush(30)


def test_nothing_is_lost_or_counted_twice(
    kafka_broker: KafkaBroker, postgres_server: PostgresServer, template_database: str, tmp_path: Path
) -> None:
    """20 kills of one of two workers, three immediate restarts of Postgres, one zombie past its session."""
    names = unique_topic_names()
    create_topics(kafka_broker, names, partitions=4)
    settings = {
        "DRIFTLINE_SESSION_TIMEOUT_MS": "6000",
        "DRIFTLINE_FLUSH_SECONDS": "1.5",
    }  # a killed or frozen worker holds an unflushed batch
    with (
        fresh_database(postgres_server, template=template_database) as url,
        Roles(tmp_path, url, kafka_broker.bootstrap, names, settings) as roles,
    ):
        engine = make_engine(url)
        try:
            apply_credit_model(engine)
            traffic = Traffic(kafka_broker.bootstrap, names.predictions)
            for worker in ("a", "b"):
                roles.start(worker, "ingest")
            traffic.start()
            _disturb(roles, postgres_server)
            traffic.join(240)
            assert not traffic.is_alive()
            try:
                roles.wait_until("every record taken", lambda: _records(engine) == traffic.sent, timeout_seconds=120)
            except AssertionError as error:
                raise AssertionError(f"{_positions(engine)}, {traffic.sent:,} sent; {error}") from error
            for worker in ("a", "b"):
                roles.stop(worker)
            assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, names.predictions)
            logs = "".join(each.read_text() for each in tmp_path.glob("*.log"))
            assert "offset.fenced" in logs, "the zombie should have been refused"
        finally:
            engine.dispose()


def _disturb(roles: Roles, postgres_server: PostgresServer) -> None:
    random_ = random.Random(23)
    for kill in range(KILLS):
        worker = random_.choice(("a", "b"))
        time.sleep(random_.uniform(0.2, 2.0))
        if kill == ZOMBIE_AT_KILL:
            worker = _holder(roles)
            roles.running[worker].send_signal(signal.SIGSTOP)
            time.sleep(9)  # past the session of 6 s: the other worker has its partitions by now
            roles.running[worker].send_signal(signal.SIGCONT)
            time.sleep(3)
        roles.stop(worker, by=signal.SIGKILL)
        roles.start(worker, "ingest")
        if kill in RESTARTS_AT_KILL:
            postgres_server.restart("immediate")


def _holder(roles: Roles) -> str:
    """Return a worker that holds a partition of the predictions, once the sessions of those killed are over."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        for worker in ("a", "b"):
            if _held(roles.directory / f"{worker}.log", roles.topics.predictions):
                time.sleep(1.0)  # traffic goes on: it has an unflushed batch by now
                return worker
        time.sleep(0.25)
    raise AssertionError("expected a worker to hold a partition of the predictions, found none in 60 s")


def _held(path: Path, topic: str) -> set[str]:
    """Return the partitions of *topic* that the worker with this log has taken over since it started."""
    held: set[str] = set()
    for line in path.read_text().splitlines():
        if not (line.startswith("{") and line.endswith("}")):
            continue
        event = json.loads(line)
        if event["event"] == "role.started":
            held.clear()
        elif event["event"] == "partition.claimed" and event["partition"].startswith(topic):
            held.add(event["partition"])
        elif event["event"] == "partitions.released":
            held -= set(event["partitions"])
    return held


def _positions(engine: sa.Engine) -> str:
    """Return where each partition stands: one that stands still was not read, one at its end skipped something."""
    p = input_offset.c
    with engine.connect() as connection:
        rows = connection.execute(sa.select(p.partition, p.next_offset, p.records, p.epoch).order_by(p.partition))
        return "; ".join(f"partition {each[0]} at {each[1]:,}, {each[2]:,} records, epoch {each[3]}" for each in rows)


def _records(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.sum(input_offset.c.records))).scalar() or 0)
