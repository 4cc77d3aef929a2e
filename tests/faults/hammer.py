"""The hammer: workers killed and restarted at random under load, while each claim and flush waits for a far Postgres.

Predictions, truths and deployments are produced all the time; afterwards everything in the database is compared with
the topics read from offset 0. `make hammer` runs it for long, tests/faults in short.
"""

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from confluent_kafka import Consumer, Producer, TopicPartition

from monitor.settings import Settings
from monitor.store.engine import make_engine
from monitor.store.offsets import StoredOffset, list_offsets
from tests.models.credit import START, apply_model, credit_event, encoded
from tests.oracle.panes import counted_in_database, recount_topics
from tests.oracle.rows import deployments_in_database, deployments_of_topic, truths_in_database, truths_of_topic
from tests.services.kafka import KafkaBroker
from tests.services.processes import end, last_lines, spawn
from tests.services.slow_proxy import SlowProxy
from tests.services.topics import TopicNames, unique_topic_names

STAGES = ("shadow", "canary", "production")
LOGGED = ("partition.reread", "partition.hole_refused", "partition.hole_accepted", "offset.fenced", "service.lost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blows:
    """How hard, how fast: *pause* seconds between blows, *slow_ms* of each request to Postgres.

    A claim is some five requests, so it takes 20 to 90 ms as with a Postgres in another zone; partitions are then read
    about half a second after they were assigned, when a client that assigned them elsewhere loses fetches.
    """

    seconds: float
    workers: int = 3
    events_per_second: int = 2000
    protocol: str = "classic"
    pause: tuple[float, float] = (0.3, 1.5)
    slow_ms: tuple[float, float] = (2, 10)
    killed: float = 0.3  # share of the blows that are SIGKILL; the others are restarts in order
    seed: int = 1


@dataclass(kw_only=True)
class Outcome:
    """What was done and what came of it; *lost* and *doubled* over all three topics, by offset or row."""

    protocol: str
    seconds: float
    kills: int = 0
    terminations: int = 0
    records: int = 0
    lost: int = 0
    doubled: int = 0
    skipped: int = 0
    unaccounted: int = 0
    differs: list[str] = field(default_factory=list)
    logged: dict[str, int] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        return not (self.lost or self.doubled or self.unaccounted or self.differs)

    def document(self) -> dict[str, object]:
        return {**asdict(self), "exact": self.exact}


class Traffic(threading.Thread):
    """Produces until it is stopped: predictions, two truths for every tenth, a deployment now and then, some twice."""

    def __init__(self, bootstrap: str, names: TopicNames, *, rate: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 10, "message.timeout.ms": 120_000})
        self._names, self._rate, self._chance = names, rate, random.Random(seed)
        self.stop = threading.Event()
        self.left = 0

    def run(self) -> None:
        began, number = time.monotonic(), 0
        while not self.stop.is_set():
            for _ in range(50):
                self._produce(number)
                number += 1
            self._producer.poll(0)
            time.sleep(max(0.0, began + number / self._rate - time.monotonic()))
        self.left = self._producer.flush(120)

    def _produce(self, number: int) -> None:
        key, body, at = credit_event(number, self._chance)
        names, stamp = self._names, START + 10_000_000 + number * 100
        for _ in range(1 + (self._chance.random() < 0.05)):
            self._send(names.predictions, key, body, stamp)
        if self._chance.random() < 0.001:
            self._send(names.predictions, key, b"{", stamp)
        if number % 5 == 0:
            truth = {"prediction_id": f"p-{max(0, number - 400)}", "model": "credit", "timestamp": at, "truth": "1"}
            for _ in range(1 + (self._chance.random() < 0.3)):
                self._send(names.ground_truth, key, encoded(truth), stamp)
        if number % 50 == 0:
            change = {"model": "credit", "version": f"{number}", "timestamp": at, "stage": STAGES[number % 3]}
            self._send(names.deployments, key, encoded(change), stamp)

    def _send(self, topic: str, key: bytes, body: bytes, stamp: int) -> None:
        while True:
            try:
                self._producer.produce(topic, body, key=key, timestamp=stamp)
                return
            except BufferError:
                self._producer.poll(0.1)


