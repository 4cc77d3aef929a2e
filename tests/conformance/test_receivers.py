"""What delivery relies on of a receiver, whatever its channel: a line of the log, a signed webhook."""

import base64
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work, expire_overdue_effects
from alerting.receivers.webhook import WebhookSettings
from monitor.settings import Settings
from monitor.spec.actions import ReceiverType
from monitor.store.schema import outbox
from monitor.types import DeliveryState, EffectKind
from tests.fakes.receiver import receiver
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import SECRET_ENV, action, apply_story, body_of, webhook

T0 = 1_780_000_200_000
SECRET = secrets.token_bytes(32)
CLOSED_PORT = "http://127.0.0.1:9/hook"
STORY = "wwaaa......"
FIELDS = ("tier", "sentence", "window_end", "owner", "runbook")

Arrived = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """A running receiver: how the spec names it, and what arrived so far (id, model, and the fields people read)."""

    spec: str
    arrived: Callable[[], list[Arrived]]


@contextmanager
def log_channel() -> Iterator[Channel]:
    with structlog.testing.capture_logs() as lines:
        yield Channel(
            "{name: everyone, type: log}",
            lambda: [
                (line["id"], line["model"], *(line[name] for name in FIELDS))
                for line in lines
                if line["event"] == "notification.sent"
            ],
        )


@contextmanager
def webhook_channel() -> Iterator[Channel]:
    def arrived_as(identifier: str, body: dict[str, Any]) -> Arrived:
        return (identifier, body["model"]["name"], *(body[name] for name in FIELDS))

    with receiver(SECRET) as hook:
        yield Channel(
            webhook("everyone", hook.url),
            lambda: [arrived_as(request.identifier, request.content) for request in hook.requests if request.verified],
        )


CHANNELS = {ReceiverType.LOG: log_channel, ReceiverType.WEBHOOK: webhook_channel}


@pytest.fixture(params=list(CHANNELS))  # products that show the message in words: test_product_receivers
def channel(request: pytest.FixtureRequest) -> Iterator[Channel]:
    with CHANNELS[request.param]() as running:
        yield running


def deliver(engine: Engine) -> None:
    """Expire and send everything that is due."""
    environment = {SECRET_ENV: "whsec_" + base64.b64encode(SECRET).decode()}
    sender = DeliverySettings(
        engine=engine,
        owner="test",
        webhook=WebhookSettings(timeout_seconds=5.0, allow_private=True, environment=environment),
        jitter=lambda: 0.99,
    )
    expire_overdue_effects(sender)
    for endpoint_id in endpoints_with_work(sender):
        deliver_to_endpoint(sender, endpoint_id)


def decide_and_deliver(engine: Engine, channel: Channel) -> None:
    """Decide an incident that opens, escalates and ends, and an action whose receiver is never there.

    Each step is delivered before the next one, which would take its place.
    """
    applied = apply_story(
        engine,
        receivers=[channel.spec],
        retraining=action("auto", CLOSED_PORT),
        alerting="freshness: 9999d\n  close_after: 2",
    )
    story = ScriptedEvaluator(at_once=2)
    for until in range(1, len(STORY) + 1):
        story.play(applied, STORY[until - 1].rjust(until), start=T0)
        advance_model(engine, applied, story, Settings())
        deliver(engine)


def notifications(engine: Engine) -> list[tuple[Arrived, str, DeliveryState]]:
    """Return what was decided for people: as it should arrive, its type, and its state."""
    rows = sa.select(outbox).where(outbox.c.kind == EffectKind.NOTIFICATION.value)
    results = []
    with engine.connect() as connection:
        for row in connection.execute(rows):
            body = body_of(bytes(row.body))
            arrived = (str(row.id), body["model"]["name"], *(body[name] for name in FIELDS))
            results.append((arrived, row.event_type, DeliveryState(row.state)))
    return results


def test_every_message_arrives_as_it_was_decided(engine: Engine, channel: Channel) -> None:
    """What an incident does, and that an action was not sent in time: once, with the id of its row."""
    decide_and_deliver(engine, channel)
    with engine.begin() as connection:
        connection.execute(
            sa.update(outbox).where(outbox.c.kind == EffectKind.ACTION.value).values(not_after=sa.func.now())
        )
    deliver(engine)
    decided = notifications(engine)
    assert {event_type for _, event_type, _ in decided} == {
        "model.incident.opened",
        "model.incident.escalated",
        "model.incident.resolved",
        "model.action.expired",
    }
    assert sorted(channel.arrived()) == sorted(arrived for arrived, _, _ in decided)
    assert {state for *_, state in decided} == {DeliveryState.DONE}


def test_what_is_sent_again_has_the_same_id(engine: Engine, channel: Channel) -> None:
    """A sender that died between sending and closing: the message comes twice, and both are the same."""
    decide_and_deliver(engine, channel)
    once = channel.arrived()
    with engine.begin() as connection:
        connection.execute(sa.update(outbox).values(state=DeliveryState.PENDING.value, next_attempt_at=sa.func.now()))
    deliver(engine)
    assert len(once) > 1
    assert sorted(channel.arrived()) == sorted(once * 2)
