"""A role waits for its services with back-off, and says what it tried, where, and what to do."""

import threading
from collections.abc import Callable, Iterator

import structlog

from consumers.required_topics import require_topics
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.store.engine import make_engine, require_database
from monitor.store.migrate import require_current_schema

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 15.0


def wait_for_database(settings: Settings, *, stop: threading.Event, on_health: Callable[[bool, str], None]) -> bool:
    """Return True once Postgres answers with this program's schema, False when *stop* was set before.

    Raises:
        SchemaVersionError: It answers with another schema; waiting would not change it.
    """
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        if not _wait(lambda: require_database(engine), service="postgres", stop=stop, on_health=on_health):
            return False
        require_current_schema(engine)
        return True
    finally:
        engine.dispose()


def wait_for_kafka(settings: Settings, *, stop: threading.Event, on_health: Callable[[bool, str], None]) -> bool:
    """Return True once Kafka answers and has the topics, False when *stop* was set before."""
    return _wait(lambda: require_topics(settings), service="kafka", stop=stop, on_health=on_health)


def _wait(
    attempt: Callable[[], None], *, service: str, stop: threading.Event, on_health: Callable[[bool, str], None]
) -> bool:
    log = structlog.get_logger()
    for wait_seconds in _back_off():
        try:
            attempt()
        except UnavailableError as error:
            on_health(False, str(error))
            log.warning("service.awaited", service=service, problem=str(error), next_attempt_seconds=wait_seconds)
            if stop.wait(wait_seconds):
                return False
        else:
            return not stop.is_set()
    raise AssertionError("the back-off has no end")


def _back_off() -> Iterator[float]:
    seconds = _FIRST_WAIT_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 2, _LONGEST_WAIT_SECONDS)
