"""Models in turn, a batch each; shared by two alerters; health names every model that nobody looks at."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy import Engine

from alerting.advance_model import ModelEvaluator
from alerting.alerter import Alerter
from alerting.delivery.deliver import DeliverySettings
from alerting.receivers.webhook import WebhookSettings
from driftline.dead_man import dead_man
from monitor.evaluate import EvaluationBatch
from monitor.health import Health
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.configuration import AppliedModel
from monitor.store.incidents import lock_model
from monitor.store.model_turns import model_turns
from monitor.store.schema import heartbeat, model_turn
from tests.fakes.receiver import Receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.faults.dead_man_service import dead_man_service
from tests.integration.test_alerting_app import Running, decide, hook, settings_without_broker
from tests.models.alerted import apply_story
from tests.services.waiting import wait_until

__all__ = ["hook"]  # the fixture

T0 = 1_780_000_200_000
SWEEP = 10.0


@dataclass
class RecordingEvaluator(ScriptedEvaluator):
    """Remembers whose batches it was asked for; those named in *broken* raise; each takes *seconds*."""

    asked: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> EvaluationBatch:
        self.asked.append(applied.key.name)
        if applied.key.name in self.broken:
            raise ValueError(f"a fault of {applied.key.name}")
        time.sleep(self.seconds)
        return super().evaluate_model(connection, applied, now_millis=now_millis)


def alerter_on(
    engine: Engine, evaluator: ModelEvaluator, *, name: str = "one", health: Health | None = None
) -> Alerter:
    webhook = WebhookSettings(timeout_seconds=1, allow_private=True, environment={})
    return Alerter(
        engine=engine,
        settings=Settings(sweep_seconds=SWEEP),
        evaluator=evaluator,
        delivery=DeliverySettings(engine=engine, owner=name, webhook=webhook, jitter=lambda: 0.0),
        stopping=lambda: False,
        health=health or Health(),
    )


def age_turns(engine: Engine, seconds: float) -> None:
    """Let every look at a model be *seconds* ago."""
    with engine.begin() as connection:
        moment = sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        connection.execute(sa.update(model_turn).values(turned_at=moment))


def test_a_backlog_delays_no_other_model_by_more_than_a_batch(engine: Engine) -> None:
    """The first of three has 20 batches due, as after an outage; the others are looked at between any two of them."""
    story = RecordingEvaluator(at_once=1)
    story.play(apply_story(engine, model="behind"), "." * 20, start=T0)
    for name in ("fresh", "other"):
        story.play(apply_story(engine, model=name), "a", start=T0)
    alerter = alerter_on(engine, story)
    alerter.advance()
    assert story.asked == ["behind", "fresh", "other"]
    for _ in range(3):
        alerter.catch_up()
        alerter.advance(frozenset({"fresh", "behind"}))  # a wake-up does not add to the turns of a model behind
    assert story.asked[3:] == ["behind", "fresh"] * 3
    while alerter.behind:
        alerter.catch_up()
    assert Counter(story.asked)["behind"] == 20


def test_models_behind_take_turns_the_least_behind_first(engine: Engine) -> None:
    """Two with a backlog: the one whose next window is newer has its batch first, then each in turn."""
    story = RecordingEvaluator(at_once=1)
    story.play(apply_story(engine, model="long"), "." * 6, start=T0)
    story.play(apply_story(engine, model="short"), "." * 4, start=T0 + 86_400_000)
    alerter = alerter_on(engine, story)
    alerter.advance()
    while alerter.behind:
        alerter.catch_up()
    assert story.asked == ["long", "short", *["short", "long"] * 3, "long", "long"]


def test_two_alerters_halve_the_time_of_a_sweep(engine: Engine) -> None:
    """Each looks at its own half, at the same time: 40 models once, not twice."""
    for number in range(40):
        apply_story(engine, model=f"model-{number}")
    stories = [RecordingEvaluator(seconds=0.02) for _ in range(2)]
    alerters = [alerter_on(engine, story, name=name) for story, name in zip(stories, ("one", "two"), strict=True)]
    alerters[0].advance()
    alerters[1].advance()  # from here on both know of both
    for story in stories:
        story.asked.clear()
    threads = [threading.Thread(target=alerter.advance) for alerter in alerters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(stories[0].asked + stories[1].asked) == sorted(f"model-{number}" for number in range(40))
    assert all(10 < len(story.asked) < 30 for story in stories)


def test_the_models_of_an_alerter_that_died_are_taken_over(engine: Engine) -> None:
    """Killed, it says nothing: its models are another's as soon as they were not looked at for a sweep and a half."""
    for number in range(10):
        apply_story(engine, model=f"model-{number}")
    first, second = RecordingEvaluator(), RecordingEvaluator()
    alerter_on(engine, first, name="killed").advance()
    other = alerter_on(engine, second, name="two")
    other.advance()
    assert 0 < len(second.asked) < 10
    age_turns(engine, 2 * SWEEP)
    second.asked.clear()
    other.advance()
    assert len(second.asked) == 10


