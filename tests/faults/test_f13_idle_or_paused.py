"""F13: an idle partition holds no window open for ever; a paused or frozen reader is not idle."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from monitor.store.database_clock import database_now_millis
from monitor.store.offsets import pause_partition, resume_partition
from monitor.store.watermarks import read_partitions
from monitor.types import MINUTE_MILLIS, PartitionKey, TopicRole
from monitor.windows.watermark import Watermark, WatermarkRules, topic_watermark
from tests.factories import apply_model, encoded, prediction_event
from tests.faults.test_f12_wrong_clock import now_millis, produce_dated
from tests.integration.test_ingest import ingesting, offsets_of, records, settings_for, wait_until
from tests.integration.test_ingest_faults import ingesting_process
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
DISORDER = 1000
RULES = WatermarkRules(disorder=DISORDER, idle_timeout=2000, settle=0, heartbeat_stale=4000)


def watermark(engine: Engine) -> Watermark:
    with engine.connect() as connection:
        partitions = read_partitions(connection, role=TopicRole.PREDICTIONS)
        now = database_now_millis(connection)
    return topic_watermark(partitions[0], now=now, rules=RULES) if partitions else Watermark(value=None)


def reaches(engine: Engine, event_time: int) -> Callable[[], bool]:
    """Return whether nothing holds the watermark and it has come to what *event_time* makes complete."""

    def answer() -> bool:
        found = watermark(engine)
        return found.held_by is None and found.value is not None and found.value >= event_time - DISORDER

    return answer


def produce_at(broker: KafkaBroker, topic: str, *times: int, partition: int = 0) -> None:
    events = [(at, encoded(prediction_event(at * 10 + partition, at=at))) for at in times]
    produce_dated(broker, topic, events, partition=partition)


def test_idle_partitions_hold_nothing_and_time_goes_on_without_traffic(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """One partition is empty, one was silent for half an hour: windows close, the last of them after the traffic.

    ::

        [0]   -30 min ................. now
        [1]   -30 min | silent since
        [2] [3]         never had an event           watermark -> now, then on with the clock
    """
    apply_model(engine)
    now, topic = now_millis(), topic_names.predictions
    produce_at(kafka_broker, topic, *range(now - 30 * MINUTE_MILLIS, now, MINUTE_MILLIS), now)
    produce_at(kafka_broker, topic, now - 30 * MINUTE_MILLIS, partition=1)
    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == 32)
        wait_until(reaches(engine, now))
        wait_until(reaches(engine, now + 3000))


def test_a_frozen_reader_is_not_idle(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """While it is frozen the watermark stays where it was, though nobody sends anything; afterwards it goes on."""
    apply_model(engine)
    now, topic = now_millis(), topic_names.predictions
    produce_at(kafka_broker, topic, now)
    settings = settings_for(database_url, kafka_broker, topic_names, session_timeout_ms=45_000)
    with ingesting_process(settings, tmp_path) as worker:
        wait_until(reaches(engine, now))
        worker.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: watermark(engine).held_by is not None)
            newest = now_millis()
            produce_at(kafka_broker, topic, newest)
            assert records(engine) == 1
            held = watermark(engine)
            assert held.held_by is not None
            assert (-1 if held.value is None else held.value) <= now - DISORDER
        finally:
            worker.send_signal(signal.SIGCONT)
        wait_until(reaches(engine, newest))
        assert records(engine) == 2


def test_a_stopped_partition_is_not_idle(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """The others go on and wait for it; when it is resumed, nothing waits any more."""
    apply_model(engine)
    now, topic = now_millis(), topic_names.predictions
    first = now - 10 * MINUTE_MILLIS
    produce_at(kafka_broker, topic, first)
    settings = settings_for(database_url, kafka_broker, topic_names)
    with ingesting(settings):
        wait_until(lambda: records(engine) == 1)
    key = PartitionKey(topic, 0)
    with engine.begin() as connection:
        assert pause_partition(connection, key, reason="a human stopped it")
    with ingesting(settings):
        for partition in range(4):
            produce_at(kafka_broker, topic, now, partition=partition)
        wait_until(lambda: records(engine) == 4)
        wait_until(lambda: all(each.caught_up for each in offsets_of(engine, topic)[1:]))
        assert watermark(engine).held_by == key
        assert watermark(engine).value == first - DISORDER
        with engine.begin() as connection:
            resume_partition(connection, topic, 0, at="stored")
        wait_until(lambda: records(engine) == 5)
        wait_until(reaches(engine, now))
