"""Opens the database for one command, or says why it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from monitor.settings import Settings
from monitor.store.engine import StatementLimits, make_engine, require_database
from monitor.store.migrate import require_current_schema
from monitor.store.outage import named_outage


@contextmanager
def opened_database(settings: Settings) -> Iterator[Engine]:
    """Give an engine on a database that answers and has this program's schema.

    Raises:
        UnavailableError: No answer, at first or later; says where and what to do.
        RefusedByDatabaseError: A statement of the command is refused.
        SchemaVersionError: Another schema; says which and what to do.
    """
    limits = StatementLimits(statement_seconds=settings.statement_timeout_seconds)
    engine = make_engine(settings.database_url, pool_size=1, limits=limits)
    try:
        require_database(engine)
        with named_outage(engine, "running this command"):
            require_current_schema(engine)
            yield engine
    finally:
        engine.dispose()
