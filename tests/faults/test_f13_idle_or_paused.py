"""F13: an idle partition holds no window open for ever; a paused or frozen reader is not idle."""

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from confluent_kafka import Producer
from sqlalchemy import Engine

from monitor.settings import Settings
from monitor.store.configuration import load_configuration
from monitor.store.database_clock import database_now_millis
from monitor.store.offsets import pause_partition
from monitor.store.partition_repairs import ResumeAt, resume_partition
from monitor.store.schema import evaluation
from monitor.store.topics import read_partitions
from monitor.types import PartitionKey, TopicRole
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import Watermark, WatermarkRules, watermark_of
from tests.faults.test_f12_wrong_clock import now_millis, produce_dated
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.windows import judge
from tests.services.ingest import ingest_process, ingesting, offsets_of, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.tcp_proxy import TcpProxy
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
DISORDER = 1000
BURST_PARTITIONS = 6
BURST_MINUTES = 4 * 60
RULES = WatermarkRules(disorder=DISORDER, idle_timeout=2000, heartbeat_stale=4000)


def watermark(engine: Engine) -> Watermark:
    with engine.connect() as connection:
        partitions = read_partitions(connection, role=TopicRole.PREDICTIONS)
        now = database_now_millis(connection)
    return watermark_of(partitions, now=now, rules=RULES)


def reaches(engine: Engine, event_time: int) -> Callable[[], bool]:
    """Return whether nothing holds the watermark and it has come to what *event_time* makes complete."""

    def answer() -> bool:
        result = watermark(engine)
        return result.held_by is None and result.value is not None and result.value >= event_time - DISORDER

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
    with ingest_process(settings, tmp_path) as worker:
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
        wait_until(lambda: all(offset.caught_up for offset in offsets_of(engine, topic)[1:]))
        assert watermark(engine).held_by == key
        assert watermark(engine).value == first - DISORDER
        with engine.begin() as connection:
            resume_partition(connection, topic, 0, at=ResumeAt.STORED)
        wait_until(lambda: records(engine) == 5)
        wait_until(reaches(engine, now))


