"""Why an action failed, expired or has no known result: in its states, in the message, and before anything is sent."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy import Engine

from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work, expire_overdue_effects
from alerting.receivers.webhook import WebhookSettings
from monitor.health import Health
from monitor.store import schema
from monitor.store.action_holds import active_holds
from monitor.units import HOUR_MILLIS
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.integration.test_actions import WHO, Waiting
from tests.integration.test_delivery import (
    CLOSED_PORT,
    SECRET,
    SECRET_TEXT,
    ask_for_retraining,
    deliver_all,
    delivery,
    rounds_of,
)
from tests.models.alerted import SECRET_ENV, action, apply_story, body_of, webhook
from tests.models.holding import hold_actions
from tests.services.command import document, run

OTHER_SECRET = "OTHER_SECRET"


def of_people(engine: Engine, *, secrets: dict[str, str] | None = None, allow_private: bool = True) -> DeliverySettings:
    """Return a deliverer that can reach people, whose receiver has a secret of its own."""
    environment = {OTHER_SECRET: SECRET_TEXT, **({SECRET_ENV: SECRET_TEXT} if secrets is None else secrets)}
    return replace(
        delivery(engine),
        webhook=WebhookSettings(timeout_seconds=2.0, allow_private=allow_private, environment=environment),
        jitter=lambda: 0.99,
    )


def people_at(hook: Receiver) -> str:
    return webhook("people", hook.url).replace(SECRET_ENV, OTHER_SECRET)


def last_step(engine: Engine) -> tuple[str, str]:
    """Return state and reason."""
    with engine.connect() as connection:
        steps = connection.execute(sa.select(schema.action_step).order_by(schema.action_step.c.id)).all()
    return steps[-1].state, steps[-1].why


def message_of(people: Receiver, event_type: str) -> tuple[str, str]:
    """Return the reason and the sentence of the one message of this type."""
    bodies = [body_of(request.body) for request in people.requests if request.content["type"] == event_type]
    (body,) = bodies
    (shown,) = body["actions"]
    return shown["why"], body["sentence"]


def sent_late(engine: Engine, sender: DeliverySettings) -> None:
    """Let the deadline of the action pass, and notify people."""
    late = replace(sender, now=delivery(engine, later_millis=HOUR_MILLIS).now)
    assert expire_overdue_effects(late) == 1
    deliver_all(late)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(Answer(status=404, body=b"no\n such  job"), "HTTP 404, answered: no such job", id="refused"),
        pytest.param(Answer(status=410), "HTTP 410", id="refused without a word"),
        pytest.param(
            Answer(status=302, headers={"location": "/"}), "HTTP 302: redirects are not followed", id="redirected"
        ),
    ],
)
def test_an_action_that_failed_says_why(engine: Engine, answer: Answer, why: str) -> None:
    with receiver(SECRET, answer) as hook, receiver(SECRET) as people:
        ask_for_retraining(engine, hook.url, people_at(people))
        deliver_all(of_people(engine))
        state, stored = last_step(engine)
        assert (state, stored[: len(why)]) == ("failed", why)
        sent, sentence = message_of(people, "model.action.failed")
        assert sent == stored
        assert f" Why it failed: {stored}. Nothing more is sent; please act by hand." in sentence


@pytest.mark.parametrize(
    ("secrets", "answer", "why"),
    [
        pytest.param({}, Answer(), f"not sent: {SECRET_ENV}: expected a signing secret", id="no secret"),
        pytest.param(
            {SECRET_ENV: "whsec_!"}, Answer(), f"not sent: {SECRET_ENV}: expected whsec_ and base64", id="no base64"
        ),
        pytest.param(None, Answer(status=401, body=b"who are you?"), "HTTP 401, answered: who are you?", id="refused"),
    ],
)
def test_an_action_that_waits_for_a_secret_says_so_and_expires_with_the_reason(
    engine: Engine, secrets: dict[str, str] | None, answer: Answer, why: str
) -> None:
    with receiver(SECRET, answer) as hook, receiver(SECRET) as people:
        ask_for_retraining(engine, hook.url, people_at(people))
        deliver_all(of_people(engine, secrets=secrets))
        state, stored = last_step(engine)
        assert (state, stored[: len(why)]) == ("dispatching", why)
        sent_late(engine, of_people(engine, secrets=secrets))
        sent, sentence = message_of(people, "model.action.expired")
        assert why.removeprefix("not sent: ") in sent
        assert "Nothing more is sent; please act by hand." in sentence


def test_an_address_that_is_refused_is_named(engine: Engine) -> None:
    ask_for_retraining(engine, CLOSED_PORT, "{name: log, type: log}")
    with structlog.testing.capture_logs() as lines:
        deliver_all(of_people(engine, allow_private=False))
    why = "127.0.0.1 is 127.0.0.1, a private address that the setting `targets` does not list"
    assert last_step(engine) == ("failed", why)
    assert any(why in str(line.get("sentence")) for line in lines if line["event"] == "notification.sent")


def test_without_an_answer_it_says_that_it_may_have_been_done(engine: Engine) -> None:
    with receiver(SECRET, Answer(status=None)) as hook, receiver(SECRET) as people:
        ask_for_retraining(engine, hook.url, people_at(people))
        deliver_all(of_people(engine))
        state, why = last_step(engine)
        assert (state, why) == ("unknown", "sent, and not answered (ReadTimeout: timed out)")
        sent_late(engine, of_people(engine))
        sent, sentence = message_of(people, "model.action.unanswered")
    assert sent == why
    assert f" Why its result is not known: {why}. It was sent and may have been done." in sentence


def once(sender: DeliverySettings) -> None:
    for endpoint_id in endpoints_with_work(sender):
        deliver_to_endpoint(sender, endpoint_id)


def held(sender: DeliverySettings) -> None:
    hold_actions(sender.engine)


@pytest.mark.parametrize(
    ("answers", "prepare", "why"),
    [
        pytest.param(
            (Answer(status=503, body=b"busy"),),
            once,
            "not delivered in time; the last attempt: HTTP 503, answered: busy",
            id="503",
        ),
        pytest.param((Answer(),), held, "not sent in time: {hold}", id="held"),
        pytest.param((Answer(),), lambda _: None, "not sent in time: no attempt was made", id="no alerter"),
    ],
)
def test_an_action_that_expired_says_why(
    engine: Engine, answers: tuple[Answer, ...], prepare: Callable[[DeliverySettings], None], why: str
) -> None:
    with receiver(SECRET, *answers) as hook, receiver(SECRET) as people:
        ask_for_retraining(engine, hook.url, people_at(people))
        prepare(of_people(engine))
        sent_late(engine, of_people(engine))
        with engine.connect() as connection:
            for hold in active_holds(connection, now_millis=0):
                why = why.format(hold=hold.words)
        assert last_step(engine) == ("expired", why)
        sent, sentence = message_of(people, "model.action.expired")
    assert sent == why
    assert f" Why it expired: {why}. Nothing more is sent" in sentence


def test_the_command_shows_why(engine: Engine, database_url: str, tmp_path: Path) -> None:
    """A rollback is approved, and the alerter has no secret: `driftline actions ID` says what is missing where."""
    waiting = Waiting(engine)
    approved = run(database_url, "actions", waiting.action.id, "approve", *WHO, directory=tmp_path)
    assert "The alerter sends it now" in approved.stdout, approved.stderr
    deliver_all(of_people(engine, secrets={}))
    shown: Any = document(database_url, "actions", waiting.action.id, directory=tmp_path)
    assert (shown["steps"][-1]["state"], shown["steps"][-1]["why"]) == last_step(engine)
    text = run(database_url, "actions", waiting.action.id, directory=tmp_path).stdout
    assert f"{SECRET_ENV}: expected a signing secret" in text
    assert "in the alerter's environment, found nothing" in text


def test_a_missing_secret_is_known_before_anything_is_sent(engine: Engine) -> None:
    """The alerter's notices name receivers and actions that it could not send to; not those that send nothing."""
    apply_story(
        engine,
        receivers=(webhook("people", CLOSED_PORT), webhook("other", CLOSED_PORT).replace(SECRET_ENV, OTHER_SECRET)),
        retraining=action("auto", CLOSED_PORT),
        rollback=action("dry_run", CLOSED_PORT),
    )
    health = Health()
    rounds = rounds_of(engine, of_people(engine, secrets={}), health=health)
    with structlog.testing.capture_logs() as lines:
        rounds.advance()
        rounds.advance()
    assert [notice.partition(": ")[0] for notice in health.notices] == [
        "credit/receivers/people",
        "credit/actions/retraining",
    ]
    assert all(f"{SECRET_ENV}: expected a signing secret" in notice for notice in health.notices)
    assert [line["endpoint"] for line in lines if line["event"] == "endpoint.without_secret"] == [
        "credit/receivers/people",
        "credit/actions/retraining",
    ]
    assert health.reason is None
    with_secret = rounds_of(engine, of_people(engine), health=health)
    with_secret.advance()
    assert health.notices == ()
