"""Faults on the way to a receiver, with real HTTP: no page is lost, held up by another, or sent elsewhere."""

import base64
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy import Engine
from standardwebhooks import Webhook

from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work, expire_overdue_effects
from alerting.delivery.signing import signed_headers
from alerting.receivers.webhook import WebhookSettings
from monitor.settings import Settings
from monitor.store.database_clock import database_now_millis
from monitor.store.outbox import take_lease
from monitor.store.schema import endpoint, outbox
from monitor.types import ActionState, DeliveryState
from monitor.units import HOUR_MILLIS
from tests.fakes.receiver import Answer, Receiver, receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.integration.test_delivery import (
    CLOSED_PORT,
    SECRET,
    SECRET_TEXT,
    T0,
    action_state,
    ask_for_retraining,
    deliver_all,
    delivery,
    rounds_of,
    the_request,
)
from tests.models.alerted import SECRET_ENV, apply_story, webhook

FRESH = "freshness: 9999d"
MINUTE = 60_000


def open_incident(engine: Engine, *receivers: str, model: str = "credit", namespace: str = "default") -> None:
    """Apply a model with these receivers and decide one incident of it."""
    applied = apply_story(engine, model=model, namespace=namespace, receivers=receivers, alerting=FRESH)
    story = ScriptedEvaluator()
    story.play(applied, "w", start=T0)
    advance_model(engine, applied, story, Settings())


def page_rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        query = sa.select(outbox).where(outbox.c.kind == "notification").order_by(outbox.c.created_at, outbox.c.id)
        return list(connection.execute(query))


def page_row(engine: Engine) -> Any:
    (row,) = page_rows(engine)
    return row


def with_environment(sender: DeliverySettings, environment: dict[str, str]) -> DeliverySettings:
    return replace(sender, webhook=WebhookSettings(timeout_seconds=2.0, allow_private=True, environment=environment))


def reapply(engine: Engine, *receivers: str, retraining: str = "{mode: 'off'}") -> None:
    apply_story(engine, receivers=receivers, retraining=retraining, alerting=FRESH + "  # changed")


# F5: refused once, or without a secret -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 407])
def test_a_refused_authentication_is_retried(engine: Engine, status: int) -> None:
    """A secret is being rotated: refused once, then accepted, the page arrives."""
    with receiver(SECRET, Answer(status=status), Answer()) as hook:
        open_incident(engine, webhook("pager", hook.url))
        with structlog.testing.capture_logs() as lines:
            deliver_all(delivery(engine))
        assert len(hook.requests) == 2
    assert (page_row(engine).state, page_row(engine).attempts) == (DeliveryState.DONE, 2)
    refused = next(line for line in lines if line["event"] == "delivery.attempted")
    assert (refused["outcome"], refused["log_level"]) == ("unauthorized", "error")


def test_a_rotated_secret_is_read_again_at_each_attempt(engine: Engine) -> None:
    """Signed with the old secret it is refused; with the new one, set meanwhile, the very row is accepted."""
    environment = {SECRET_ENV: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()}
    with receiver(SECRET, Answer(status=401), Answer()) as hook:
        open_incident(engine, webhook("pager", hook.url))
        sender = replace(with_environment(delivery(engine), environment), jitter=lambda: 0.99)
        deliver_all(sender)
        environment[SECRET_ENV] = SECRET_TEXT
        deliver_all(replace(sender, now=delivery(engine, later_millis=MINUTE).now))
        assert [request.verified for request in hook.requests] == [False, True]


def test_without_a_secret_rows_wait_and_are_sent_once_it_is_there(engine: Engine) -> None:
    """Page and action wait for the secret: not dead, an error in the log, sent when it is set, counted once."""
    environment: dict[str, str] = {}
    with receiver(SECRET) as hook, receiver(SECRET) as people:
        applied = ask_for_retraining(engine, hook.url, webhook("people", people.url))
        sender = with_environment(delivery(engine), environment)
        with structlog.testing.capture_logs() as lines:
            deliver_all(sender)
        assert (hook.requests, people.requests) == ([], [])
        assert {row.state for row in [*page_rows(engine), the_request(engine)]} == {DeliveryState.PENDING}
        attempts = [line for line in lines if line["event"] == "delivery.attempted"]
        assert [(line["outcome"], line["log_level"]) for line in attempts] == [("unconfigured", "error")] * 2
        assert SECRET_ENV in str(the_request(engine).last_error)
        assert action_state(engine, applied) is ActionState.DISPATCHING
        environment[SECRET_ENV] = SECRET_TEXT
        deliver_all(replace(sender, now=delivery(engine, later_millis=MINUTE).now))
        assert [len(hook.requests), len(people.requests)] == [1, 1]
    assert (the_request(engine).state, the_request(engine).attempts) == (DeliveryState.DONE, 1)


# F8: nobody waits for somebody else's receiver -----------------------------------------------------------------------


