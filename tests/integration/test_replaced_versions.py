"""Replaced versions on a real Postgres: watched while they have events, an incident of their own; assumed rollbacks."""

import base64
import secrets
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.actions.assumed_deployments import assume_rollback
from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work
from alerting.receivers.webhook import WebhookSettings
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.actions import granted_actions
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.store.deployments import deployments_history
from monitor.store.flush import DeploymentRow, append_deployments
from monitor.store.incidents import newest_incidents
from monitor.store.views.status import model_statuses
from monitor.types import ActionState, IncidentKind, PartitionKey, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.fakes.receiver import Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import SECRET_ENV, apply_story, body_of, deploy, rollback_action, webhook
from tests.oracle.stored import steps_of_incident

T0 = 1_780_000_000_000 // HOUR_MILLIS * HOUR_MILLIS
STEP = 5 * MINUTE_MILLIS
HOOK = "http://127.0.0.1:9/hook"
WIDE = "freshness: 9999d"
SECRET = secrets.token_bytes(32)


def steps_of(engine: Engine, applied: AppliedModel) -> dict[tuple[str, IncidentKind], list[str]]:
    with engine.connect() as connection:
        return {
            (row.version, row.kind): steps_of_incident(connection, row.id)
            for row in newest_incidents(connection, applied.model_id)
        }


def history_of(engine: Engine, applied: AppliedModel) -> list[tuple[str, Stage, bool, bool]]:
    with engine.connect() as connection:
        history = deployments_history(connection, applied.model_id)
    return [(row.version, row.stage, row.assumed, row.contradicted_at is not None) for row in history]


def advance(engine: Engine, applied: AppliedModel, story: ScriptedEvaluator, *, now: int) -> None:
    advance_model(engine, applied, story, Settings(), now_millis=now)


@pytest.mark.parametrize("at_once", [1, 50])
def test_a_failed_switch_stays_watched_and_is_notified_once(engine: Engine, at_once: int) -> None:
    """Version 2 was to take over, and version 1 goes on: its drift is still seen, and an incident names the traffic.

    ::

        version 1  prod . . | replaced  . . . . a a a .     whatever the batches
        deployment incident             |   opened: the first window wholly after 10 minutes
    """
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    deploy(engine, applied, ("1", T0 - DAY_MILLIS, Stage.PRODUCTION), ("2", T0 + STEP, Stage.PRODUCTION))
    story = ScriptedEvaluator(at_once=at_once)
    story.play(applied, "......aaa.", start=T0)
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    assert steps_of(engine, applied) == {
        ("1", IncidentKind.DRIFT): ["opened ALERT finding_endured"],
        ("1", IncidentKind.DEPLOYMENT): ["opened WARNING finding_endured"],
    }
    with engine.connect() as connection:
        (row,) = [row for row in newest_incidents(connection, applied.model_id) if row.kind is IncidentKind.DEPLOYMENT]
        bodies = [body_of(bytes(body)) for body in connection.scalars(sa.select(schema.outbox.c.body))]
    assert row.first_end == T0 + 5 * STEP
    notified = [incident for body in bodies for incident in body["incidents"] if incident["kind"] == "deployment"]
    (incident,) = notified
    assert incident["version"] == "1"
    assert "version 2 took over production" in incident["sentence"]
    assert "1,000 events in the 10 m" in incident["sentence"]
    assert "send a deployment event" in incident["next_step"]


