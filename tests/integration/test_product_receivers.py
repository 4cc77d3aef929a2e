"""Receivers of products by the outbox: from windows in Postgres to what the product holds, by each type of the spec."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from alerting.advance_model import advance_model
from alerting.delivery.deliver import DeliverySettings, deliver_to_endpoint, endpoints_with_work
from alerting.receivers.webhook import WebhookSettings
from monitor.settings import Settings
from monitor.spec.actions import ReceiverType
from monitor.spec.receiver_rules import RECEIVER_KEYS
from monitor.store.configuration import AppliedModel
from monitor.store.schema import outbox
from monitor.types import DeliveryState
from monitor.units import MINUTE_MILLIS
from tests.conformance.test_receivers import CHANNELS
from tests.fakes.on_call_products import JsmOperations, PagerDuty, Slack, Teams, serving
from tests.fakes.scripted_evaluator import ScriptedEvaluator
from tests.models.alerted import apply_story
from tests.services import mail_server
from tests.services.mail_server import Mailbox

T0 = 1_780_000_200_000
WIDE = "freshness: 9999d\n  close_after: 2\n  link: 'https://grafana.example.org/d/drift?var-model={model}'"
KEY = "PRODUCT_KEY"


@dataclass(frozen=True, slots=True)
class Running:
    """A product that runs: how the spec names it, the environment it needs, and what it holds, a text a message."""

    spec: str
    environment: Mapping[str, str]
    holds: Callable[[], list[str]]


@contextmanager
def running_pagerduty() -> Iterator[Running]:
    product = PagerDuty("integration-key")
    with serving(product) as url:
        spec = f"{{name: product, type: pagerduty, url: '{url}/v2/enqueue', secret: {{env: {KEY}}}}}"
        yield Running(spec, {KEY: "integration-key"}, lambda: [entry["event_action"] for entry in product.entries])


@contextmanager
def running_jsm() -> Iterator[Running]:
    product = JsmOperations("api-key")

    def holds() -> list[str]:
        return [f"{alert['status']} {alert['priority']} x{alert['count']}" for alert in product.alerts.values()]

    with serving(product) as url:
        spec = f"{{name: product, type: jsm, url: '{url}/jsm/ops/integration/v2/alerts', secret: {{env: {KEY}}}}}"
        yield Running(spec, {KEY: "api-key"}, holds)


def labels_of(product: Slack) -> list[str]:
    return [message["text"].split("]")[0].removeprefix("[") for message in product.messages]


@contextmanager
def running_slack_webhook() -> Iterator[Running]:
    product = Slack("")
    with serving(product) as url:
        spec = f"{{name: product, type: slack, secret: {{env: {KEY}}}}}"
        yield Running(spec, {KEY: f"{url}/services/T0/B0/secret"}, lambda: labels_of(product))


@contextmanager
def running_slack_bot() -> Iterator[Running]:
    product = Slack("xoxb-1")
    with serving(product) as url:
        place = f"channel: C024BE91L, url: '{url}/api/chat.postMessage'"
        spec = f"{{name: product, type: slack, {place}, secret: {{env: {KEY}}}}}"
        yield Running(spec, {KEY: "xoxb-1"}, lambda: labels_of(product))


@contextmanager
def running_teams() -> Iterator[Running]:
    product = Teams()

    def holds() -> list[str]:
        titles = [card["body"][0]["inlines"][0]["text"] for card in product.cards]
        return [title.split("]")[0].removeprefix("[") for title in titles]

    with serving(product) as url:
        spec = f"{{name: product, type: teams, secret: {{env: {KEY}}}}}"
        yield Running(spec, {KEY: f"{url}/workflows/abc?sig=secret"}, holds)


@contextmanager
def running_mail() -> Iterator[Running]:
    mailbox = Mailbox()

    def holds() -> list[str]:
        texts = [mail.content.decode() for mail in mailbox.mails if isinstance(mail.content, bytes)]
        subjects = [line for text in texts for line in text.splitlines() if line.startswith("Subject")]
        return [subject.split("]")[0].removeprefix("Subject: [") for subject in subjects]

    with mail_server.mail_server(mailbox) as port:
        people = "sender: driftline@example.org, to: [oncall@example.org]"
        yield Running(f"{{name: product, type: mail, url: 'smtp+plain://127.0.0.1:{port}', {people}}}", {}, holds)


LABELS = ["WARNING", "CRITICAL, was WARNING", "RESOLVED"]
FROM_CRITICAL = {"pagerduty": ["trigger", "trigger", "resolve"], "jsm": ["closed P1 x1"]}
PRODUCTS = {
    "pagerduty": (running_pagerduty, ["trigger", "trigger", "resolve"]),
    "jsm": (running_jsm, ["closed P3 x1", "closed P1 x1"]),
    "slack": (running_slack_webhook, LABELS),
    "slack-bot": (running_slack_bot, LABELS),
    "teams": (running_teams, LABELS),
    "mail": (running_mail, LABELS),
}


def deliver(engine: Engine, environment: Mapping[str, str]) -> None:
    """Send everything that is due."""
    sender = DeliverySettings(
        engine=engine,
        owner="test",
        webhook=WebhookSettings(timeout_seconds=20.0, allow_private=True, environment=environment),
        jitter=lambda: 0.0,
    )
    for endpoint_id in endpoints_with_work(sender):
        deliver_to_endpoint(sender, endpoint_id)


def play(engine: Engine, applied: AppliedModel, story: ScriptedEvaluator, letters: str, *, at: int) -> None:
    story.play(applied, letters, start=T0 + at * 5 * MINUTE_MILLIS)
    advance_model(engine, applied, story, Settings())


def rows(engine: Engine) -> list[tuple[str, str | None]]:
    """Return state and error of every message."""
    with engine.connect() as connection:
        return [
            (row.state, row.last_error) for row in connection.execute(sa.select(outbox).order_by(outbox.c.created_at))
        ]


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_holds_the_incident_from_its_start_to_its_end(engine: Engine, name: str) -> None:
    """
    w w w c c c . . . . . .
    trigger | update | end      each delivered before the next is decided
    """
    run, expected = PRODUCTS[name]
    with run() as product:
        applied = apply_story(engine, receivers=[product.spec], alerting=WIDE)
        story = ScriptedEvaluator(at_once=2)
        for letters, at in (("www", 0), ("ccc", 3), ("......", 6)):
            play(engine, applied, story, letters, at=at)
            deliver(engine, product.environment)
        assert {state for state, _ in rows(engine)} == {DeliveryState.DONE.value}, rows(engine)
        assert product.holds() == expected


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_of_critical_holds_the_end_of_what_calmed_before(engine: Engine, name: str) -> None:
    """
    w w w c c c w w w w . . . . . .
          trigger | update | end      from critical on; the end is one of a warning
    """
    run, _ = PRODUCTS[name]
    with run() as product:
        spec = product.spec.removesuffix("}") + ", from_tier: critical}"
        applied = apply_story(engine, receivers=[spec], alerting=WIDE)
        story = ScriptedEvaluator(at_once=2)
        for letters, at in (("www", 0), ("ccc", 3), ("wwww", 6), ("......", 10)):
            play(engine, applied, story, letters, at=at)
            deliver(engine, product.environment)
        assert {state for state, _ in rows(engine)} == {DeliveryState.DONE.value}, rows(engine)
        assert product.holds() == FROM_CRITICAL.get(name, ["CRITICAL", "WARNING, was CRITICAL", "RESOLVED"])


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name != "mail"])
def test_a_missing_key_keeps_the_message_until_it_is_there(engine: Engine, name: str) -> None:
    """Nothing is lost for a variable that was not set: it is sent once the alerter has it."""
    run, _ = PRODUCTS[name]
    with run() as product:
        applied = apply_story(engine, receivers=[product.spec], alerting=WIDE)
        play(engine, applied, ScriptedEvaluator(at_once=2), "www", at=0)
        deliver(engine, {})
        ((state, error),) = rows(engine)
        assert state == DeliveryState.PENDING.value
        assert KEY in (error or "")
        assert not product.holds()
        with engine.begin() as connection:
            connection.execute(sa.update(outbox).values(next_attempt_at=sa.func.now()))
        deliver(engine, product.environment)
        assert [state for state, _ in rows(engine)] == [DeliveryState.DONE.value]
        assert product.holds()


def test_every_type_of_the_spec_is_delivered_somewhere() -> None:
    """A type that is added has its keys, and a suite that it is delivered in."""
    delivered = {*(receiver.value for receiver in CHANNELS), *(name.removesuffix("-bot") for name in PRODUCTS)}
    assert delivered | {ReceiverType.ALERTMANAGER.value} == {receiver.value for receiver in ReceiverType}
    assert set(RECEIVER_KEYS) == set(ReceiverType)
