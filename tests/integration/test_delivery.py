"""Deliveries from a real outbox to a real HTTP receiver: one id whatever happens on the way."""

import base64
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.alerter import Alerter
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work, expire_overdue_effects
from alerting.receivers.webhook import WebhookSettings
from monitor.health import Health
from monitor.settings import Settings
from monitor.store import schema
from monitor.store.actions import granted_actions
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.store.outbox import close_lease, take_lease
from monitor.store.schema import endpoint, outbox
from monitor.types import ActionState, DeliveryState
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import SECRET_ENV, action, apply_story, webhook
from tests.models.holding import hold_actions

T0 = 1_780_000_200_000
TIMEOUT = 2.0  # a busy machine may keep an answer back for a second
SECRET = secrets.token_bytes(32)
SECRET_TEXT = "whsec_" + base64.b64encode(SECRET).decode()
CLOSED_PORT = "http://127.0.0.1:9/hook"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver(SECRET) as running:
        yield running


def delivery(
    engine: Engine, *, later_millis: int = 0, allow_private: bool = True, secret: str = SECRET_TEXT
) -> DeliverySettings:
    """Return a deliverer whose clock is the database's, *later_millis* on; it never waits between attempts."""
    return DeliverySettings(
        engine=engine,
        owner="test",
        webhook=WebhookSettings(timeout_seconds=TIMEOUT, allow_private=allow_private, environment={SECRET_ENV: secret}),
        jitter=lambda: 0.0,
        now=lambda connection: database_now_millis(connection) + later_millis,
    )


def ask_for_retraining(engine: Engine, url: str, *receivers: str) -> AppliedModel:
    """Decide one retraining request to *url*, and one message per receiver."""
    applied = apply_story(engine, receivers=receivers, retraining=action("auto", url), alerting="freshness: 9999d")
    story = ScriptedEvaluator()
    story.play(applied, "a", start=T0)
    report = advance_model(engine, applied, story, Settings())
    assert report.granted == 1
    return applied


def deliver_all(sender: DeliverySettings) -> None:
    for _ in range(20):
        due = endpoints_with_work(sender)
        if not due:
            return
        for waiting in due:
            deliver_to_endpoint(sender, waiting)


@dataclass(frozen=True, slots=True)
class Request:
    """The retraining request as the outbox has it."""

    id: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None


def the_request(engine: Engine) -> Request:
    with engine.connect() as connection:
        row = connection.execute(sa.select(outbox).where(outbox.c.event_type == "model.retrain.requested")).one()
    return Request(str(row.id), DeliveryState(row.state), row.attempts, row.last_status, row.last_error)


def action_state(engine: Engine, applied: AppliedModel) -> ActionState:
    with engine.connect() as connection:
        (row,) = granted_actions(connection, applied.model_id)
    return row.state


@pytest.mark.parametrize(
    ("script", "attempts"),
    [
        pytest.param((Answer(status=500), Answer(status=500), Answer()), 3, id="500 500 200"),
        pytest.param((Answer(status=None), Answer()), 2, id="never answered, then 200"),
        pytest.param((Answer(delay_seconds=3 * TIMEOUT), Answer()), 2, id="200 after our time-out, then 200"),
        pytest.param((Answer(status=503), Answer(status=None), Answer(status=429), Answer(status=202)), 4, id="all"),
    ],
)
def test_however_often_it_is_sent_it_has_one_id(engine: Engine, script: tuple[Answer, ...], attempts: int) -> None:
    """F20: every attempt verifies, carries the same id and body; the action ends accepted."""
    with receiver(SECRET, *script) as hook:
        applied = ask_for_retraining(engine, hook.url)
        deliver_all(delivery(engine))
        assert len(hook.requests) == attempts
        assert hook.identifiers == {the_request(engine).id}
        assert {request.idempotency_key for request in hook.requests} == hook.identifiers
        assert len({request.body for request in hook.requests}) == 1
        assert all(request.verified for request in hook.requests)
    row = the_request(engine)
    assert (row.state, row.attempts) == (DeliveryState.DONE, attempts)
    assert action_state(engine, applied) is ActionState.ACCEPTED


def test_a_time_out_after_sending_is_unknown_until_answered(engine: Engine) -> None:
    """The receiver may have acted on it: the action says so, and the row is tried again."""
    with receiver(SECRET, Answer(status=None)) as hook:
        applied = ask_for_retraining(engine, hook.url)
        sender = replace(delivery(engine), jitter=lambda: 0.99)
        deliver_all(sender)
        assert len(hook.requests) == 1
    assert action_state(engine, applied) is ActionState.UNKNOWN
    assert the_request(engine).state is DeliveryState.PENDING


