"""One role as a process: logs, /metrics, signals, waiting for its services, and then its loop."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

import structlog

from driftline.observe import Health, observed
from driftline.waiting import wait_for_database, wait_for_kafka
from monitor.logs import LogFormat, configure_logging
from monitor.settings import Settings, load_settings

Loop = Callable[[Settings, threading.Event, Health], None]


def run_role(name: str, loop: Loop, *, log_format: LogFormat) -> None:
    """Run *loop* until SIGTERM or Ctrl-C; it gets the settings, the stop event, and where it says how it is.

    Raises:
        SettingsError: A setting is wrong.
        SchemaVersionError: The database's schema is not this program's.
        UnavailableError: The metrics port is taken.
    """
    settings = load_settings()
    configure_logging(level=settings.log_level, role=name, log_format=log_format)
    log = structlog.get_logger()
    stop = _stop_on_signals()
    health = Health()
    with observed(health, role=name, host=settings.metrics_host, port=settings.metrics_port) as port:
        log.info("role.started", metrics_port=port or None)
        if wait_for_database(settings, stop=stop, on_health=health.report) and wait_for_kafka(
            settings, stop=stop, on_health=health.report
        ):
            health.report(True, "")
            loop(settings, stop, health)
        log.info("role.stopped")


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    return stop
