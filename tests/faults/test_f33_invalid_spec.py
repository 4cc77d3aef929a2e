"""F33, an invalid spec: refused when it is applied; one that is in the database already is its own model's trouble."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.health import Health
from monitor.maintain import run_maintain
from monitor.settings import Settings
from monitor.store.configuration import load_configuration
from monitor.store.schema import cells, configuration, dead_letter, spec
from tests.models.credit import START, apply_model, encoded, prediction_event, spec_text
from tests.services.command import document, run
from tests.services.ingest import ingesting, offsets_of, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.timeout(120)


def spoil(engine: Engine, model_id: int, text: str) -> None:
    """Store *text* as the model's newest spec, as a program did that still knew its keys."""
    with engine.begin() as connection:
        newest = connection.execute(
            sa.select(spec).where(spec.c.model_id == model_id).order_by(spec.c.version.desc()).limit(1)
        ).one()
        connection.execute(sa.insert(spec).values({**newest._asdict(), "version": newest.version + 1, "text": text}))
        connection.execute(sa.update(configuration).values(generation=configuration.c.generation + 1))


def test_an_invalid_spec_is_refused_with_every_problem_and_the_old_one_goes_on(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    """Two unknown keys and a wrong kind are all named; nothing of the configuration moves."""
    apply_model(engine)
    with engine.connect() as connection:
        before = load_configuration(connection)
    path = tmp_path / "credit.yaml"
    path.write_text(spec_text(shape="old", colour="blue", columns={"amount": {"kind": "number"}}))
    done = run(database_url, "apply", str(path), directory=tmp_path)
    assert done.returncode == 2
    for problem in ("shape: unknown key", "colour: unknown key", "columns.amount.kind"):
        assert problem in done.stderr
    with engine.connect() as connection:
        assert load_configuration(connection) == before


@pytest.mark.parametrize("text", [spec_text(model="fraud", shape="old"), "- not: a mapping", "a: [", "model: fraud"])
def test_a_spec_that_cannot_be_read_leaves_the_others_readable(engine: Engine, text: str) -> None:
    """A key that an upgrade removed, or bytes that are no spec: the model is named with its version and what to do."""
    credit, fraud = apply_model(engine), apply_model(engine, model="fraud")
    spoil(engine, fraud, text)
    with engine.connect() as connection:
        configuration = load_configuration(connection)
    assert [model.model_id for model in configuration.models] == [credit]
    (unreadable,) = configuration.unreadable
    assert (unreadable.model_id, str(unreadable.key)) == (fraud, "fraud")
    assert unreadable.problem.startswith("spec 2 of fraud: this program cannot read it: ")
    assert "driftline apply" in unreadable.problem
    assert configuration.names.keys() == {credit, fraud}


def test_cells_that_cannot_be_read_are_their_models_trouble_too(engine: Engine) -> None:
    """Not only the spec's text can be of another program."""
    credit, fraud = apply_model(engine), apply_model(engine, model="fraud")
    with engine.begin() as connection:
        connection.execute(sa.update(cells).where(cells.c.model_id == fraud).values(layout=b"\x81\xa1x\x01"))
    with engine.connect() as connection:
        configuration = load_configuration(connection)
    assert [model.model_id for model in configuration.models] == [credit]
    assert "its cells" in configuration.unreadable[0].problem


@pytest.mark.kafka
def test_records_of_an_unreadable_model_wait_as_dead_letters_while_the_others_count(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, tmp_path: Path
) -> None:
    """Ingest and status go on and say so; once it is repaired, what waited for it is sent again and counted."""
    apply_model(engine)
    fraud = apply_model(engine, model="fraud")
    spoil(engine, fraud, spec_text(model="fraud", shape="old"))
    events = [
        encoded(prediction_event(number, model=("credit", "fraud")[number % 2], at=START + number))
        for number in range(2000)
    ]
    settings = settings_for(database_url, kafka_broker, topic_names)
    topic = topic_names.predictions
    health = Health()

    def counted() -> int:
        return sum(row.counters.counted for row in offsets_of(engine, topic))

    with ingesting(settings, health=health):
        produce(kafka_broker, topic, events)
        wait_until(lambda: records(engine) == 2000)
        wait_until(lambda: any("spec 2 of fraud" in notice for notice in health.notices))
        assert counted() == 1000
        with engine.connect() as connection:
            reasons = set(connection.execute(sa.select(dead_letter.c.reason, dead_letter.c.model)).all())
        assert reasons == {("spec_unreadable", "fraud")}
        (unreadable,) = document(database_url, "status", directory=tmp_path)["unreadable_specs"]
        assert unreadable["key"]["name"] == "fraud"
        assert "spec 2 of fraud" in run(database_url, "status", directory=tmp_path).stdout
        spoil(engine, fraud, spec_text(model="fraud"))
        wait_until(lambda: counted() == 2000)  # sent again by itself
        wait_until(lambda: not any("fraud" in notice for notice in health.notices))


def test_maintain_says_which_models_it_leaves_alone(database_url: str, engine: Engine, tmp_path: Path) -> None:
    """Healthy, with a notice that names the model; the others are worked for."""
    apply_model(engine)
    spoil(engine, apply_model(engine, model="fraud"), "- no spec")
    stop, health = threading.Event(), Health()
    maintain = threading.Thread(
        target=run_maintain, args=(Settings(database_url=database_url),), kwargs={"stop": stop, "health": health}
    )
    maintain.start()
    try:
        wait_until(lambda: any("spec 2 of fraud" in notice for notice in health.notices))
        assert health.reason is None
    finally:
        stop.set()
        maintain.join(30)
