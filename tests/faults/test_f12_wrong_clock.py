"""F12: event times far ahead, zero, or before any calendar, and a producer whose clock dates its records too."""

import time
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa
from confluent_kafka import Producer
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from consumers.learn import LearnRequest, learn_events
from monitor.clock import iso_utc
from monitor.evaluate import EvaluationRules, Evaluator
from monitor.maintain.retention import drop_expired
from monitor.settings import Settings
from monitor.store.configuration import load_configuration
from monitor.store.database_clock import database_now_millis
from monitor.store.offsets import list_offsets
from monitor.store.schema import dead_letter, evaluation, incident, input_offset, pane, scale_progress
from monitor.store.topics import read_partitions
from monitor.types import ModelKey, PartitionKey, TopicRole
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import WatermarkRules, watermark_of
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.command import document, run
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
DAY = 24 * 60 * MINUTE_MILLIS
# Kafka 4 refuses records that their producer dates over an hour ahead; its versions before take them all.
BY_PRODUCERS = {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": str(2**63 - 1)}
BY_BROKER = {"message.timestamp.type": "LogAppendTime"}


def now_millis() -> int:
    return time.time_ns() // 1_000_000


def produce_dated(broker: KafkaBroker, topic: str, events: Iterable[tuple[int, bytes]], *, partition: int = 0) -> None:
    """Send to one partition, each record dated by its producer as its event is."""
    producer, errors = Producer({"bootstrap.servers": broker.bootstrap}), []
    for at, body in events:
        producer.produce(
            topic, body, partition=partition, timestamp=at, on_delivery=lambda error, _: errors.append(error)
        )
    assert producer.flush(30) == 0
    assert set(errors) == {None}


def recent_events(now: int, count: int) -> list[tuple[int, bytes]]:
    """Events of the 25 minutes before *now*, whose amounts are all missing."""
    times = [now - 25 * MINUTE_MILLIS + number * 25 * MINUTE_MILLIS // count for number in range(count)]
    features = {"age": 30, "country": "DE"}
    return [
        (at, encoded(prediction_event(number, at=at, features={"amount": None, **features})))
        for number, at in enumerate(times)
    ]


def count(engine: Engine, table: sa.Table) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def at_end(engine: Engine, topic: str) -> bool:
    """Return whether every partition of *topic* was read to its end, and none holds the watermark."""
    with engine.connect() as connection:
        partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=[topic])
        now = database_now_millis(connection)
    return bool(partitions) and watermark_of(partitions, now=now, rules=WatermarkRules()).held_by is None


def advance(engine: Engine, settings: Settings, *, now: int | None = None) -> None:
    with engine.connect() as connection:
        (applied,) = load_configuration(connection).models
    rules = EvaluationRules(prediction_topics=settings.predictions_topics, watermark=WatermarkRules())
    advance_model(engine, applied, Evaluator(rules), settings, now_millis=now)


def test_one_producer_whose_clock_is_ahead_blinds_and_empties_nothing(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """One record dated in two years, on a topic whose producers date the records: it alone is a dead letter.

    ::

        offset    0            1 ... 1000
        event     +730 days    the last 25 minutes, every amount missing
                  future       counted; retention drops none; windows are judged and open an incident
    """
    apply_model(engine, sample_rate=1.0)
    now = now_millis()
    ahead = now + 730 * DAY
    events = [(ahead, encoded(prediction_event(-1, at=ahead))), *recent_events(now, 1000)]
    topic = f"{topic_names.predictions}-dated-by-producers"
    kafka_broker.create_topic(topic, config=BY_PRODUCERS)
    produce_dated(kafka_broker, topic, events)
    settings = settings_for(database_url, kafka_broker, topic_names, predictions_topics=(topic,))
    with ingesting(settings):
        wait_until(lambda: records(engine) == 1001 and at_end(engine, topic))
    (first,) = offsets_of(engine, topic)
    assert (first.counters.counted, first.counters.late, first.counters.dead) == (1000, 0, 1)
    assert first.max_event_time is not None
    assert first.max_event_time <= now
    with engine.connect() as connection:
        (letter,) = connection.execute(sa.select(dead_letter)).all()
    assert (letter.offset, letter.reason) == (0, "future")
    assert "the database's clock" in letter.sentence
    assert iso_utc(ahead) in letter.sentence

    panes = count(engine, pane)
    drop_expired(engine, settings)
    assert count(engine, pane) == panes > 20
    assert len(counted_in_database(engine).ledger) == 1000

    advance(engine, settings)
    with engine.connect() as connection:
        progress = connection.execute(sa.select(scale_progress.c.evaluated_until)).scalars().all()
        kinds = connection.execute(sa.select(incident.c.kind)).scalars().all()
    assert progress
    assert max(progress) <= now_millis()
    assert "data_quality" in kinds


def test_a_poisoned_partition_from_before_moves_nothing_past_the_clock(engine: Engine) -> None:
    """An offset row that an older version let move to 2028: watermark, progress and retention stay at the clock."""
    apply_model(engine)
    now = now_millis()
    statement = sa.text(
        "INSERT INTO input_offset (topic, partition, role, next_offset, max_event_time, caught_up_at, heartbeat_at)"
        " VALUES ('predictions', :partition, 'predictions', 1, :newest, clock_timestamp(), clock_timestamp())"
    )
    with engine.begin() as connection:
        for partition, newest in enumerate((now + 730 * DAY, now - MINUTE_MILLIS)):
            connection.execute(statement, {"partition": partition, "newest": newest})
        partitions = read_partitions(connection, role=TopicRole.PREDICTIONS)
        now = database_now_millis(connection)
    rules = WatermarkRules()
    watermark = watermark_of(partitions, now=now, rules=rules)
    assert watermark.value is not None
    assert watermark.value <= now - rules.disorder


def test_what_a_wrong_clock_did_is_set_back_by_a_command(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """`partitions rewind`, previewed and applied under a running worker: events count, windows drive again.

    ::

        counted   300 healthy events, then the version before took one of +730 days for the newest
        judged    up to 2028
        late      500 events
        rewound   the partition to its newest event in the ledger, the model to now
        counted   1,000 events of the last 25 minutes; windows are judged and open an incident
    """
    apply_model(engine, sample_rate=1.0)
    now, topic = now_millis(), topic_names.predictions
    settings = settings_for(database_url, kafka_broker, topic_names)
    healthy = [now - 40 * MINUTE_MILLIS + number * 2000 for number in range(300)]
    recent = recent_events(now, 1500)
    with ingesting(settings):
        produce_dated(kafka_broker, topic, [(at, encoded(prediction_event(-1 - at, at=at))) for at in healthy])
        wait_until(lambda: records(engine) == 300)
        with engine.begin() as connection:
            poison = {"max_event_time": now + 730 * DAY, "epoch": input_offset.c.epoch + 1}
            connection.execute(sa.update(input_offset).where(input_offset.c.topic == topic).values(poison))
        wait_until(lambda: [offset.epoch for offset in offsets_of(engine, topic)] == [3] * 4)
        advance(engine, settings, now=now + 731 * DAY)
        produce_dated(kafka_broker, topic, recent[:500])
        wait_until(lambda: records(engine) == 800)
        assert offsets_of(engine, topic)[0].counters.late == 500

        preview = document(database_url, "partitions", "rewind", topic, "0", directory=tmp_path)
        assert preview["partition"]["max_event_time"] == now + 730 * DAY
        assert preview["partition"]["rewound_to"] == max(healthy)
        judged = document(database_url, "partitions", "rewind", "--model", "credit", directory=tmp_path)["changes"]
        assert judged["scales"]
        assert all(scale["evaluated_until"] > now for scale in judged["scales"])
        assert offsets_of(engine, topic)[0].max_event_time == now + 730 * DAY, "a preview changes nothing"

        for target in ((topic, "0"), (topic, "1"), (topic, "2"), (topic, "3"), ("--model", "credit")):
            done = run(database_url, "partitions", "rewind", *target, "--apply", directory=tmp_path)
            assert done.returncode == 0, done.stderr
        produce_dated(kafka_broker, topic, recent[500:])
        wait_until(lambda: records(engine) == 1800 and at_end(engine, topic))
    assert offsets_of(engine, topic)[0].counters.late == 500
    assert offsets_of(engine, topic)[0].counters.counted == 1300
    advance(engine, settings)
    with engine.connect() as connection:
        progress = connection.execute(sa.select(scale_progress.c.evaluated_until)).scalars().all()
        kinds = connection.execute(sa.select(incident.c.kind)).scalars().all()
        beyond = sa.select(sa.func.count()).select_from(evaluation).where(evaluation.c.window_end > now_millis())
        assert connection.execute(beyond).scalar() == 0
    assert max(progress) <= now_millis()
    assert "data_quality" in kinds
    again = run(database_url, "partitions", "rewind", topic, "0", directory=tmp_path)
    assert again.returncode == 2
    assert "expected a newest event beyond the database's clock" in again.stderr


def test_a_reference_is_not_learnt_from_the_future(
    database_url: str, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """`--last 1h` counts from the newest event that is not ahead of the clock: that one would leave out all others."""
    now, topic = now_millis(), f"{topic_names.predictions}-learnt"
    kafka_broker.create_topic(topic, config=BY_PRODUCERS)
    ahead = now + 730 * DAY
    events = [*recent_events(now, 100), (ahead, encoded(prediction_event(-1, at=ahead)))]
    produce_dated(kafka_broker, topic, events)
    settings = settings_for(database_url, kafka_broker, topic_names)
    key = ModelKey("default", "credit")
    request = LearnRequest(model=key, topics=(topic,), rows=1000, last=60 * MINUTE_MILLIS, read_at=now)
    learnt = learn_events(settings, request, source="test")
    assert (learnt.table.num_rows, learnt.census.refused) == (100, 1)
    assert learnt.start == events[-2][0] - 60 * MINUTE_MILLIS


def test_the_bound_by_the_clock_is_for_producers_dates_only(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Where the broker dates the records they alone decide; altering a topic is detected and stored."""
    apply_model(engine, sample_rate=1.0)
    producers, brokers = topics = (f"{topic_names.predictions}-1", f"{topic_names.predictions}-2")
    kafka_broker.create_topic(producers, config=BY_PRODUCERS)
    kafka_broker.create_topic(brokers, config=BY_BROKER)
    now = now_millis()
    for topic in topics:
        times = (now + 730 * DAY, now + MINUTE_MILLIS, now)
        produce_dated(kafka_broker, topic, [(at, encoded(prediction_event(at, at=at))) for at in times])
    settings = settings_for(database_url, kafka_broker, topic_names, predictions_topics=topics)
    with ingesting(settings):
        wait_until(lambda: records(engine) == 6)
    with engine.connect() as connection:
        types = {offset.key.topic: offset.timestamp_type.value for offset in list_offsets(connection)}
        letters = connection.execute(sa.select(dead_letter).order_by(dead_letter.c.topic)).all()
    assert types[producers] == types[topic_names.ground_truth] == "CreateTime"
    assert types[brokers] == "LogAppendTime"
    assert [(letter.topic, letter.offset, letter.reason) for letter in letters] == [
        (producers, 0, "future"),
        (brokers, 0, "future"),
    ]
    assert "the database's clock" in letters[0].sentence
    assert "the record's Kafka timestamp" in letters[1].sentence


def test_an_event_before_the_calendar_is_a_dead_letter(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Times that no week of the ledger has a name for stop nothing, though nothing before makes them late."""
    apply_model(engine, sample_rate=1.0)
    times = (-253_402_300_799_999, -62_135_596_800_000, -1, 0, START // 1000, START * 1000, START * 1_000_000, START)
    bodies = [encoded(prediction_event(number, timestamp=at)) for number, at in enumerate(times)]
    texts = ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2300-01-01T00:00:00Z")
    bodies += [encoded(prediction_event(100 + number, timestamp=at)) for number, at in enumerate(texts)]
    produce(kafka_broker, topic_names.predictions, bodies, partitions=1)
    truth = {"prediction_id": "p-3", "model": "credit", "timestamp": -1, "truth": "1"}
    produce(kafka_broker, topic_names.ground_truth, [encoded(truth)], partitions=1)
    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == len(bodies) + 1)
    with engine.connect() as connection:
        result = connection.execute(sa.select(dead_letter).order_by(dead_letter.c.topic, dead_letter.c.offset)).all()
    reasons = [value.reason for value in result if value.topic == topic_names.predictions]
    assert reasons == ["malformed"] * 9 + ["future"] * 2
    (counted,) = counted_in_database(engine).ledger
    assert counted == (topic_names.predictions, 0, 7)
    assert offsets_of(engine, topic_names.predictions)[0].max_event_time == START


def test_far_times_among_good_ones_are_the_same_on_a_second_reading(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Judged against the record's own timestamp: the oracle, which reads the topic again, agrees bit by bit."""
    apply_model(engine, sample_rate=1.0)
    far = 10_413_792_000_000  # 2300-01-01T00:00:00Z
    times = [START + number * 1000 if number % 50 else far for number in range(1000)]
    bodies = [encoded(prediction_event(number, at=at)) for number, at in enumerate(times)]
    produce(kafka_broker, topic_names.predictions, bodies)
    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == 1000)
    counted = counted_in_database(engine)
    assert counted == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
    assert list(counted.dead.values()) == ["future"] * 20
    assert PartitionKey(topic_names.predictions, 0) in {
        offset.key for offset in offsets_of(engine, topic_names.predictions)
    }
