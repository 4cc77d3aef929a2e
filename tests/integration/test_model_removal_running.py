"""A model is removed while ingest, alerter and maintain all work on it: nothing of it stays, nobody else notices."""

import json
import random
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml
from confluent_kafka import Consumer, TopicPartition
from sqlalchemy import Engine

from monitor.settings import Settings
from monitor.store.model_removal import stored_parts
from monitor.store.schema import dead_letter, metadata, model, scale_progress, truth_inbox
from monitor.units import MINUTE_MILLIS
from tests.acceptance.roles import Roles
from tests.faults.role_process import ROLES, RunningRoles, running_roles
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import produce, records
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.soak.events import prediction, reference_table, truth

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

REMOVED, STAYING = "credit", "fraud"
PART = 120  # predictions of each model in a minute of event time, which takes PAUSE_SECONDS
PAUSE_SECONDS = 0.5
PARTITIONS = 4
PAST_MINUTES = 24 * 60
# Every role has written about a model once these have rows of it.
WRITTEN = {"pane", "prediction_ledger", "evaluation", "joined", "performance_evaluation", "transition", "outbox"}
OF_NAMES = {"dead_letter", "dead_letter_count", "discovered_model"}  # of an unknown model, too
SETTINGS = {
    "DRIFTLINE_FLUSH_SECONDS": "0.3",
    "DRIFTLINE_DISORDER_SECONDS": "10",
    "DRIFTLINE_SETTLE_SECONDS": "1",
    "DRIFTLINE_REVISION_SECONDS": "1",
}


class TwoModels(threading.Thread):
    """Drifted predictions of both models with their truths, minute by minute of event time, until it is finished."""

    def __init__(self, broker: KafkaBroker, names: TopicNames) -> None:
        super().__init__(daemon=True)
        self._broker, self._names = broker, names
        self._draw, self._halt = random.Random(1), threading.Event()
        self._minute = time.time_ns() // 1_000_000 // MINUTE_MILLIS * MINUTE_MILLIS - PAST_MINUTES * MINUTE_MILLIS
        self._numbers = iter(range(10_000_000))
        self.written = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._halt.wait(PAUSE_SECONDS):
                self._write()
        except BaseException as failure:
            self.failure = failure
            raise

    def _write(self) -> None:
        predictions, truths = [], []
        for number in range(PART):
            at = self._minute + number * MINUTE_MILLIS // PART
            for name in (REMOVED, STAYING):
                identity = f"p-{next(self._numbers)}"
                event = prediction(self._draw, identity, at, drifting=True)
                predictions.append(json.dumps({**event, "model": name}).encode())
                result = truth(identity, at + 5_000, self._draw.choice((0, 1)))
                truths.append(json.dumps({**result, "model": name}).encode())
        self._draw.shuffle(predictions)  # so that each partition has both
        for topic, bodies in ((self._names.predictions, predictions), (self._names.ground_truth, truths)):
            produce(self._broker, topic, bodies, partitions=PARTITIONS, at=self._minute)
            self.written += len(bodies)
        self._minute += MINUTE_MILLIS

    def finish(self) -> int:
        """Stop, and return how many records there are."""
        self._halt.set()
        self.join(60)
        assert self.failure is None
        assert not self.is_alive()
        return self.written


def apply_models(roles: Roles) -> None:
    """Apply both, compared with a calm past, each with a receiver and a floor of its accuracy."""
    roles.directory.mkdir(parents=True)
    pq.write_table(reference_table(), roles.directory / "past.parquet")
    for name in (REMOVED, STAYING):
        roles.run(
            "init", "--reference", "past.parquet", "--model", name, "--score", "score", "--truth", "repaid",
            "--segment", "region:region", "--scales", "4m/1m", "--sample-rate", "1",
        )  # fmt: skip
        path = roles.directory / f"{name}.yaml"
        document = yaml.safe_load(path.read_text())
        # events of yesterday page nobody otherwise
        document["alerting"] = {"freshness": "7d", "receivers": [{"name": "team", "type": "log"}]}
        path.write_text(yaml.safe_dump(document))
        roles.run("apply", path.name)


def ids(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {row.name: row.id for row in connection.execute(sa.select(model.c.name, model.c.id))}


def tables_of(engine: Engine, model_id: int) -> set[str]:
    with engine.connect() as connection:
        return {part.table for part in stored_parts(connection, model_id)}


def judged_until(engine: Engine, model_id: int) -> int:
    query = sa.select(sa.func.max(scale_progress.c.evaluated_until)).where(scale_progress.c.model_id == model_id)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar() or 0)


