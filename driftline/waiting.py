"""A role waits for its services with back-off, and says what it tried, where, and what to do."""

import threading
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from consumers.kafka.topics import require_topics
from monitor.errors import UnavailableError
from monitor.health import Health
from monitor.settings import Settings
from monitor.store.engine import make_engine, require_database
from monitor.store.migrate import require_current_schema
from monitor.store.outage import named_outage

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 15.0


def wait_for_database(settings: Settings, *, stop: threading.Event, health: Health) -> bool:
    """Return True once Postgres answers with this program's schema, False when *stop* was set before.

    Raises:
        SchemaVersionError: It answers with another schema; waiting would not change it.
    """
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        return _wait(lambda: _require_schema(engine), service="postgres", stop=stop, health=health)
    finally:
        engine.dispose()


def _require_schema(engine: sa.Engine) -> None:
    require_database(engine)
    with named_outage(engine, "reading the schema's version"):  # it may go away between the two
        require_current_schema(engine)


def wait_for_kafka(settings: Settings, *, stop: threading.Event, health: Health) -> bool:
    """Return True once Kafka answers and has the topics, False when *stop* was set before."""
    return _wait(lambda: require_topics(settings), service="kafka", stop=stop, health=health)


def _wait(attempt: Callable[[], None], *, service: str, stop: threading.Event, health: Health) -> bool:
    for wait_seconds in _back_off():
        try:
            attempt()
        except UnavailableError as error:
            health.away(service, str(error))
            if stop.wait(wait_seconds):
                return False
        else:
            health.back(service)
            return not stop.is_set()
    raise AssertionError("the back-off has no end")


def _back_off() -> Iterator[float]:
    seconds = _FIRST_WAIT_SECONDS
    while True:
        yield seconds
        seconds = min(seconds * 2, _LONGEST_WAIT_SECONDS)