class Hammer:
    """One round: three topics and a database of its own, workers as processes behind a slow proxy to Postgres."""

    def __init__(self, broker: KafkaBroker, database_url: str, directory: Path, blows: Blows) -> None:
        self._broker, self._url, self._directory, self._blows = broker, database_url, directory, blows
        self._chance = random.Random(blows.seed)
        self._names = unique_topic_names()
        self._engine = make_engine(database_url)
        self._running: list[subprocess.Popen[bytes] | None] = [None] * blows.workers
        self._log_starts = [0] * blows.workers
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        for name, partitions in (
            (self._names.predictions, 9),
            (self._names.ground_truth, 4),
            (self._names.deployments, 2),
        ):
            self._broker.create_topic(name, partitions=partitions)
        self._broker.create_topic(self._names.wakeups)
        apply_model(self._engine, sample_rate=1.0)
        url = sa.make_url(self._url)
        low, high = self._blows.slow_ms
        proxy = self._closing.enter_context(SlowProxy(url.port or 5432, least_ms=low, most_ms=high))
        slow = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        settings = Settings.model_validate(
            {
                "database_url": slow,
                "kafka_bootstrap": self._broker.bootstrap,
                "kafka_group": self._names.predictions,
                "kafka_group_protocol": self._blows.protocol,
                "predictions_topics": (self._names.predictions,),
                "truths_topics": (self._names.ground_truth,),
                "deployments_topics": (self._names.deployments,),
                "wakeups_topic": self._names.wakeups,
                "session_timeout_ms": 6000,
                "flush_seconds": 0.5,
                "dead_letter_minimum": 100_000,
            }
        )
        (self._directory / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
        self._settings = settings
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            if process is not None:
                end(process, by=signal.SIGKILL, timeout_seconds=10)
        self._closing.close()
        self._engine.dispose()

    def run(self) -> Outcome:
        """Strike for the time given, let the workers finish, compare."""
        outcome = Outcome(protocol=self._blows.protocol, seconds=self._blows.seconds)
        traffic = Traffic(
            self._broker.bootstrap, self._names, rate=self._blows.events_per_second, seed=self._blows.seed
        )
        for place in range(self._blows.workers):
            self._start(place)
        traffic.start()
        self._wait("the first records are counted", lambda: any(row.counters.records for row in self._rows()))
        self._strike(outcome)
        traffic.stop.set()
        traffic.join(150)
        assert traffic.left == 0, f"{traffic.left} records were not accepted by the broker"
        self._wait("every offset is read", lambda: self._behind() == 0)
        for process in self._running:
            if process is not None:
                end(process, by=signal.SIGTERM, timeout_seconds=60)
        self._compare(outcome)
        return outcome

    def _start(self, place: int) -> None:
        log = self._log(place)
        self._log_starts[place] = log.stat().st_size if log.exists() else 0
        command = [sys.executable, "-m", "tests.services.ingest_worker", str(self._directory / "settings.json")]
        self._running[place] = spawn(command, log=log)

    def _log(self, place: int) -> Path:
        return self._directory / f"worker-{place}.log"

    def _victim(self) -> int:
        """Return a worker that has taken partitions over since it started; to strike another one disturbs nobody."""
        deadline = time.monotonic() + 60
        while True:
            results = [
                place
                for place, start in enumerate(self._log_starts)
                if b'"partition.claimed"' in self._log(place).read_bytes()[start:]
            ]
            if results:
                return self._chance.choice(results)
            assert time.monotonic() < deadline, f"no worker took a partition over within 60 s; {self._positions()}"
            time.sleep(0.1)

    def _strike(self, outcome: Outcome) -> None:
        until = time.monotonic() + self._blows.seconds
        while time.monotonic() < until:
            time.sleep(self._chance.uniform(*self._blows.pause))
            place = self._victim()
            process = self._running[place]
            assert process is not None
            assert process.poll() is None, f"a worker ended by itself:\n{last_lines(self._log(place))}"
            if self._chance.random() < self._blows.killed:
                end(process, by=signal.SIGKILL, timeout_seconds=10)
                outcome.kills += 1
            else:
                end(process, by=signal.SIGTERM, timeout_seconds=60)
                outcome.terminations += 1
            self._start(place)

    def _wait(self, what: str, answer: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 180
        while not answer():
            assert time.monotonic() < deadline, f"{what}: not in 180 s; {self._positions()}"
            time.sleep(0.25)

    def _rows(self) -> tuple[StoredOffset, ...]:
        with self._engine.connect() as connection:
            return list_offsets(connection)

    def _behind(self) -> int:
        consumer = Consumer({"bootstrap.servers": self._broker.bootstrap, "group.id": "ends"})
        try:
            return sum(
                consumer.get_watermark_offsets(TopicPartition(row.key.topic, row.key.partition), timeout=10)[1]
                - row.next_offset
                for row in self._rows()
            )
        finally:
            consumer.close()

    def _positions(self) -> str:
        return "; ".join(f"{row.key} at {row.next_offset}, {row.counters.records} records" for row in self._rows())

    def _compare(self, outcome: Outcome) -> None:
        bootstrap, names = self._broker.bootstrap, self._names
        rows = self._rows()
        outcome.records = sum(row.counters.records for row in rows)
        outcome.skipped = sum(row.counters.skipped for row in rows)
        for row in rows:
            outcome.unaccounted += abs(row.unaccounted)
            missing = row.next_offset - row.counters.records - row.counters.skipped
            outcome.lost += max(0, missing)
            outcome.doubled += max(0, -missing)
        if counted_in_database(self._engine) != recount_topics(
            self._engine, bootstrap, names.predictions, settings=self._settings
        ):
            outcome.differs.append("predictions: panes, dead letters or ledger")
        for name, expected, stored in (
            ("truths", truths_of_topic(bootstrap, names.ground_truth), truths_in_database(self._engine)),
            ("deployments", deployments_of_topic(bootstrap, names.deployments), deployments_in_database(self._engine)),
        ):
            lost, doubled = expected - stored, stored - expected  # type: ignore[operator]
            outcome.lost += lost.total()
            outcome.doubled += doubled.total()
            if lost or doubled:
                outcome.differs.append(f"{name}: lost {list(lost)[:3]}, too many {list(doubled)[:3]}")
        text = "".join(path.read_text(errors="replace") for path in self._directory.glob("*.log"))
        outcome.logged = dict(Counter({event: text.count(f'"{event}"') for event in LOGGED}))
        outcome.logged["traceback"] = text.count("Traceback")