@pytest.mark.parametrize("at_once", [1, 50])
def test_once_its_traffic_stops_the_version_is_retired(engine: Engine, at_once: int) -> None:
    """Its incidents close then: the drift not cured, the traffic over."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    deploy(engine, applied, ("1", T0 - DAY_MILLIS, Stage.PRODUCTION), ("2", T0 + STEP, Stage.PRODUCTION))
    story = ScriptedEvaluator(at_once=at_once)
    story.play(applied, "....aaa", start=T0)
    story.play(applied, "..............", start=T0, version="2")
    advance(engine, applied, story, now=T0 + 2 * HOUR_MILLIS)
    assert steps_of(engine, applied) == {
        ("1", IncidentKind.DRIFT): ["opened ALERT finding_endured", "resolved NONE version_retired"],
        ("1", IncidentKind.DEPLOYMENT): ["opened WARNING finding_endured", "resolved NONE calm_long_enough"],
    }


def test_an_orderly_switch_opens_nothing(engine: Engine) -> None:
    """A few minutes of both versions, and late truths of the old one, are not traffic that goes on."""
    applied = apply_story(engine, alerting=WIDE)
    deploy(engine, applied, ("1", T0 - DAY_MILLIS, Stage.PRODUCTION), ("2", T0 + 2 * STEP, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    story.play(applied, "......", start=T0)
    story.play(applied, "............", start=T0, version="2")
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    assert steps_of(engine, applied) == {}


def test_a_deployment_dated_in_the_future_blocks_no_rollback(engine: Engine) -> None:
    """Tomorrow's promotion of version 3 does not take version 1 out of production today."""
    applied = apply_story(engine, rollback=rollback_action("auto", HOOK), alerting=WIDE)
    deploy(
        engine,
        applied,
        ("1", T0 - 10 * DAY_MILLIS, Stage.PRODUCTION),
        ("2", T0 - HOUR_MILLIS, Stage.CANARY),
        ("3", T0 + DAY_MILLIS, Stage.PRODUCTION),
    )
    story = bad_version(applied)
    advance(engine, applied, story, now=T0 + HOUR_MILLIS)
    with engine.connect() as connection:
        (row,) = granted_actions(connection, applied.model_id)
    assert (row.from_version, row.to_version) == ("2", "1")


def bad_version(applied: AppliedModel, *, stage: Stage = Stage.CANARY) -> ScriptedEvaluator:
    """Version 2 is proven worse than version 1: at the same time if it is a canary, else than it was before."""
    story = ScriptedEvaluator()
    at_once = stage is Stage.CANARY
    for version, letters, start in (("1", "...", T0 if at_once else T0 - 2 * HOUR_MILLIS), ("2", "ccc", T0)):
        story.play(applied, letters, start=start, version=version, column="score", role="score")
        story.play(applied, letters, start=start, version=version, kind=IncidentKind.PERFORMANCE)
    return story


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver(SECRET) as running:
        yield running


def deliver_all(engine: Engine) -> None:
    secret = "whsec_" + base64.b64encode(SECRET).decode()
    sender = DeliverySettings(
        engine=engine,
        owner="test",
        webhook=WebhookSettings(timeout_seconds=5, allow_private=True, environment={SECRET_ENV: secret}),
        jitter=lambda: 0.0,
    )
    for endpoint in endpoints_with_work(sender):
        deliver_to_endpoint(sender, endpoint)


