"""Opens the database for one command, or says why it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from monitor.settings import Settings
from monitor.store.engine import make_engine, require_database
from monitor.store.migrate import require_current_schema


@contextmanager
def opened_database(settings: Settings) -> Iterator[Engine]:
    """Give an engine on a database that answers and has this program's schema.

    Raises:
        UnavailableError: No answer; says where and what to do.
        SchemaVersionError: Another schema; says which and what to do.
    """
    engine = make_engine(settings.database_url, pool_size=1)
    try:
        require_database(engine)
        require_current_schema(engine)
        yield engine
    finally:
        engine.dispose()
