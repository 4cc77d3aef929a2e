"""F39: a topic deleted and created again under running workers is not read on; resumed, it is counted exactly once."""

import time
from collections import Counter

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from consumers import assignment as claims
from monitor.maintain import JoinRules, join_truths
from monitor.performance.correctness import ComparisonRules
from monitor.store.offsets import list_offsets
from monitor.store.partition_repairs import ResumeAt, paused_partitions, resume_partition
from monitor.store.schema import dead_letter, deployment, pane, series, truth
from monitor.types import PartitionKey
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.rows import deployments_in_database, deployments_of_topic, truths_in_database, truths_of_topic
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
LATER = START + 10_000_000


def write(broker: KafkaBroker, names: TopicNames, *, start: int, count: int, version: str, value: str) -> int:
    """Write *count* predictions, truths and deployments, and a broken record after each tenth; return how many."""
    predictions, truths, deployments = [], [], []
    for number in range(start, start + count):
        predictions.append(encoded(prediction_event(number, at=START + number, version=version)))
        truth_of = {"prediction_id": f"p-{number}", "model": "credit", "timestamp": START + number, "truth": value}
        truths.append(encoded(truth_of))
        change = {"model": "credit", "version": f"{version}.{number}", "timestamp": START + number, "stage": "canary"}
        deployments.append(encoded(change))
        if number % 10 == 9:
            for bodies in (predictions, truths, deployments):
                bodies.append(b"{broken")
    for topic, bodies in zip(names.all(), (predictions, truths, deployments), strict=False):
        produce(broker, topic, bodies)
    return len(predictions) + len(truths) + len(deployments)


def events_by_version(engine: Engine) -> dict[str, int]:
    query = (
        sa.select(series.c.version, sa.func.sum(pane.c.events))
        .join(series, series.c.id == pane.c.series_id)
        .where(series.c.segment_tag == "")
        .group_by(series.c.version)
    )
    with engine.connect() as connection:
        return {version: int(events) for version, events in connection.execute(query)}


def recreate(broker: KafkaBroker, names: TopicNames) -> None:
    for topic in names.all()[:3]:
        broker.delete_topic(topic)
    for topic in names.all()[:3]:
        broker.create_topic(topic, partitions=4)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_topic_made_again_under_a_running_worker_is_counted_exactly_once(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, protocol: str
) -> None:
    """All three topics come back with more records than our offsets while the worker reads on.

    Nothing of them is counted before a human's word; after `resume --at earliest` each record is, once, and neither
    a deployment nor a dead letter is taken for the one that stood at its offset before. Of two truths with one time
    the one of the newer topic is in force, though its offset is the smaller one.
    """
    model_id = apply_model(engine, sample_rate=1.0)
    names = topic_names
    settings = settings_for(
        database_url, kafka_broker, names, kafka_group_protocol=protocol, dead_letter_minimum=10_000
    )

    def paused() -> dict[PartitionKey, str]:
        with engine.connect() as connection:
            return dict(paused_partitions(connection))

    with ingesting(settings):
        before = write(kafka_broker, names, start=1000, count=100, version="1.0", value="0")
        before += write(kafka_broker, names, start=0, count=100, version="1.0", value="0")
        wait_until(lambda: records(engine) == before)
        old_truths = truths_of_topic(kafka_broker.bootstrap, names.ground_truth)
        old_deployments = deployments_of_topic(kafka_broker.bootstrap, names.deployments)
        recreate(kafka_broker, names)
        after = write(kafka_broker, names, start=0, count=100, version="2.0", value="1")
        began, written = time.monotonic(), 100
        while len(paused()) < 12:  # and go on writing, so that their ends pass our offsets before it is detected
            assert time.monotonic() < began + 120, f"stopped: {paused()}"
            after += write(kafka_broker, names, start=2000 + written, count=100, version="2.0", value="1")
            written += 100
            time.sleep(1)
        assert all("topic recreated: expected topic id" in reason for reason in paused().values())
        assert all("nothing of the new one" in reason for reason in paused().values())
        assert records(engine) == before
        with engine.begin() as connection:
            for key in paused_partitions(connection):
                resume_partition(connection, key.topic, key.partition, at=ResumeAt.EARLIEST)
        wait_until(lambda: records(engine) == before + after, seconds=90)
        wait_until(lambda: not paused())
    with engine.connect() as connection:
        rows = list_offsets(connection)
        dead = connection.execute(sa.select(dead_letter.c.incarnation)).scalars().all()
        incarnations = connection.execute(sa.select(deployment.c.incarnation)).scalars().all()
    assert [(row.unaccounted, row.incarnation) for row in rows] == [(0, 1)] * 12
    assert sum(row.counters.records for row in rows) == before + after
    new_deployments = deployments_of_topic(kafka_broker.bootstrap, names.deployments)
    assert deployments_in_database(engine) == old_deployments + new_deployments
    assert truths_in_database(engine) == old_truths + truths_of_topic(kafka_broker.bootstrap, names.ground_truth)
    assert Counter(incarnations) == {0: 200, 1: new_deployments.total()}
    assert Counter(dead) == {0: 60, 1: 3 * written // 10}
    assert events_by_version(engine) == {"1.0": 200, "2.0": written}
    rules = ComparisonRules(threshold=0.5, positive="1", negative="0", regression=False)
    with engine.begin() as connection:
        model_rules = {model_id: JoinRules(comparison=rules, horizon_millis=10**9)}
        while join_truths(connection, rules=model_rules, now=LATER).received:
            pass
        in_force = Counter(connection.execute(sa.select(truth.c.value)).scalars().all())
    assert in_force == {"0": 100, "1": written}


def test_what_was_read_of_the_new_topic_is_not_flushed(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only the flush can detect the new topic: the ids are read before each flush, not only every minute."""
    monkeypatch.setattr(claims, "TOPICS_SECONDS", 3600.0)
    apply_model(engine, sample_rate=1.0)
    names = topic_names
    settings = settings_for(database_url, kafka_broker, names, dead_letter_minimum=10_000)
    with ingesting(settings):
        before = write(kafka_broker, names, start=0, count=100, version="1.0", value="0")
        wait_until(lambda: records(engine) == before)
        recreate(kafka_broker, names)
        write(kafka_broker, names, start=0, count=400, version="2.0", value="1")

        def paused() -> int:
            with engine.connect() as connection:
                return len(paused_partitions(connection))

        wait_until(lambda: paused() == 12, seconds=120)
    assert records(engine) == before
    assert events_by_version(engine) == {"1.0": 100}
    assert "partition.given_back" in capsys.readouterr().out