@contextmanager
def dripping(*, every_seconds: float = 0.2) -> Iterator[tuple[str, list[bytes]]]:
    """Give the URL of a server that answers one byte at a time, without end, and what it received."""
    received: list[bytes] = []
    stopped = threading.Event()

    def serve(client: socket.socket) -> None:
        with client:
            received.append(client.recv(65536))
            answer = b"HTTP/1.1 200 OK\r\nx-slow: " + b"x" * 10_000
            for number in range(len(answer)):
                if stopped.wait(every_seconds):
                    return
                try:
                    client.sendall(answer[number : number + 1])
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while not stopped.is_set():
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/hook", received
        finally:
            stopped.set()
            server.shutdown(socket.SHUT_RDWR)


def test_a_dripping_answer_ends_with_the_attempt(engine: Engine) -> None:
    """A byte each 0.2 s for half an hour: the attempt is over after its time-out, well within its lease."""
    with dripping() as (url, received):
        open_incident(engine, webhook("pager", url))
        sender = replace(delivery(engine), jitter=lambda: 0.99)
        began = time.monotonic()
        deliver_all(sender)
        elapsed = time.monotonic() - began
        assert len(received) == 1
    assert elapsed < sender.lease_millis / 1000 - 1
    assert page_row(engine).state == DeliveryState.PENDING
    assert page_row(engine).maybe_received


def test_many_pages_to_a_silent_host_delay_no_action(engine: Engine) -> None:
    """Forty models page a chat that never answers; the retraining of another goes out meanwhile."""
    with receiver(SECRET, Answer(status=None)) as chat, receiver(SECRET) as platform:
        for number in range(40):
            open_incident(engine, webhook("chat", chat.url), model=f"model-{number}")
        slow = replace(
            delivery(engine),
            webhook=WebhookSettings(timeout_seconds=60.0, allow_private=True, environment={SECRET_ENV: SECRET_TEXT}),
        )
        rounds = rounds_of(engine, slow)
        rounds.deliver()
        ask_for_retraining(engine, platform.url)
        rounds.deliver()
        platform.wait_for(lambda hook: len(hook.requests) == 1, seconds=50)
        chat.released.set()
        rounds.close()


def test_a_silent_host_keeps_few_senders(engine: Engine) -> None:
    """Forty models page a chat that never answers: a page to another place is not behind them."""
    with receiver(SECRET, Answer(status=None)) as chat, receiver(SECRET) as mail:
        for number in range(40):
            open_incident(engine, webhook("chat", chat.url), model=f"model-{number}")
        open_incident(engine, webhook("mail", mail.url), model="zebra")
        slow = replace(
            delivery(engine),
            webhook=WebhookSettings(timeout_seconds=60.0, allow_private=True, environment={SECRET_ENV: SECRET_TEXT}),
        )
        rounds = rounds_of(engine, slow)
        rounds.deliver()
        mail.wait_for(lambda hook: len(hook.requests) == 1, seconds=50)
        chat.released.set()
        rounds.close()


def test_a_silent_host_is_left_alone_for_a_minute(engine: Engine) -> None:
    """Five attempts of five models without an answer; the sixth model's page waits for the minute to pass."""
    for number in range(6):
        open_incident(engine, webhook("chat", CLOSED_PORT), model=f"model-{number}")
    sender = replace(delivery(engine), jitter=lambda: 0.99)
    for endpoint_id in endpoints_with_work(sender):
        deliver_to_endpoint(sender, endpoint_id)
    assert sum(row.attempts for row in page_rows(engine)) == 5
    assert endpoints_with_work(sender) == ()
    assert len(endpoints_with_work(replace(sender, now=delivery(engine, later_millis=61_000).now))) == 6


# F9: poison rows -----------------------------------------------------------------------------------------------------

