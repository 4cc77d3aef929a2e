"""One role as a process: signals, waiting for its services, its loop."""

import os
import signal
import threading
from collections.abc import Callable
from itertools import count
from types import FrameType

import sqlalchemy as sa
import structlog

from consumers.kafka.settings import require_usable_client
from consumers.kafka.topics import require_topics
from driftline.dead_man import dead_man
from driftline.health_server import serve_health
from driftline.own_process import supervisor_is_lost
from monitor.backoff import Backoff
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.logs import LogFormat, configure_logging, log_uncaught
from monitor.settings import Settings, load_settings
from monitor.store.engine import make_engine, require_database
from monitor.store.migrate import require_current_schema
from monitor.store.outage import named_outage
from monitor.store.statements import (
    cancel_statements,
    cut_connections,
    cut_silent_connections,
    refuse_connections,
)
from monitor.types import Service

_BACKOFF = Backoff(first_seconds=0.5, longest_seconds=15.0)

Loop = Callable[[Settings, threading.Event, Health], None]

# After SIGTERM; a container's platform kills at ten seconds by default. What is interrupted is rolled back.
FINISH_SECONDS = 3.0  # the batch or statement under way may come to its end
CANCEL_SECONDS = 2.0  # and then when the server was asked to cancel it
CUT_SECONDS = 2.0  # and then when the server, which does not answer, was cut off
WATCH_SECONDS = 1.0
SILENCE_SECONDS = 15.0
FORCED_CODE = 1


def wait_for_database(settings: Settings, *, stop: threading.Event, health: Health) -> bool:
    """Return True once Postgres answers with this program's schema, False when *stop* was set before.

    Raises:
        SchemaVersionError: It answers with another schema; waiting would not change it.
    """
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        return _wait(lambda: _require_schema(engine), service=Service.POSTGRES, stop=stop, health=health)
    finally:
        engine.dispose()


def _require_schema(engine: sa.Engine) -> None:
    require_database(engine)
    with named_outage(engine, "reading the schema's version"):  # it may go away between the two
        require_current_schema(engine)


def wait_for_kafka(settings: Settings, *, stop: threading.Event, health: Health) -> bool:
    """Return True once Kafka answers and has the topics, False when *stop* was set before."""
    return _wait(lambda: require_topics(settings), service=Service.KAFKA, stop=stop, health=health)


def _wait(attempt: Callable[[], None], *, service: str, stop: threading.Event, health: Health) -> bool:
    for failures in count(1):
        try:
            attempt()
        except UnavailableError as error:
            health.away(service, str(error))
            if stop.wait(_BACKOFF.wait_seconds(failures)):
                return False
        else:
            health.back(service)
            return not stop.is_set()
    raise AssertionError("counting has no end")


def run_role(name: str, loop: Loop, *, log_format: LogFormat) -> None:
    """Run *loop* until SIGTERM or Ctrl-C; it gets the settings, the stop event, and where it says how it is.

    Raises:
        SettingsError: A setting is wrong, or Kafka's client refuses one.
        SchemaVersionError: The database's schema is not this program's.
        UnavailableError: The metrics port is taken.
    """
    settings = load_settings()
    require_usable_client(settings)
    configure_logging(level=settings.log_level, role=name, log_format=log_format)
    log_uncaught()
    log = structlog.get_logger()
    stop, ended = _stop_on_signals(), threading.Event()
    health = Health()
    threading.Thread(target=_watch, args=(stop, ended), name="watch", daemon=True).start()
    with (
        serve_health(health, role=name, host=settings.metrics_host, port=settings.metrics_port) as port,
        dead_man(
            settings.dead_man_url,
            role=name,
            every_seconds=settings.dead_man_seconds,
            problem=lambda: health.reason,
        ),
    ):
        log.info("role.started", metrics_port=port or None)
        try:
            if wait_for_database(settings, stop=stop, health=health) and wait_for_kafka(
                settings, stop=stop, health=health
            ):
                loop(settings, stop, health)
        finally:
            ended.set()
        log.info("role.stopped")


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    return stop


def _watch(stop: threading.Event, ended: threading.Event) -> None:
    """Cut connections that fell silent and stop when the supervisor is lost; once *stop* is set, see to it that the
    process ends in time."""
    log = structlog.get_logger()
    while not stop.wait(WATCH_SECONDS):
        if supervisor_is_lost():
            log.error("supervisor.lost", reason="`driftline up` no longer runs: its role ends as well")
            stop.set()
        if cut := cut_silent_connections(grace_seconds=SILENCE_SECONDS):
            log.warning("connections.cut", connections=cut, reason="the server is silent past its statement_timeout")
    if ended.wait(FINISH_SECONDS):
        return
    refuse_connections()
    for interrupt, wait_seconds in ((cancel_statements, CANCEL_SECONDS), (cut_connections, CUT_SECONDS)):
        if interrupted := interrupt():
            log.warning("statements.interrupted", by=interrupt.__name__, statements=interrupted)
        if ended.wait(wait_seconds):
            return
    # What is not committed is rolled back by the server; a delivery under way is sent again under its id.
    log.error("role.forced", reason="it did not end in time", exit_code=FORCED_CODE)
    os._exit(FORCED_CODE)
