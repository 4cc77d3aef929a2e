"""The alerter as a process: advances models on wake-ups and at every sweep, delivers in a second thread."""

import os
import random
import socket
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from alerting.alerter import Alerter
from alerting.database_metrics import collected_from_database
from alerting.delivery.alertmanager_loop import AlertmanagerLoop
from alerting.delivery.deliver import DeliverySettings
from alerting.delivery.send import tls_context
from alerting.due_models import DueModels
from alerting.faust_listener import Listener
from alerting.receivers.webhook import WebhookSettings
from monitor.errors import DriftlineError
from monitor.evaluate import Evaluator, evaluation_rules
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.engine import StatementLimits, make_engine
from monitor.targets import AllowedTargets

log = structlog.get_logger()

STOP_LOOK_SECONDS = 0.2


class AlerterFailed(DriftlineError):
    """A thread of the alerter ended on its own; the process ends so that its supervisor restarts it."""


def run_alerter(settings: Settings, *, stop: threading.Event, health: Health) -> None:
    """Run the alerter until *stop* is set; *health* shows its problems and its progress.

    Survives a broker or a database that is away, at the start or later.

    Raises:
        AlerterFailed: Listening to wake-ups ended by an error that nobody foresaw.
    """
    tls_context(settings.receivers_ca_file)  # a wrong one is known before anything is sent
    limits = StatementLimits(statement_seconds=settings.statement_timeout_seconds)
    engine = make_engine(settings.database_url, pool_size=10, limits=limits)
    evaluator = Evaluator(evaluation_rules(settings))
    webhook = WebhookSettings(
        timeout_seconds=settings.delivery_timeout_seconds,
        allow_private=settings.allow_private_targets,
        targets=AllowedTargets.parse(settings.targets),
        environment=os.environ,
        ca_file=settings.receivers_ca_file,
    )
    alertmanagers = AlertmanagerLoop(engine, webhook, stop=stop)
    rounds = Alerter(
        engine=engine,
        settings=settings,
        evaluator=evaluator,
        delivery=DeliverySettings(
            engine=engine,
            owner=f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            webhook=webhook,
            jitter=random.random,
            actions_enabled=settings.actions_enabled,
        ),
        stopping=stop.is_set,
        health=health,
        notices=lambda: [*evaluator.problems, *alertmanagers.problems],
    )
    try:
        with alertmanagers, collected_from_database(settings):
            _work(settings, rounds, stop, health)
    finally:
        rounds.close()
        engine.dispose()


def _work(settings: Settings, rounds: Alerter, stop: threading.Event, health: Health) -> None:
    due = DueModels(sweep_seconds=settings.sweep_seconds)
    failures: list[str] = []

    def fail(reason: str) -> None:
        failures.append(reason)
        stop.set()

    with ThreadPoolExecutor(1, thread_name_prefix="outbox") as outbox:
        try:
            delivering = outbox.submit(_deliver, rounds, stop, settings.delivery_seconds)
            delivering.add_done_callback(lambda _: stop.set())
            with Listener(settings, wake=due.wake, on_failure=fail, health=health):
                _advance(rounds, due, stop)
        finally:
            stop.set()
    _raise_failure(delivering, failures)


def _advance(rounds: Alerter, due: DueModels, stop: threading.Event) -> None:
    while not stop.is_set():
        names = due.take(timeout_seconds=0 if rounds.behind else STOP_LOOK_SECONDS)
        if names is None or names:
            rounds.advance(names)
        if rounds.behind:
            rounds.catch_up()


def _deliver(rounds: Alerter, stop: threading.Event, pause_seconds: float) -> None:
    while not stop.is_set():
        rounds.deliver()
        stop.wait(pause_seconds)


def _raise_failure(delivering: "Future[None]", failures: list[str]) -> None:
    delivering.result()
    if failures:
        raise AlerterFailed(f"alerter: listening to wake-ups failed: {failures[0]}")