def test_a_silent_receiver_delays_nobody_else(engine: Engine) -> None:
    """F19: while one endpoint waits for its time-out, the message to another has long arrived."""
    with receiver(SECRET, Answer(status=None)) as silent, receiver(SECRET) as quick:
        ask_for_retraining(engine, silent.url, webhook("people", quick.url))
        slow = replace(
            delivery(engine),
            webhook=WebhookSettings(timeout_seconds=60.0, allow_private=True, environment={SECRET_ENV: SECRET_TEXT}),
        )
        rounds = rounds_of(engine, slow)
        rounds.deliver()
        quick.wait_for(lambda hook: len(hook.requests) == 1, seconds=50)
        silent.wait_for(lambda hook: len(hook.requests) == 1, seconds=50)
        rounds.deliver()  # the silent one is under way and not started twice
        assert len(silent.requests) == 1
        assert the_request(engine).state is DeliveryState.PENDING
        silent.released.set()
        rounds.close()


def rounds_of(engine: Engine, sender: DeliverySettings, *, health: Health | None = None) -> Alerter:
    return Alerter(
        engine=engine,
        settings=Settings(),
        evaluator=ScriptedEvaluator(),
        delivery=sender,
        stopping=lambda: False,
        health=health or Health(),
    )


SENDER = """
import os, sys
import sqlalchemy as sa
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work
from alerting.receivers.webhook import WebhookSettings
engine = sa.create_engine(sys.argv[1])
webhook = WebhookSettings(timeout_seconds=30.0, allow_private=True, environment=os.environ)
sender = DeliverySettings(engine=engine, owner="doomed", webhook=webhook, jitter=lambda: 0.0)
for endpoint in endpoints_with_work(sender):
    deliver_to_endpoint(sender, endpoint)
"""


def test_a_crash_between_send_and_close_sends_again_under_the_same_id(engine: Engine, database_url: str) -> None:
    """F21: a real process is killed after the answer; the lease runs out, another alerter sends, one distinct id."""
    with receiver(SECRET) as hook:
        applied = ask_for_retraining(engine, hook.url)
        environment = {**os.environ, SECRET_ENV: SECRET_TEXT, "DRIFTLINE_FAILPOINT": "deliver.after_send"}
        done = subprocess.run([sys.executable, "-c", SENDER, database_url], env=environment, timeout=60, check=False)
        assert done.returncode == -9
        assert len(hook.requests) == 1
        assert action_state(engine, applied) is ActionState.DISPATCHING
        deliver_all(delivery(engine))
        assert len(hook.requests) == 1  # the lease still runs
        deliver_all(delivery(engine, later_millis=600_000))
        assert len(hook.requests) == 2
        assert hook.identifiers == {the_request(engine).id}
    assert action_state(engine, applied) is ActionState.ACCEPTED


def test_a_zombie_cannot_close_what_another_has_claimed(engine: Engine) -> None:
    """The lease's epoch fences: the first holder's late close writes nothing."""
    ask_for_retraining(engine, CLOSED_PORT)
    with engine.begin() as connection:
        now = database_now_millis(connection)
        (endpoint,) = endpoints_with_work(delivery(engine))
        first = take_lease(connection, endpoint, owner="one", now_millis=now, lease_millis=1000)
    assert first is not None
    with engine.begin() as connection:
        assert take_lease(connection, endpoint, owner="two", now_millis=now + 500, lease_millis=1000) is None
        second = take_lease(connection, endpoint, owner="two", now_millis=now + 1500, lease_millis=1000)
    assert second is not None
    assert (second.effect.id, second.epoch) == (first.effect.id, first.epoch + 1)
    with engine.begin() as connection:
        late = close_lease(connection, first, state=DeliveryState.DONE, status=200, error=None, now_millis=now + 1600)
        ours = close_lease(connection, second, state=DeliveryState.DONE, status=200, error=None, now_millis=now + 1600)
    assert (late, ours) == (False, True)


def test_past_its_deadline_an_action_expires_and_people_are_notified(engine: Engine, hook: Receiver) -> None:
    """F22: the receiver is down for 31 minutes; nothing is sent later, and a message says a human is needed."""
    applied = ask_for_retraining(engine, CLOSED_PORT, webhook("people", hook.url, from_tier="critical"))
    deliver_to_endpoint(delivery(engine), endpoints_with_work(delivery(engine))[0])
    late = delivery(engine, later_millis=31 * 60 * 1000)
    assert expire_overdue_effects(late) == 1
    assert expire_overdue_effects(late) == 0
    deliver_all(late)
    assert the_request(engine).state is DeliveryState.EXPIRED
    assert action_state(engine, applied) is ActionState.EXPIRED
    (message,) = [request.content for request in hook.requests]
    assert message["type"] == "model.action.expired"
    assert "act by hand" in str(message["sentence"])


