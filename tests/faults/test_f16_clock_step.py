"""F16: clocks that step and daylight saving: event time decides counts, the database's clock everything else."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.clock import to_millis
from monitor.maintain.retention import drop_expired
from monitor.store.schema import incident, outbox, pane, series
from monitor.units import MINUTE_MILLIS
from tests.faults.test_f12_wrong_clock import DAY, advance, at_end, count, now_millis, produce_dated, recent_events
from tests.models.credit import apply_model, encoded, prediction_event
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]


@pytest.mark.parametrize("days", [-400, 400])
def test_a_process_whose_clock_is_wrong_counts_and_decides_the_same(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
) -> None:
    """Ingest, retention and the alerter on a machine that is 400 days off, before or behind.

    All count, none is dropped, and what is decided is decided now, by the database.
    """
    apply_model(engine)
    now, topic = now_millis(), topic_names.predictions
    produce_dated(kafka_broker, topic, recent_events(now, 1000))
    settings = settings_for(database_url, kafka_broker, topic_names)
    right = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: right() + days * DAY * 1_000_000)
    assert abs(now_millis() - now) > 399 * DAY
    with ingesting(settings):
        wait_until(lambda: records(engine) == 1000 and at_end(engine, topic))
    counted = counted_in_database(engine)
    with monkeypatch.context() as recounting:
        recounting.setattr(time, "time_ns", right)  # the oracle's own clock is right
        assert counted == recount_topics(engine, kafka_broker.bootstrap, topic)
    assert sum(partition["counted"] or 0 for partition in counted.partitions.values()) == 1000
    panes = count(engine, pane)
    drop_expired(engine, settings)
    assert count(engine, pane) == panes
    advance(engine, settings)
    with engine.connect() as connection:
        moments = [
            *connection.execute(sa.select(incident.c.opened_at)).scalars(),
            *connection.execute(sa.select(outbox.c.next_attempt_at)).scalars(),
        ]
    assert moments
    assert all(abs(to_millis(moment) - now) < 10 * MINUTE_MILLIS for moment in moments)


@pytest.mark.parametrize(
    ("zone", "begin"),
    [("Europe/Berlin", "2026-10-25T00:00:00+00:00"), ("America/New_York", "2026-03-08T06:00:00+00:00")],
)
def test_local_times_around_the_change_of_the_clock_count_in_their_own_minutes(
    database_url: str,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    zone: str,
    begin: str,
) -> None:
    """The hour that comes twice is two hours, the hour that is left out is none.

    ::

        local   02:00 … 02:59 +02:00 | 02:00 … 02:59 +01:00       each minute one event
        UTC     00:00 … 00:59        | 01:00 … 01:59              each minute one pane
    """
    apply_model(engine)
    first = datetime.fromisoformat(begin)
    minutes = [first + timedelta(minutes=number) for number in range(180)]
    texts = [moment.astimezone(ZoneInfo(zone)).isoformat() for moment in minutes]
    assert len({text[-6:] for text in texts}) == 2, "the clock changes within these hours"
    bodies = [encoded(prediction_event(number, timestamp=text, tags={})) for number, text in enumerate(texts)]
    produce(kafka_broker, topic_names.predictions, bodies, at=to_millis(minutes[-1]))
    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == 180)
    with engine.connect() as connection:
        query = sa.select(pane.c.start, sa.func.sum(pane.c.events)).join(series, series.c.id == pane.c.series_id)
        rows = connection.execute(query.group_by(pane.c.start).order_by(pane.c.start)).all()
    assert [tuple(row) for row in rows] == [(to_millis(moment), 1) for moment in minutes]
