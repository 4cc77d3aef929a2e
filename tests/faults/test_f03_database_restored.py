"""F3: the database is restored to an earlier moment; offsets go back with the data, and Kafka is read again."""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.evaluate import Evaluator
from monitor.store.engine import make_engine
from monitor.store.migrate import upgrade
from monitor.store.schema import evaluation, scale_progress
from tests.faults.stream import assert_equal_to_topics, produce_stream
from tests.models.counted import CountedModel, apply_counted_model
from tests.models.credit import START, apply_credit_model, encoded, prediction_event
from tests.models.evaluated import RULES, SCALES, evaluate_all, move, some_panes, stored, write
from tests.oracle.stored import FinalEvaluation
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
MINUTES_OF_BACKUP = 20


@contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    server.stop("fast")
    try:
        yield
    finally:
        server.start()


def copy_files(source: Path, target: Path) -> None:
    """Copy a stopped server's directory with its owners, as a cold base backup does."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@pytest.mark.kafka
@pytest.mark.parametrize("traffic_goes_on", [True, False], ids=["under load", "idle"])
def test_a_restored_database_is_filled_again_from_the_topics(
    kafka_broker: KafkaBroker, topic_names: TopicNames, service_directory: Path, traffic_goes_on: bool
) -> None:
    """The worker outlives the restore: what was counted since the backup is counted again, once, new names too.

    ::

        600 events | backup | 600 more, a version nobody had | restored | (300 more)
    """
    directory = service_directory / f"restored-{topic_names.predictions}"
    with PostgresServer(directory, durable=False) as server:
        url = server.create_database("driftline")
        upgrade(url)
        engine = make_engine(url)
        apply_credit_model(engine)
        written = produce_stream(kafka_broker, topic_names, first=0, count=600)
        with ingesting(settings_for(url, kafka_broker, topic_names)) as worker:
            wait_until(lambda: records(engine) == written, seconds=60)
            with stopped(server):
                copy_files(directory / "data", directory / "backup")
            written += produce_stream(kafka_broker, topic_names, first=600, count=600)
            new = [
                encoded(prediction_event(number, at=START + 60_000, version="new")) for number in range(9_000, 9_100)
            ]
            produce(kafka_broker, topic_names.predictions, new)
            written += len(new)
            wait_until(lambda: records(engine) == written, seconds=60)
            with stopped(server):
                copy_files(directory / "backup", directory / "data")
            if traffic_goes_on:
                written += produce_stream(kafka_broker, topic_names, first=1200, count=300)
            wait_until(lambda: records(engine) == written, seconds=90)
            assert worker.is_alive()
        assert_equal_to_topics(engine, kafka_broker, topic_names)
        engine.dispose()


def test_an_alerter_that_outlives_a_restore_judges_what_is_there(
    postgres_server: PostgresServer, template_database: str
) -> None:
    """The restored database gives the ids of pane rows away again, to other counts: none of the old ones is used.

    ::

        20 minutes | backup | 20 calm minutes, judged | restored | 20 drifted minutes under the same ids, judged
    """
    name = f"restored_{uuid.uuid4().hex}"
    url = postgres_server.create_database(name, template=template_database)
    engine = make_engine(url)
    counted = apply_counted_model(engine, extra=SCALES)
    write(engine, counted, some_panes(counted, range(MINUTES_OF_BACKUP)))
    engine.dispose()
    postgres_server.create_database(f"{name}_backup", template=name)
    try:
        evaluator = Evaluator(RULES)
        write(engine, counted, some_panes(counted, range(20, 40), seed=2))
        evaluated = judge_until(engine, counted, evaluator, minute=40)
        postgres_server.drop_database(name)
        postgres_server.create_database(name, template=f"{name}_backup")
        write(engine, counted, [(minute, squeezed(counted, seed=minute)) for minute in range(20, 40)])
        again = judge_until(engine, counted, evaluator, minute=40)
        with engine.begin() as connection:
            connection.execute(sa.delete(evaluation))
            connection.execute(sa.delete(scale_progress))
        assert again == judge_until(engine, counted, Evaluator(RULES), minute=40)
        assert again != evaluated
    finally:
        engine.dispose()
        for database in (name, f"{name}_backup"):
            postgres_server.drop_database(database)


def judge_until(
    engine: Engine, counted: CountedModel, evaluator: Evaluator, *, minute: int
) -> tuple[FinalEvaluation, ...]:
    """Judge what is due with the watermark at *minute*; return the last revision of every window."""
    move(engine, minute)
    evaluate_all(engine, counted, evaluator)
    return stored(engine, counted)


def squeezed(counted: CountedModel, *, seed: int) -> npt.NDArray[np.int64]:
    """Return counts of one minute, the first column in its lower half."""
    half = counted.cells // 2
    counts = counted.counts(np.random.default_rng(seed), 60)
    counts[:half] += counts[half : counted.cells]
    counts[half : counted.cells] = 0
    return counts
