"""Brings the database's schema to the one this program was built for, and refuses any other."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import migrations
from monitor.errors import SchemaVersionError
from monitor.store.engine import UNLIMITED, make_engine

_LOCK = 7_316_425_901  # advisory lock: two `driftline migrate` at once run one after the other


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(url: str, *, to: str = "head") -> None:
    """Apply every migration up to *to* that the database at *url* lacks; nothing happens when it has all."""
    engine = make_engine(url, limits=UNLIMITED)
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
            try:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, to)
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
                connection.commit()
    finally:
        engine.dispose()


def head() -> str:
    """Return the newest migration this program knows."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    assert newest is not None
    return newest


def require_current_schema(engine: sa.Engine) -> None:
    """Return when the database has exactly this program's schema.

    Raises:
        SchemaVersionError: It is older, newer or missing; says which and what to do.
    """
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    expected = head()
    if current == expected:
        return
    known = {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is None or current in known:
        raise SchemaVersionError(
            f"database schema: expected {expected}, found {current or 'none'}. Run `driftline migrate`."
        )
    raise SchemaVersionError(
        f"database schema: expected {expected}, found {current}, newer than this program. Start the newer program."
    )
