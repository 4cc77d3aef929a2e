"""F27, names that producers make up, in any number: caps hold, the rest is `other`, memory is flat, nothing is lost."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from sqlalchemy import Engine

from consumers.telemetry import observe_flush
from monitor.store.schema import dead_letter_count, discovered_model, model_version, series, unseen_value
from monitor.store.unseen_values import VALUES_NAMED
from monitor.types import DeadLetterReason
from tests.fakes.records import Bench
from tests.faults.resident import resident_megabytes
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.services.ingest import ingest_process, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

MANY, CHUNK = 100_000, 10_000
ALLOWED_MEGABYTES = 250
"""More than a worker that counted a thousand ordinary events: buffers of a full batch, and the panes of 51 versions."""


def ordinary(number: int) -> bytes:
    return encoded(prediction_event(number, at=START + number))


def flooding(number: int) -> bytes:
    """An event whose version, category, tag, and an unknown feature are names that never came before."""
    event = prediction_event(
        number, at=START + number % 50_000, version=f"request-{number}", tags={"region": f"host-{number}", "x": "y"}
    )
    event["features"] = {**event["features"], "country": f"city-{number}", f"feature-{number}": number}
    return encoded(event)


def wide(number: int) -> bytes:
    """An event with ten thousand features that nobody knows."""
    event = prediction_event(number, at=START)
    event["features"] = {**event["features"], **{f"extra-{number}-{place}": place for place in range(10_000)}}
    return encoded(event)


@pytest.mark.kafka
@pytest.mark.timeout(400)
def test_floods_of_names_are_counted_under_few(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """A hundred thousand versions, categories, tags and features, ten thousand models, ids of a megabyte: at once."""
    apply_model(engine)
    topic = topic_names.predictions
    settings = settings_for(
        database_url, kafka_broker, topic_names, flush_seconds=1.0, batch_size=5000, max_message_bytes=2_000_000
    )
    total = 1000 + MANY + 10_000 + 20 + 20
    with ingest_process(settings, tmp_path) as process:
        produce(kafka_broker, topic, [ordinary(number) for number in range(1000)])
        wait_until(lambda: records(engine) == 1000)
        before = resident_megabytes(process.pid)
        for start in range(1000, 1000 + MANY, CHUNK):
            produce(kafka_broker, topic, [flooding(number) for number in range(start, start + CHUNK)])
        produce(kafka_broker, topic, [encoded(prediction_event(n, model=f"model-{n}")) for n in range(10_000)])
        produce(kafka_broker, topic, [encoded(prediction_event(n, prediction_id="i" * 900_000)) for n in range(20)])
        produce(kafka_broker, topic, [wide(-number) for number in range(1, 21)])
        wait_until(lambda: records(engine) == total, seconds=240)
        highest = resident_megabytes(process.pid)
    counters = [row.counters for row in offsets_of(engine, topic)]
    assert sum(counter.counted + counter.duplicates + counter.late + counter.dead for counter in counters) == total
    assert sum(counter.counted for counter in counters) == 1000 + MANY + 20
    assert sum(counter.dead for counter in counters) == 10_000 + 20
    assert sum(counter.extra_fields for counter in counters) == MANY + 20 * 10_000

    def count(table: sa.Table) -> int:
        with engine.connect() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())

    assert count(model_version) == 50
    assert count(series) <= 51 * (1 + 3)
    assert count(discovered_model) <= 101
    assert count(dead_letter_count) <= 2 * (101 + 1)  # the hour may have changed meanwhile
    with engine.connect() as connection:
        for counts in connection.execute(sa.select(unseen_value.c.counts)).scalars():
            assert len(counts) <= VALUES_NAMED
    assert highest - before < ALLOWED_MEGABYTES, f"resident memory rose from {before:.0f} to {highest:.0f} MB"


def test_no_name_of_a_message_becomes_a_label_of_a_metric() -> None:
    """Topics from the settings, results and reasons from closed lists, whatever comes in."""
    bench = Bench()
    bench.take_bodies(*(flooding(number) for number in range(500)), *(b"x", wide(1)))
    bench.take_bodies(*(encoded(prediction_event(n, model=f"model-{n}")) for n in range(500)))
    observe_flush(bench.pending, bench.states.values())
    labels = {
        (name, value)
        for metric in REGISTRY.collect()
        if metric.name.startswith("driftline_")
        for sample in metric.samples
        for name, value in sample.labels.items()
    }
    assert {("topic", "predictions"), ("reason", "parked"), ("reason", "malformed")} <= labels
    assert {value for name, value in labels if name == "reason"} <= set(map(str, DeadLetterReason))
    made_up = ("request-", "city-", "host-", "feature-", "extra-", "model-")
    assert not [value for _, value in labels if value.startswith(made_up)]