def test_an_alerter_that_ends_leaves_its_models_at_once(engine: Engine) -> None:
    """An orderly end, as at a deployment: the others have all models from their next sweep on."""
    for number in range(10):
        apply_story(engine, model=f"model-{number}")
    ending, story = alerter_on(engine, ScriptedEvaluator(), name="ending"), RecordingEvaluator()
    ending.advance()
    ending.close()
    with engine.connect() as connection:
        assert connection.execute(sa.select(heartbeat.c.worker)).all() == []
    alerter_on(engine, story, name="two").advance()
    assert len(story.asked) == 10


def test_health_names_each_model_that_cannot_be_evaluated(engine: Engine) -> None:
    """Every evaluation of two raises: named with their causes, logged once each; unhealthy after three sweeps of it."""
    for name in ("bad", "worse", "good"):
        apply_story(engine, model=name)
    story, health = RecordingEvaluator(broken={"bad", "worse"}), Health()
    alerter = alerter_on(engine, story, health=health)
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            alerter.advance()
    assert health.notices == (
        "model bad is not advanced: ValueError('a fault of bad')",
        "model worse is not advanced: ValueError('a fault of worse')",
    )
    assert health.reason is None
    assert Counter(line["event"] for line in lines) == {"model.advance_failed": 2, "service.lost": 2}
    with engine.connect() as connection:
        turns = {
            turn.key.name: (turn.failures, turn.problem is not None, turn.turned_at) for turn in model_turns(connection)
        }
    assert turns["bad"] == turns["worse"] == (5, True, None)
    assert turns["good"][:2] == (0, False)
    age_turns(engine, 3 * SWEEP + 1)
    alerter.advance()
    assert health.reason is not None
    assert health.reason.startswith("model bad: no alerter has judged it for ")
    assert "expected one within 30 s: model bad is not advanced: ValueError('a fault of bad')" in health.reason
    assert "model worse is not advanced" in health.reason
    assert "good" not in health.reason
    story.broken.clear()
    alerter.advance()
    assert health.reason is None
    assert health.notices == ()


def test_health_names_a_model_that_nobody_has_looked_at_for_three_sweeps(engine: Engine) -> None:
    """Its row is locked by somebody who does not get on, wherever that is: each alerter says so, until it is free."""
    for name in ("stuck", "fine"):
        apply_story(engine, model=name)
    healths = [Health(), Health()]
    alerters = [
        alerter_on(engine, ScriptedEvaluator(), name=name, health=health)
        for name, health in zip(("one", "two"), healths, strict=True)
    ]
    for alerter in alerters:
        alerter.advance()
    assert [health.reason for health in healths] == [None, None]
    with engine.begin() as connection:
        stuck = connection.execute(sa.select(schema.model.c.id).where(schema.model.c.name == "stuck")).scalar_one()
        assert lock_model(connection, stuck)
        age_turns(engine, 3 * SWEEP + 1)
        for alerter in alerters:
            alerter.advance()
        for health in healths:
            assert health.reason is not None
            assert health.reason.startswith("model stuck: no alerter has judged it for ")
            assert "fine" not in health.reason
    for alerter in (*alerters, *alerters):
        alerter.advance()
    assert [health.reason for health in healths] == [None, None]


