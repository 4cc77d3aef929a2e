"""F8: processing takes longer than `max.poll.interval.ms`; the worker notices that it lost everything, and discards."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.faults.stream import assert_equal_to_topics, produce_stream
from tests.models.credit import apply_credit_model
from tests.services.ingest import ingest_process, ingesting, offsets_of, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
POLL_MILLISECONDS = 15_000  # a busy machine must not make the other worker late, too
STUCK_SECONDS = 34


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_worker_stuck_in_a_batch_discards_it(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, protocol: str, tmp_path: Path
) -> None:
    """It stands still before its first flush; another one counts meanwhile; it comes back, is refused, and goes on.

    ::

        stuck   reads ......... stands still, loses its partitions ......... discards, joins again, counts
        second                     joins, takes over, counts everything ...................... leaves
    """
    apply_credit_model(engine)
    settings = settings_for(
        database_url,
        kafka_broker,
        topic_names,
        max_poll_interval_ms=POLL_MILLISECONDS,
        kafka_group_protocol=protocol,
    )
    written = produce_stream(kafka_broker, topic_names, first=0, count=800)
    with ingest_process(settings, tmp_path, failpoint=f"flush.before_offsets={STUCK_SECONDS}") as stuck:
        wait_until(lambda: [row.epoch for row in offsets_of(engine, topic_names.predictions)] == [1] * 4, seconds=60)
        with ingesting(settings):
            wait_until(lambda: records(engine) == written, seconds=90)
            written += produce_stream(kafka_broker, topic_names, first=800, count=400)
            wait_until(lambda: records(engine) == written, seconds=60)
        written += produce_stream(kafka_broker, topic_names, first=1200, count=400)
        wait_until(lambda: records(engine) == written, seconds=90)
        assert stuck.poll() is None, "the worker should have kept running"
    assert_equal_to_topics(engine, kafka_broker, topic_names)
