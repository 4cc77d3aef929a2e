"""F1: kill -9 during a flush; nothing is lost or counted twice, and counting goes on."""

import signal
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.faults.stream import assert_equal_to_topics, produce_stream
from tests.models.credit import apply_credit_model
from tests.services.ingest import ingest_process, ingesting, offsets_of, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
STEPS = (
    "after_offsets",
    "after_panes",
    "after_predictions",
    "after_truths",
    "after_identities",
    "after_dead_letters",
    "after_deployments",
    "before_commit",
    "after_commit",
)
COUNTING_SECONDS = 10.0


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_in_its_flush_leaves_nothing_half(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, step: str, tmp_path: Path
) -> None:
    """SIGKILL at each step of the flush; what it wrote is there as a whole or not at all, and the next one goes on."""
    apply_credit_model(engine)
    written = produce_stream(kafka_broker, topic_names, first=0, count=600)
    settings = settings_for(database_url, kafka_broker, topic_names, flush_seconds=1.0, session_timeout_ms=2_000)
    with ingest_process(settings, tmp_path, failpoint=f"flush.{step}") as worker:
        assert worker.wait(90) == -signal.SIGKILL
    assert (records(engine) > 0) == (step == "after_commit")
    with ingesting(settings):
        wait_until(lambda: records(engine) == written, seconds=60)
    predictions, truths = assert_equal_to_topics(engine, kafka_broker, topic_names)
    assert min(len(predictions.ledger), len(predictions.dead), len(truths.joined), len(truths.deployments)) > 5


def test_the_survivor_counts_soon_after_the_rebalance(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """One of two workers is killed; ten seconds after its session is over, every partition has moved."""
    apply_credit_model(engine)
    settings = settings_for(database_url, kafka_broker, topic_names)
    written = produce_stream(kafka_broker, topic_names, first=0, count=400)
    with ingesting(settings), ingest_process(settings, tmp_path) as killed:
        wait_until(lambda: records(engine) == written, seconds=60)
        wait_until(lambda: min(offset.epoch for offset in offsets_of(engine, topic_names.predictions)) >= 1)
        time.sleep(5)  # the second worker has taken its share over by now
        killed.kill()
        began = time.monotonic()
        written += produce_stream(kafka_broker, topic_names, first=400, count=400)
        wait_until(lambda: records(engine) == written, seconds=60)
        took = time.monotonic() - began
    assert took < settings.session_timeout_ms / 1000 + COUNTING_SECONDS
    assert_equal_to_topics(engine, kafka_broker, topic_names)
