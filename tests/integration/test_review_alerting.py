"""What must never be sent: to a version that was bad, past a deadline, past a kill switch."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.actions.guard import rollback_decision
from alerting.delivery.deliver import deliver_to_endpoint, endpoints_with_work, expire
from monitor.store import schema
from monitor.store.actions import granted_actions
from monitor.store.database_clock import database_now_millis
from monitor.types import DeliveryState, IncidentKind, Stage
from tests.fakes.receiver import receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_alerting_advance import DAY, HOOK, HOUR, STEP, WIDE, advance, outbox_of, refusals
from tests.integration.test_delivery import SECRET, ask_for_retraining, deliver_all, delivery, the_request
from tests.models.alerted import action, apply_story, deploy, webhook
from tests.unit.alerting.test_guard import EVIDENCE, PROMOTED, PROPOSAL, ROLLBACK, Event

T0 = 1_780_000_000_000 // HOUR * HOUR


def test_no_rollback_to_a_version_that_was_replaced_because_it_was_bad(engine: Engine) -> None:
    """Version 1 is under its floor, version 2 takes over as the cure and is bad too: nowhere to go back to.

    ::

        version 1  c c | replaced: its incident is closed, not cured
        version 2      | c c c
    """
    applied = apply_story(engine, rollback=action("auto", HOOK), alerting=WIDE)
    deploy(engine, applied, ("1", T0 - 10 * DAY, Stage.PRODUCTION), ("2", T0 + 2 * STEP, Stage.PRODUCTION))
    story = ScriptedEvaluator()
    story.play(applied, "cc", start=T0, kind=IncidentKind.PERFORMANCE, column="")
    story.play(applied, "   ccc", start=T0, version="2", column="score", role="score")
    story.play(applied, "   ccc", start=T0, version="2", kind=IncidentKind.PERFORMANCE, column="")
    advance(engine, applied, story, now=T0 + HOUR)
    with engine.connect() as connection:
        assert granted_actions(connection, applied.model_id) == ()
    assert ("rollback", "target_flagged") in refusals(engine, applied)


def test_late_truths_of_a_replaced_version_are_told_once(engine: Engine) -> None:
    """Its windows mature one by one after version 2 took over: one page and one close, not one of each per window."""
    applied = apply_story(engine, receivers=[webhook("everyone", HOOK)], alerting=WIDE)
    deploy(engine, applied, ("1", T0 - DAY, Stage.PRODUCTION), ("2", T0 + 6 * STEP, Stage.PRODUCTION))
    for round_number in range(5):
        story = ScriptedEvaluator()
        story.play(applied, "c", start=T0 + round_number * STEP, kind=IncidentKind.PERFORMANCE, column="")
        story.play(applied, ".", start=T0 + (10 + round_number) * STEP, version="2")
        with engine.begin() as connection:
            connection.execute(sa.delete(schema.scale_progress))
        advance(engine, applied, story, now=T0 + HOUR)
    sent = sorted(outbox_of(engine), key=lambda delivery: delivery.type)
    assert [delivery.type for delivery in sent] == ["model.incident.opened", "model.incident.resolved"]
    assert "serves no more" in str(sent[1].body["sentence"])


def test_a_retired_version_is_no_target() -> None:
    """It was in production long enough, and exists no more: the page says so and nothing is asked for."""
    history = (*PROMOTED, Event("1", PROMOTED[-1].event_time + 60_000, Stage.RETIRED))
    assert rollback_decision(PROPOSAL, EVIDENCE, history, rules=ROLLBACK) == "no_known_target"


@pytest.mark.parametrize("switch", ["global", "model"])
def test_a_kill_switch_holds_what_waits_to_be_sent(engine: Engine, switch: str) -> None:
    """Thrown between decision and sending: not sent, expired at its deadline; people are told before and after."""
    with receiver(SECRET) as hook, receiver(SECRET) as people:
        ask_for_retraining(engine, hook.url, webhook("people", people.url))
        if switch == "model":
            with engine.begin() as connection:
                connection.execute(sa.update(schema.model).values(held=True))
        sender = replace(delivery(engine), actions_enabled=switch != "global")
        deliver_all(sender)
        assert hook.requests == []
        assert [request.content["type"] for request in people.requests] == ["model.incident.opened"]
        late = replace(sender, now=lambda connection: database_now_millis(connection) + 31 * 60_000)
        assert expire(late) == 1
        deliver_all(late)
        assert hook.requests == []
        assert people.requests[-1].content["type"] == "model.action.expired"


def test_a_switch_that_is_released_in_time_lets_it_go(engine: Engine) -> None:
    """Held, not forgotten: within the deadline the action is sent once the switch is back."""
    with receiver(SECRET) as hook:
        ask_for_retraining(engine, hook.url)
        deliver_all(replace(delivery(engine), actions_enabled=False))
        assert hook.requests == []
        deliver_all(delivery(engine))
        assert len(hook.requests) == 1


def test_a_sender_suspended_past_the_deadline_sends_nothing(engine: Engine) -> None:
    """Claimed in time, then stopped for an hour, as by a suspended machine: it expires and is not sent."""
    with receiver(SECRET) as hook:
        ask_for_retraining(engine, hook.url)
        (endpoint,) = endpoints_with_work(delivery(engine))
        readings = iter([0, *[3_600_000] * 10])
        slow = replace(delivery(engine), now=lambda connection: database_now_millis(connection) + next(readings))
        deliver_to_endpoint(slow, endpoint)
        assert hook.requests == []
        assert expire(delivery(engine, later_millis=3_600_000)) == 1
        assert the_request(engine).state is DeliveryState.EXPIRED