def rolled_back(engine: Engine, hook: Receiver, *, stage: Stage = Stage.CANARY) -> tuple[AppliedModel, int]:
    """Return a model whose version 2 was rolled back to 1, accepted just now, and the end of a window after that."""
    applied = apply_story(engine, rollback=rollback_action("auto", hook.url, ", max_target_age: 9999d"), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY_MILLIS, Stage.PRODUCTION), ("2", T0 - HOUR_MILLIS, stage))
    advance_model(engine, applied, bad_version(applied, stage=stage), Settings())
    with engine.connect() as connection:
        after = (database_now_millis(connection) // STEP + 1) * STEP
    deliver_all(engine)
    with engine.connect() as connection:
        (row,) = granted_actions(connection, applied.model_id)
    assert row.state is ActionState.ACCEPTED
    return applied, after


def test_an_accepted_rollback_is_assumed_and_shown_as_that(engine: Engine, hook: Receiver) -> None:
    """Version 1 is in production again by assumption; `driftline status` shows it, with the mark."""
    applied, _ = rolled_back(engine, hook, stage=Stage.PRODUCTION)
    assert history_of(engine, applied)[-1] == ("1", Stage.PRODUCTION, True, False)
    with engine.connect() as connection:
        (model,) = model_statuses(connection)
    shown = {row.version: (row.stage, row.assumed) for row in model.deployments}
    assert shown == {"1": (Stage.PRODUCTION, True), "2": (Stage.PRODUCTION, False)}


def test_the_event_replaces_what_was_assumed(engine: Engine, hook: Receiver) -> None:
    """Whichever version it puts in production."""
    applied, after = rolled_back(engine, hook, stage=Stage.PRODUCTION)
    event = DeploymentRow(
        model_id=applied.model_id,
        version="3",
        event_time=after,
        stage=Stage.PRODUCTION,
        traffic=None,
        manifest=None,
        source=PartitionKey("deployments", 0),
        offset=50,
    )
    with engine.begin() as connection:
        append_deployments(connection, [event], {})
    assert history_of(engine, applied)[2:] == [("3", Stage.PRODUCTION, False, False)]


def test_a_rollback_that_was_accepted_and_not_done_is_an_incident(engine: Engine, hook: Receiver) -> None:
    """The stream shows version 2 still: the assumption is contradicted, and the traffic is an incident, watched on."""
    applied, after = rolled_back(engine, hook, stage=Stage.PRODUCTION)
    story = ScriptedEvaluator()
    story.play(applied, ".......", start=after, version="2")
    advance(engine, applied, story, now=after + HOUR_MILLIS)
    assert history_of(engine, applied)[-1] == ("1", Stage.PRODUCTION, True, True)
    assert steps_of(engine, applied)["2", IncidentKind.DEPLOYMENT] == ["opened WARNING finding_endured"]
    with engine.connect() as connection:
        (row,) = [row for row in newest_incidents(connection, applied.model_id) if row.kind is IncidentKind.DEPLOYMENT]
        (model,) = model_statuses(connection)
    assert "a rollback to 1 was accepted at" in row.sentence
    assert {shown.version: shown.assumed for shown in model.deployments} == {"1": False, "2": False}


def test_a_rolled_back_canary_is_retired_when_its_traffic_stops(engine: Engine, hook: Receiver) -> None:
    """No event says that it left; version 1 never was out of production, and goes on as it was."""
    applied, after = rolled_back(engine, hook)
    story = ScriptedEvaluator()
    story.play(applied, "......", start=after, version="1")
    advance(engine, applied, story, now=after + HOUR_MILLIS)
    assert history_of(engine, applied) == [
        ("1", Stage.PRODUCTION, False, False),
        ("2", Stage.CANARY, False, False),
        ("2", Stage.RETIRED, True, False),
    ]
    steps = steps_of(engine, applied)
    assert [steps["2", kind][-1] for kind in (IncidentKind.DRIFT, IncidentKind.PERFORMANCE)] == [
        "resolved NONE version_retired",
        "resolved NONE version_retired",
    ]


def test_accepted_twice_it_is_assumed_once(engine: Engine, hook: Receiver) -> None:
    """A delivery that is repeated after a crash writes the same row."""
    applied, after = rolled_back(engine, hook, stage=Stage.PRODUCTION)
    before = history_of(engine, applied)
    with engine.begin() as connection:
        (row,) = granted_actions(connection, applied.model_id)
        assume_rollback(connection, row.id, now_millis=after)
    assert history_of(engine, applied) == before


def test_what_fell_after_a_full_switch_waits_for_a_person(engine: Engine) -> None:
    """Its first windows, which are read from the database, were fine: the version before might do no better now."""
    applied = apply_story(engine, rollback=rollback_action("auto", HOOK, ", max_target_age: 9999d"), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY_MILLIS, Stage.PRODUCTION), ("2", T0 - HOUR_MILLIS, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    for version, letters, start in (("1", "...", T0 - 2 * HOUR_MILLIS), ("2", "..." + "c" * 6, T0)):
        story.play(applied, letters, start=start, version=version, column="score", role="score")
        story.play(applied, letters, start=start, version=version, kind=IncidentKind.PERFORMANCE)
    advance_model(engine, applied, story, Settings())
    with engine.connect() as connection:
        rows = granted_actions(connection, applied.model_id)
    assert [(row.state, row.reason) for row in rows] == [(ActionState.AWAITING_APPROVAL, "world_may_have_changed")]