UNUSABLE = [
    "http://h:99999/",
    "http://[::1/x",
    "http://a..b/",
    f"http://{'a' * 64}.example/",
    "http://h:x/",
    "http://exa mple/",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_url_that_no_parser_takes_blocks_nothing(engine: Engine, url: str) -> None:
    """The row waits with a reason; once the spec names a proper one it is sent."""
    with receiver(SECRET) as hook:
        open_incident(engine, webhook("pager", url))
        deliver_all(delivery(engine))
        row = page_row(engine)
        assert (row.state, row.lease_until) == (DeliveryState.PENDING, None)
        assert row.last_error
        reapply(engine, webhook("pager", hook.url))
        deliver_all(delivery(engine, later_millis=MINUTE))
        assert len(hook.requests) == 1


@pytest.mark.parametrize("wait", ["²", "٣", "1" * 400, "-1", "1e3", "soon", ""])
def test_an_odd_retry_after_changes_nothing_of_an_accepted_request(engine: Engine, wait: str) -> None:
    """The answer is 200: done, whatever its headers say; one request."""
    header = wait.encode().decode("latin-1")
    with receiver(SECRET, Answer(headers={"retry-after": header})) as hook:
        open_incident(engine, webhook("pager", hook.url))
        deliver_all(delivery(engine))
        deliver_all(delivery(engine, later_millis=HOUR_MILLIS))
        assert len(hook.requests) == 1
    assert page_row(engine).state == DeliveryState.DONE


def test_an_unforeseen_error_of_one_row_does_not_block_its_endpoint(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever sending raises: the row is tried later, with the error as its reason, and its lease is closed."""
    monkeypatch.setattr("alerting.delivery.deliver.post_webhook", lambda *_, **__: 1 / 0)
    open_incident(engine, webhook("pager", CLOSED_PORT))
    deliver_to_endpoint(replace(delivery(engine), jitter=lambda: 0.99), *endpoints_with_work(delivery(engine)))
    row = page_row(engine)
    assert (row.state, row.lease_until) == (DeliveryState.PENDING, None)
    assert "ZeroDivisionError" in str(row.last_error)


# F18 -----------------------------------------------------------------------------------------------------------------


def test_an_attempt_that_was_cut_off_may_have_been_received(engine: Engine) -> None:
    """The alerter dies while it sends, nobody comes back in time: people are notified that it may have been done."""
    with receiver(SECRET) as people:
        applied = ask_for_retraining(engine, CLOSED_PORT, webhook("people", people.url))
        sender = delivery(engine)
        with engine.begin() as connection:
            now = database_now_millis(connection)
            for endpoint_id in endpoints_with_work(sender):
                take_lease(connection, endpoint_id, owner="dead", now_millis=now, lease_millis=1000)
        late = delivery(engine, later_millis=31 * MINUTE)
        expire_overdue_effects(late)
        deliver_all(late)
        types = [request.content["type"] for request in people.requests]
        assert "model.action.unanswered" in types
        assert "model.action.expired" not in types
    assert action_state(engine, applied) is ActionState.UNKNOWN


def test_a_refusal_after_an_unanswered_attempt_stays_unknown(engine: Engine) -> None:
    """No answer, then 404: the first may have been done, which is what people are sent."""
    with receiver(SECRET, Answer(status=None), Answer(status=404)) as hook, receiver(SECRET) as people:
        applied = ask_for_retraining(engine, hook.url, webhook("people", people.url))
        deliver_all(delivery(engine))
        assert len(hook.requests) == 2
        types = [request.content["type"] for request in people.requests]
        assert "model.action.unanswered" in types
        assert "model.action.failed" not in types
    assert action_state(engine, applied) is ActionState.UNKNOWN
    assert the_request(engine).state is DeliveryState.DEAD


def test_while_rotating_it_is_signed_with_both_secrets(engine: Engine) -> None:
    """A list of secrets: one signature for each, so that a receiver with either of them accepts it."""
    new = secrets.token_bytes(32)
    environment = {SECRET_ENV: SECRET_TEXT, "NEW_SECRET": "whsec_" + base64.b64encode(new).decode()}
    with receiver(SECRET) as with_old, receiver(new) as with_new:
        both = f"secret: [{{env: NEW_SECRET}}, {{env: {SECRET_ENV}}}]"
        hooks: list[Receiver] = [with_old, with_new]
        names = ["old", "new"]
        receivers = [
            f"{{name: {name}, type: webhook, url: '{hook.url}', {both}}}"
            for name, hook in zip(names, hooks, strict=True)
        ]
        open_incident(engine, *receivers)
        deliver_all(with_environment(delivery(engine), environment))
        assert [hook.requests[0].verified for hook in hooks] == [True, True]


def test_a_clock_set_back_an_hour_blocks_nothing(engine: Engine) -> None:
    """A lease, a wait and a breaker of before the step: none of them holds for an hour what is due now."""
    with receiver(SECRET, Answer(status=500), Answer(status=500), Answer()) as hook:
        open_incident(engine, webhook("pager", hook.url))
        ahead = replace(delivery(engine, later_millis=HOUR_MILLIS), jitter=lambda: 0.99)
        deliver_all(ahead)  # its wait ends in an hour and some seconds
        now = delivery(engine)
        deliver_to_endpoint(replace(now, jitter=lambda: 0.99), *endpoints_with_work(now))
        assert len(hook.requests) == 2
        with engine.begin() as connection:  # killed while it sends, an hour ahead
            moment = database_now_millis(connection) + HOUR_MILLIS + MINUTE
            (endpoint_id,) = connection.execute(sa.select(endpoint.c.id)).scalars()
            assert take_lease(connection, endpoint_id, owner="dead", now_millis=moment, lease_millis=30_000)
        deliver_all(now)
        assert len(hook.requests) == 3
    assert page_row(engine).state == DeliveryState.DONE


def test_a_breaker_of_before_the_step_is_closed(engine: Engine) -> None:
    """Five failures an hour ahead; by the clock that was set back, the endpoint is tried at once."""
    with receiver(SECRET, *[Answer(status=500)] * 5, Answer()) as hook:
        open_incident(engine, webhook("pager", hook.url))
        deliver_all(delivery(engine, later_millis=HOUR_MILLIS))
        assert len(hook.requests) == 5
        deliver_all(delivery(engine))
        assert len(hook.requests) == 6


def test_the_published_library_verifies_each_of_several_signatures() -> None:
    """What the receivers of this file do by hand, `standardwebhooks` does too."""
    first, second = secrets.token_bytes(32), secrets.token_bytes(32)
    headers = signed_headers((first, second), identifier="a", body=b"{}", now_millis=int(time.time() * 1000))
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (first, second):
        Webhook(secret).verify(b"{}", headers)