def parked(engine: Engine) -> dict[tuple[str, int, int], str]:
    """Return why each record of the removed model that is a dead letter is one, by its place."""
    query = sa.select(dead_letter).where(dead_letter.c.model == REMOVED)
    with engine.connect() as connection:
        return {(row.topic, row.partition, row.offset): row.reason for row in connection.execute(query)}


def rows_left(engine: Engine, model_id: int) -> dict[str, int]:
    """Return how many rows each table has that are of the model by its id, or of no model that exists."""
    left: dict[str, int] = {}
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            conditions: list[sa.ColumnElement[bool] | sa.TextClause] = []
            if "model_id" in table.c:
                conditions.append(table.c.model_id == model_id)
            if "series_id" in table.c:
                conditions.append(sa.text(f"{table.name}.series_id NOT IN (SELECT id FROM series)"))  # noqa: S608
            if table.name == "endpoint":
                conditions.append(table.c.name.startswith(f"{REMOVED}/"))
            if not conditions or table.name in OF_NAMES:
                continue
            count = sa.select(sa.func.count()).select_from(table).where(sa.or_(*conditions))
            if result := connection.execute(count).scalar_one():
                left[table.name] = result
    return left


def ends(broker: KafkaBroker, topic: str) -> dict[int, int]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "looks"})
    try:
        return {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
            for number in range(PARTITIONS)
        }
    finally:
        consumer.close()


def assert_undisturbed(running: RunningRoles, roles: Roles) -> None:
    """Every process is the one that was started, healthy, and said nothing that it should not."""
    running.wait_until_healthy()
    for role in ROLES:
        assert roles.running[role].poll() is None, role
        assert running.count(role, "role.started") == 1
        wrong = [
            event for event in running.events(role)
            if event["event"] == "stray line" or event.get("level") in ("error", "critical")
        ]  # fmt: skip
        assert wrong == [], role


def test_a_model_is_removed_under_all_roles(
    tmp_path: Path, engine: Engine, database_url: str, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Its traffic never ends: no row of it is left, later records are parked, the other model equals the topics."""
    roles = Roles(tmp_path / "roles", database_url, kafka_broker.bootstrap, topic_names, SETTINGS)
    apply_models(roles)
    known = ids(engine)
    traffic = TwoModels(kafka_broker, topic_names)
    with running_roles(roles) as running:
        traffic.start()
        for name in (REMOVED, STAYING):
            running.wait_until(
                lambda name=name: tables_of(engine, known[name]) >= WRITTEN, f"all of {name}", seconds=120
            )
        printed = roles.run("models", "remove", REMOVED, "--yes")
        assert f"{REMOVED} is removed" in printed
        assert rows_left(engine, known[REMOVED]) == {}
        later = {topic: ends(kafka_broker, topic) for topic in (topic_names.predictions, topic_names.ground_truth)}
        before = judged_until(engine, known[STAYING])
        running.wait_until(
            lambda: judged_until(engine, known[STAYING]) >= before + 10 * MINUTE_MILLIS,
            "the other model's next windows",
        )
        total = traffic.finish()
        running.wait_until(lambda: records(engine) == total, "every record")
        running.wait_until(lambda: _inbox(engine) == 0, "the truths of the other model")
        assert_undisturbed(running, roles)
    assert ids(engine) == {STAYING: known[STAYING]}
    assert rows_left(engine, known[REMOVED]) == {}
    settings = Settings(
        predictions_topics=(topic_names.predictions,), truths_topics=(topic_names.ground_truth,), disorder_seconds=10
    )
    recounted = recount_topics(
        engine, kafka_broker.bootstrap, topic_names.predictions, settings=settings, span_minutes=60
    )
    stored = counted_in_database(engine, span_minutes=60)
    assert (stored.panes, stored.ledger, stored.unseen) == (recounted.panes, recounted.ledger, recounted.unseen)
    letters = parked(engine)
    assert set(letters.values()) == {"parked"}
    sent = {place for place in recounted.dead if place[2] >= later[place[0]][place[1]]}
    assert len(sent) > PART
    assert sent - letters.keys() == set()
    assert any(topic == topic_names.ground_truth for topic, _, _ in letters)


def _inbox(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(truth_inbox)).scalar_one())