def test_a_first_burst_into_a_new_topic_is_judged_when_all_of_it_is_counted(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """Six partitions stood empty at their ends; a burst fills them at the same time, and no window closes early.

    ::

        [0]   (end) x x x x x x x          read and flushed first: says how far event time has come
        [1]   (end) ? ? ?                  in the broker, in the client, in the worker, on its way to Postgres
        ...
    """
    apply_model(engine, windows={"min_events": 5, "scales": [{"length": "4m", "step": "1m"}]})
    topic = f"{topic_names.predictions}-new"
    kafka_broker.create_topic(topic, partitions=BURST_PARTITIONS)
    settings = settings_for(
        database_url,
        kafka_broker,
        topic_names,
        predictions_topics=(topic,),
        batch_size=300,
        flush_events=300,
        revision_seconds=0,
    )
    times = [START + number * MINUTE_MILLIS // 20 for number in range(20 * BURST_MINUTES)]
    port = int(sa.engine.make_url(database_url).port or 0)
    stop = threading.Event()
    with TcpProxy("127.0.0.1", port) as proxy, ingest_process(through(proxy, settings), tmp_path) as worker:
        wait_until(lambda: len(offsets_of(engine, topic)) == BURST_PARTITIONS)
        wait_until(lambda: all(row.caught_up for row in offsets_of(engine, topic)))
        proxy.delay_seconds = 0.01  # a Postgres in another zone: a round of flushes lasts
        judging = threading.Thread(target=judge_until, args=(engine, settings, stop))
        judging.start()
        try:
            worker.send_signal(signal.SIGSTOP)  # so that all of it is there when the first partition is read
            produce_in_order(kafka_broker, topic, times)
            worker.send_signal(signal.SIGCONT)
            wait_until(lambda: records(engine) == len(times))
            wait_until(lambda: watermark(engine).value == times[-1] - DISORDER)
        finally:
            stop.set()
            judging.join(60)
    judge_until(engine, settings, stop)
    with engine.connect() as connection:
        ends = connection.execute(sa.select(evaluation.c.window_end, evaluation.c.revision)).all()
    assert len({end for end, _ in ends}) >= BURST_MINUTES - 2
    early = sorted({(end - START) // MINUTE_MILLIS for end, revision in ends if revision > 0})
    assert early == [], f"{len(early)} windows were judged before all of their events were counted"


def through(proxy: TcpProxy, settings: Settings) -> Settings:
    """Return *settings* with the same database behind *proxy*."""
    url = sa.engine.make_url(settings.database_url).set(port=proxy.port)
    return settings.model_copy(update={"database_url": url.render_as_string(hide_password=False)})


def test_an_open_transaction_holds_its_partition_until_it_ends(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """What is in the broker and not committed is yet to come: the partition confirms nothing newer meanwhile.

    ::

        [0]   x 0 .................. x +60 s
        [1]   x 1 ms   ( x +50 s )             begun, not yet committed
    """
    apply_model(engine)
    topic = topic_names.predictions
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "transactional.id": topic, "linger.ms": 0})
    producer.init_transactions()

    def send(*events: tuple[int, int]) -> None:
        for partition, at in events:
            producer.produce(topic, encoded(prediction_event(at, at=START + at)), partition=partition)

    with ingesting(settings_for(database_url, kafka_broker, topic_names, settle_seconds=1)):
        producer.begin_transaction()
        send((0, 0), (1, 1))
        producer.commit_transaction()
        wait_until(lambda: watermark(engine) == Watermark(value=START + 1 - DISORDER))
        producer.begin_transaction()
        send((1, 50_000))
        assert producer.flush(30) == 0
        produce_at(kafka_broker, topic, START + 60_000)
        wait_until(lambda: confirmed(engine, topic, 3) == START + 60_000)
        held = watermark(engine)
        assert (held.held_by, held.value) == (PartitionKey(topic, 1), START + 1 - DISORDER)
        producer.commit_transaction()
        wait_until(lambda: watermark(engine) == Watermark(value=START + 60_000 - DISORDER))
    assert records(engine) == 4


def test_records_that_never_pause_and_do_not_count_hold_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """One partition has nothing but records of a model that nobody applied, so many that it never stands at its end.

    ::

        [0]   x   x   x   x          counted, some a second
        [1]   ??????????????????     parked, hundreds a second
    """
    apply_model(engine)
    topic, stop = topic_names.predictions, threading.Event()
    sending = threading.Thread(target=send_until, args=(stop, kafka_broker, topic))
    with ingesting(settings_for(database_url, kafka_broker, topic_names, settle_seconds=1, flush_seconds=1)):
        sending.start()
        try:
            wait_until(lambda: watermark(engine).value is not None, seconds=60)
            newest = now_millis()
            wait_until(lambda: (watermark(engine).value or 0) >= newest - DISORDER, seconds=60)
        finally:
            stop.set()
            sending.join(60)
    assert offsets_of(engine, topic)[1].counters.counted == 0


def send_until(stop: threading.Event, broker: KafkaBroker, topic: str) -> None:
    """Send events of now: some a second to partition 0, hundreds of a model that nobody applied to partition 1."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0})
    number = 0
    while not stop.wait(0.003):
        at, number = now_millis(), number + 1
        producer.produce(topic, encoded(prediction_event(number, at=at, model="nobody")), partition=1)
        if number % 30 == 0:
            producer.produce(topic, encoded(prediction_event(number, at=at)), partition=0)
        producer.poll(0)
    assert producer.flush(60) == 0


def confirmed(engine: Engine, topic: str, partition: int) -> int | None:
    with engine.connect() as connection:
        states = read_partitions(connection, role=TopicRole.PREDICTIONS)
    return {state.key: state.confirmed_event_time for state in states}[PartitionKey(topic, partition)]


def produce_in_order(broker: KafkaBroker, topic: str, times: Sequence[int]) -> None:
    """Send one event of each of *times* to the partitions in turn, in order of time."""
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    for number, at in enumerate(times):
        body = encoded(prediction_event(number, at=at))
        while True:
            try:
                producer.produce(topic, body, partition=number % BURST_PARTITIONS, timestamp=at)
            except BufferError:
                producer.poll(0.1)
            else:
                break
        producer.poll(0)
    assert producer.flush(60) == 0


def judge_until(engine: Engine, settings: Settings, stop: threading.Event) -> None:
    """Judge whatever is due, in a loop until *stop*, at least once."""
    with engine.connect() as connection:
        (applied,) = load_configuration(connection).models
    while True:
        judge(engine, applied, settings)
        if stop.wait(0.05):
            return