def test_a_spec_that_cannot_be_read_is_a_notice_and_a_failed_look(engine: Engine) -> None:
    """Written by another program: named at once; alert rules know from its looks that nobody watches the model."""
    apply_story(engine, model="fine")
    foreign = apply_story(engine, model="foreign")
    with engine.begin() as connection:
        connection.execute(
            sa.update(schema.spec)
            .where(schema.spec.c.model_id == foreign.model_id)
            .values(text="model: [", applied_at=sa.func.clock_timestamp() - sa.text("interval '1 minute'"))
        )
    health = Health()
    alerter_on(engine, ScriptedEvaluator(), health=health).advance()
    assert health.reason is None
    (notice,) = health.notices
    assert "foreign" in notice
    assert "this program cannot read it" in notice
    with engine.connect() as connection:
        (turn,) = (turn for turn in model_turns(connection) if turn.key.name == "foreign")
    assert (turn.turned_at, turn.failures, turn.problem) == (None, 1, notice)


def test_the_dead_man_heartbeat_stays_away_while_one_model_is_not_evaluated(engine: Engine) -> None:
    """Sent to the outside only while every model is judged within three sweeps; back as soon as it is."""
    for name in ("bad", "good"):
        apply_story(engine, model=name)
    story, health = RecordingEvaluator(broken={"bad"}), Health()
    alerter = alerter_on(engine, story, health=health)
    alerter.advance()
    age_turns(engine, 3 * SWEEP + 1)
    alerter.advance()
    with dead_man_service() as service:
        url, role = service.url, "alerter"
        with dead_man(url, role=role, every_seconds=0.1, problem=lambda: health.reason):
            assert service.silent(role, seconds=1.5)
            assert service.count(role) == 0
            story.broken.clear()
            alerter.advance()
            assert service.alive(role)


def test_a_delivery_loop_that_is_refused_goes_on(engine: Engine) -> None:
    """What Postgres refuses, a right that was revoked for one: unhealthy and logged once, not the end of the loop."""
    apply_story(engine)
    health = Health()
    alerter = alerter_on(engine, ScriptedEvaluator(), health=health)
    alerter.deliver()
    assert health.reason is None
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE outbox RENAME TO outbox_elsewhere"))
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            alerter.deliver()
    assert health.reason is not None
    assert "deliveries are not looked for" in health.reason
    assert Counter(line["event"] for line in lines) == {"delivery.look_failed": 1, "service.lost": 1}
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE outbox_elsewhere RENAME TO outbox"))
    alerter.deliver()
    assert health.reason is None
    alerter.close()


@pytest.mark.timeout(120)
def test_a_read_only_database_is_one_outage_and_passes(
    engine: Engine, database_url: str, hook: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    """As after a failover to a replica: one line when it begins, one when it ends, and the next decision is sent."""
    for number in range(5):
        apply_story(engine, model=f"model-{number}")
    decide(engine, hook, model="before")
    settings = settings_without_broker(database_url)
    with Running(settings) as alerter:
        hook.wait_for(lambda receiver: len(receiver.requests) == 1)
        wait_until(lambda: alerter.health.reason is None, what="a healthy alerter")
        capfd.readouterr()
        _set_read_only(engine, "on")
        wait_until(lambda: "read-only" in (alerter.health.reason or ""), what="an unhealthy report")
        wait_until(lambda: alerter.health.ages["delivery"] < 1, what="a delivery loop that goes on")
        _set_read_only(engine, "off")
        engine.dispose()
        decide(engine, hook, model="after")
        hook.wait_for(lambda receiver: len(receiver.identifiers) == 2)
        wait_until(lambda: alerter.health.reason is None, what="a healthy report")
    lines = "".join(capfd.readouterr()).splitlines()
    assert sum("service.lost" in line and "service=postgres" in line for line in lines) <= 2
    assert not [line for line in lines if "advance_failed" in line or "delivery.failed" in line]


def _set_read_only(engine: Engine, value: str) -> None:
    """Let every new transaction of the database be read-only or not, and end the connections of before."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SET default_transaction_read_only = off"))
        connection.execute(
            sa.text(f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only = {value}')
        )
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
