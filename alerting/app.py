"""The alerter as a process: advances models on wake-ups and at every sweep, delivers in a second thread."""

import os
import random
import socket
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from alerting.alerter import Alerter
from alerting.delivery.alertmanager_loop import AlertmanagerLoop
from alerting.delivery.deliver import DeliverySettings
from alerting.delivery.send import tls_context
from alerting.faust_listener import Listener
from alerting.receivers.webhook import WebhookSettings
from monitor.clock import monotonic_seconds
from monitor.errors import DriftlineError
from monitor.evaluate import Evaluator, evaluation_rules
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.engine import StatementLimits, make_engine

log = structlog.get_logger()

ALL_MODELS = None

STOP_LOOK_SECONDS = 0.2


class DueModels:
    """Queue of models to advance, between the thread of wake-ups and the alerter's; each model at most once."""

    def __init__(self, *, sweep_seconds: float) -> None:
        self._sweep_seconds = sweep_seconds
        self._condition = threading.Condition()
        self._names: set[str] = set()
        self._next_sweep = monotonic_seconds()  # the first look is at all of them

    def wake(self, name: str) -> None:
        """Queue the model *name*."""
        with self._condition:
            self._names.add(name)
            self._condition.notify()

    def take(self, *, timeout_seconds: float) -> frozenset[str] | None:
        """Take the queued names; `ALL_MODELS` when a sweep is due, nothing after *timeout_seconds*."""
        with self._condition:
            until_sweep = self._next_sweep - monotonic_seconds()
            if not self._names and until_sweep > 0:
                self._condition.wait(min(timeout_seconds, until_sweep))
            names = frozenset(self._names)
            self._names.clear()
            if monotonic_seconds() < self._next_sweep:
                return names
            self._next_sweep = monotonic_seconds() + self._sweep_seconds
            return ALL_MODELS


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
        with alertmanagers:
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
        names = due.take(timeout_seconds=STOP_LOOK_SECONDS)
        if names is None or names:
            rounds.advance(names)


def _deliver(rounds: Alerter, stop: threading.Event, pause_seconds: float) -> None:
    while not stop.is_set():
        rounds.deliver()
        stop.wait(pause_seconds)


def _raise_failure(delivering: "Future[None]", failures: list[str]) -> None:
    delivering.result()
    if failures:
        raise AlerterFailed(f"alerter: listening to wake-ups failed: {failures[0]}")
