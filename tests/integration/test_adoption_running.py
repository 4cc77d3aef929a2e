"""Adopting while ingest and the alerter run: other cells count from their minute on, and nobody restarts anything."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa
from confluent_kafka import Producer
from sqlalchemy import Engine

from driftline.cli.reference.build import build
from monitor.clock import iso_utc, now_millis
from monitor.reference.profile import decode_profile, encode_profile
from monitor.store.evaluations import stored_result
from monitor.store.schema import cells, configuration, evaluation, pane
from monitor.types import Verdict
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from tests.acceptance.roles import Roles
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

SPEC = """
model: credit
task: binary_classification
reference: credit.reference
columns: {x: {kind: numeric}}
prediction: {score: true}
windows: {min_events: 100, scales: [{length: 4m, step: 1m}, {length: 10m, step: 1m}]}
"""
EVENTS_A_MINUTE = 60


def write_reference(directory: Path, *, seed: int, name: str) -> None:
    random = np.random.default_rng(seed)
    table = pa.table({"x": random.normal(size=5000), "score": random.uniform(size=5000)})
    pyarrow.parquet.write_table(table, directory / "t.parquet")
    build(spec=directory / "credit.yaml", table=directory / "t.parquet", output=directory / name)


@pytest.fixture
def roles(kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, tmp_path: Path) -> Iterator[Roles]:
    """An applied model with ingest and alerter running."""
    (tmp_path / "credit.yaml").write_text(SPEC)
    write_reference(tmp_path, seed=1, name="credit.reference")
    write_reference(tmp_path, seed=2, name="other.reference")
    with Roles(tmp_path, database_url, kafka_broker.bootstrap, topic_names) as running:
        running.run("apply", "credit.yaml")
        running.start("ingest", "ingest")
        running.start("alerter", "alerter", DRIFTLINE_SWEEP_SECONDS="1")
        yield running


def produce(roles: Roles, first: int, minutes: int) -> None:
    """Send a stationary stream from *first* (ms) on, Kafka's time being the event's own."""
    producer = Producer({"bootstrap.servers": roles.bootstrap})
    random = np.random.default_rng(first // MINUTE_MILLIS)
    for number in range(minutes * EVENTS_A_MINUTE):
        at = first + number * (MINUTE_MILLIS // EVENTS_A_MINUTE)
        event = {
            "prediction_id": f"{at}",
            "model": "credit",
            "version": "1",
            "timestamp": iso_utc(at),
            "features": {"x": float(random.normal())},
            "prediction": {"score": float(random.uniform())},
        }
        # One partition: in four, the slowest would hold the watermark back a little and make the test wait.
        producer.produce(roles.topics.predictions, json.dumps(event).encode(), partition=0, timestamp=at)
    assert producer.flush(30) == 0


def judged(engine: Engine, length: int) -> dict[int, tuple[int, Verdict, str]]:
    """By window end: reference, verdict, reason."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(evaluation, cells.c.column_names)
            .join(cells, cells.c.id == evaluation.c.cells_id)
            .where(evaluation.c.length == length, evaluation.c.revision == 0)
        )
        return {
            row.window_end: (
                row.reference_id,
                Verdict(row.verdict),
                stored_result(row.packed, row.result, row.column_names).reason,
            )
            for row in rows
        }


def move_back(engine: Engine, cells_id: int, *, to: int) -> None:
    """Let new cells count from *to* (ms) on, as if adopted long ago: no event may be ahead of the clock."""
    with engine.begin() as connection:
        connection.execute(sa.update(cells).where(cells.c.id == cells_id).values(effective_from=to))
        connection.execute(sa.update(configuration).values(generation=configuration.c.generation + 1))


def cells_by_minute(engine: Engine) -> dict[int, int]:
    with engine.connect() as connection:
        return {row.start: row.cells_id for row in connection.execute(sa.select(pane.c.start, pane.c.cells_id))}


def test_other_cells_and_other_counts_without_a_restart(roles: Roles, engine: Engine) -> None:
    """The same processes count on the new cells from the said minute on and judge with the new counts at once.

    ::

        event time      T-20m ........ T | T+2m = E ............ E+12m | ... E+16m
        adopted                          other cells               other counts
        cells           the first        | the second
        4 m             judged           | judged from E+4m on
    """
    now = now_millis() // MINUTE_MILLIS * MINUTE_MILLIS - 3 * HOUR_MILLIS
    produce(roles, now - 20 * MINUTE_MILLIS, 20)
    roles.wait_until(
        "windows on the first cells", lambda: now - 2 * MINUTE_MILLIS in judged(engine, 4), timeout_seconds=60
    )
    adopted = roles.json("reference", "adopt", "credit", "other.reference")
    assert adopted["effective_from"] > now_millis()
    start = now + 2 * MINUTE_MILLIS
    move_back(engine, adopted["cells_id"], to=start)
    produce(roles, start, 12)
    full = start + 10 * MINUTE_MILLIS
    roles.wait_until("windows on the other cells", lambda: full in judged(engine, 10), timeout_seconds=90)
    result = judged(engine, 4)
    before = {end: judgement for end, judgement in result.items() if end <= now - 2 * MINUTE_MILLIS}
    after = {end: judgement for end, judgement in result.items() if end >= start + 4 * MINUTE_MILLIS}
    assert {judgement[0] for judgement in before.values()} == {adopted["previous_id"]}
    assert {judgement[:2] for judgement in after.values()} == {(adopted["reference_id"], Verdict.OK)}
    cells = cells_by_minute(engine)
    assert {cells_id for minute, cells_id in cells.items() if minute >= start} == {adopted["cells_id"]}
    assert adopted["cells_id"] not in {cells_id for minute, cells_id in cells.items() if minute < start}

    profile = decode_profile((roles.directory / "other.reference").read_bytes(), source="test")
    doubled = msgspec.structs.replace(profile, counts_bytes=(profile.counts * 2).tobytes(), rows=profile.rows * 2)
    (roles.directory / "doubled.reference").write_bytes(encode_profile(doubled))
    counts = roles.json("reference", "adopt", "credit", "doubled.reference")
    assert (counts["new_cells"], counts["previous_id"]) == (False, adopted["reference_id"])
    produce(roles, start + 12 * MINUTE_MILLIS, 4)
    last = start + 14 * MINUTE_MILLIS
    roles.wait_until("windows with the other counts", lambda: last in judged(engine, 4), timeout_seconds=60)
    assert judged(engine, 4)[last][:2] == (counts["reference_id"], Verdict.OK)
    assert judged(engine, 4)[start + 5 * MINUTE_MILLIS][0] == adopted["reference_id"]
    assert [process.poll() for process in roles.running.values()] == [None, None]