@pytest.mark.parametrize("switch", ["global", "model"])
def test_a_kill_switch_holds_what_waits_to_be_sent(engine: Engine, switch: str) -> None:
    """Thrown between decision and sending: not sent, expired at its deadline; people are notified before and after."""
    with receiver(SECRET) as hook, receiver(SECRET) as people:
        ask_for_retraining(engine, hook.url, webhook("people", people.url))
        if switch == "model":
            hold_actions(engine)
        sender = replace(delivery(engine), actions_enabled=switch != "global")
        deliver_all(sender)
        assert hook.requests == []
        assert [request.content["type"] for request in people.requests] == ["model.incident.opened"]
        late = replace(sender, now=lambda connection: database_now_millis(connection) + 31 * 60_000)
        assert expire_overdue_effects(late) == 1
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
        assert expire_overdue_effects(delivery(engine, later_millis=3_600_000)) == 1
        assert the_request(engine).state is DeliveryState.EXPIRED


@pytest.mark.parametrize("status", [302, 404, 410])
def test_a_refusal_is_dead_at_once_and_notified(engine: Engine, hook: Receiver, status: int) -> None:
    """Redirects are not followed, refusals not repeated; the action failed and people are notified of it."""
    elsewhere = Answer(status=status, headers={"location": hook.url})
    with receiver(SECRET, elsewhere) as refusing:
        applied = ask_for_retraining(engine, refusing.url, webhook("people", hook.url))
        deliver_all(delivery(engine))
        assert len(refusing.requests) == 1
    row = the_request(engine)
    assert (row.state, row.last_status) == (DeliveryState.DEAD, status)
    assert action_state(engine, applied) is ActionState.FAILED
    assert sorted(str(request.content["type"]) for request in hook.requests) == [
        "model.action.failed",
        "model.incident.opened",
    ]


def test_five_failures_open_the_breaker(engine: Engine) -> None:
    """No sixth attempt within the minute, one after it; an answer closes it."""
    with receiver(SECRET, *[Answer(status=500)] * 6, Answer()) as hook:
        ask_for_retraining(engine, hook.url)
        deliver_all(delivery(engine))
        assert len(hook.requests) == 5
        assert endpoint_of(engine) == (5, True)
        deliver_all(delivery(engine, later_millis=61_000))
        assert len(hook.requests) == 6
        deliver_all(delivery(engine, later_millis=125_000))
        assert len(hook.requests) == 7
    assert endpoint_of(engine) == (0, False)


def endpoint_of(engine: Engine) -> tuple[int, bool]:
    with engine.connect() as connection:
        (row,) = connection.execute(sa.select(endpoint))
    return row.failures, row.broken_until is not None


@pytest.mark.parametrize("secret", ["", "whsec_" + base64.b64encode(b"short").decode()])
def test_without_a_proper_secret_nothing_is_sent(engine: Engine, hook: Receiver, secret: str) -> None:
    """It waits, with a reason that names the variable."""
    ask_for_retraining(engine, hook.url)
    deliver_all(delivery(engine, secret=secret))
    assert hook.requests == []
    assert SECRET_ENV in str(the_request(engine).last_error)


def test_a_private_target_needs_permission(engine: Engine, hook: Receiver) -> None:
    """With `allow_private_targets` off the loopback receiver is never connected to."""
    ask_for_retraining(engine, hook.url)
    deliver_all(delivery(engine, allow_private=False))
    assert hook.requests == []
    assert "private address" in str(the_request(engine).last_error)


def test_the_secret_is_never_logged_nor_stored(engine: Engine) -> None:
    """Neither log lines nor any column of the outbox hold the secret or its bytes."""
    with receiver(SECRET, Answer(status=500, body=b"no"), Answer()) as hook, structlog.testing.capture_logs() as lines:
        ask_for_retraining(engine, hook.url)
        deliver_all(delivery(engine))
    with engine.connect() as connection:
        tables = (schema.outbox, schema.endpoint, schema.action)
        stored = str([connection.execute(sa.select(table)).all() for table in tables])
    bare = SECRET_TEXT.removeprefix("whsec_")
    assert any(line["event"] == "delivery.attempted" for line in lines)
    assert bare not in str(lines) + stored
    assert SECRET.hex() not in str(lines) + stored


def test_a_log_receiver_is_a_line(engine: Engine) -> None:
    """The simplest receiver needs no network: one structured line per message, done at once."""
    ask_for_retraining(engine, CLOSED_PORT, "{name: log, type: log}")
    sender = delivery(engine)
    with structlog.testing.capture_logs() as lines:
        deliver_all(sender)
    (line,) = [line for line in lines if line["event"] == "notification.sent"]
    assert line["tier"] == "alert"
    assert line["runbook"] == "https://example.org/runbook"


def test_an_answer_without_end_is_cut(engine: Engine) -> None:
    """64 KiB are read of a body of 8 MiB; the status counts, and soon."""
    with receiver(SECRET, Answer(status=200, body=b"x" * (8 << 20))) as hook:
        ask_for_retraining(engine, hook.url)
        began = time.monotonic()
        deliver_all(delivery(engine))
        assert time.monotonic() - began < 20
    assert the_request(engine).state is DeliveryState.DONE
