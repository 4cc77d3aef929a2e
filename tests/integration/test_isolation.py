"""Rows that the database refuses: the model they are of stops, every other one is counted, and no retry goes on."""

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from consumers.flush import Flusher
from consumers.isolation import stop_refused_models
from monitor.health import Health
from monitor.store.configuration import load_configuration
from monitor.store.model_intake import stopped_models
from monitor.store.schema import dead_letter, flush, input_offset, pane, series
from tests.fakes.records import Bench
from tests.models.credit import START, apply_model, encoded, prediction_event
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


def refuse(engine: Engine, condition: str) -> None:
    """Have the database refuse panes on *condition*, as a defect of ours would that only some model's rows meet."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE pane ADD CONSTRAINT no_such_pane CHECK ({condition}) NOT VALID"))


def bodies(count: int) -> list[bytes]:
    models = ("credit", "fraud", "churn")
    return [encoded(prediction_event(number, model=models[number % 3], at=START + number)) for number in range(count)]


def test_the_one_model_that_is_refused_is_found_and_nothing_is_written(engine: Engine) -> None:
    """Each half is tried and rolled back: no pane, no series, no flush is left; only that model is stopped."""
    ids = [apply_model(engine, model=name, sample_rate=1.0) for name in ("credit", "fraud", "churn")]
    with engine.connect() as connection:
        configuration = load_configuration(connection)
    cells_id = next(model.cells[0].cells_id for model in configuration.models if model.model_id == ids[1])
    refuse(engine, f"cells_id <> {cells_id}")
    bench = Bench(configured=configuration)
    bench.take_bodies(*bodies(30))
    states = [state for state in bench.states.values() if state.moved]
    flusher = Flusher(engine, worker="test", horizon=100)

    def stop() -> bool:
        return stop_refused_models(
            flusher, bench.pending, states, names=configuration.names, generation=configuration.generation
        )

    assert stop()
    assert [states[0].intakes.reason(model_id) is None for model_id in ids] == [True, False, True]
    assert "no_such_pane" in str(states[0].intakes.reason(ids[1]))
    assert not stop(), "a model that is stopped already is no new finding: the caller waits"
    with engine.connect() as connection:
        for table in (pane, series, flush):
            assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 0


@pytest.mark.kafka
def test_the_stream_goes_on_without_the_refused_model(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Its records are dead letters with the database's words, the others' are counted, offsets move."""
    ids = [apply_model(engine, model=name, sample_rate=1.0) for name in ("credit", "fraud", "churn")]
    with engine.connect() as connection:
        configuration = load_configuration(connection)
    cells_id = next(model.cells[0].cells_id for model in configuration.models if model.model_id == ids[1])
    refuse(engine, f"cells_id <> {cells_id}")
    produce(kafka_broker, topic_names.predictions, bodies(600))
    with ingesting(settings_for(database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == 600)
    rows = offsets_of(engine, topic_names.predictions)
    assert sum(row.counters.counted for row in rows) == 400
    with engine.connect() as connection:
        reasons = set(connection.execute(sa.select(dead_letter.c.reason, dead_letter.c.model)).all())
        stops = stopped_models(connection)
    assert reasons == {("model_stopped", "fraud")}
    assert {str(stop.model) for stop in stops} == {"fraud"}
    assert all("no_such_pane" in stop.reason for stop in stops)


@pytest.mark.kafka
def test_what_no_single_model_causes_is_said_and_tried_again(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Offsets that the database refuses are nobody's fault: health says so, and once it takes them all is counted."""
    apply_model(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE input_offset ADD CONSTRAINT no_progress CHECK (records = 0) NOT VALID"))
    produce(kafka_broker, topic_names.predictions, bodies(300))
    health = Health()
    with ingesting(settings_for(database_url, kafka_broker, topic_names), health=health):
        wait_until(lambda: "no_progress" in (health.reason or ""))
        with engine.begin() as connection:
            assert not stopped_models(connection)
            connection.execute(sa.text("ALTER TABLE input_offset DROP CONSTRAINT no_progress"))
        wait_until(lambda: records(engine) == 300)
        wait_until(lambda: health.reason is None)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.sum(input_offset.c.counted))).scalar() == 100
