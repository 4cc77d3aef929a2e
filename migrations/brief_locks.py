"""Changes of big tables while the version before goes on working: locks that are held for milliseconds, or not at all.

A statement that waits for a table's lock stops all that come after it, so none here waits longer than two seconds: it
gives up, lets the others pass, and tries again. Each is committed by itself and may be repeated: a migration that
was ended in its middle is run again from its beginning.
"""

import random
import time

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import OperationalError

TRIES = 150
_LOCK_NOT_AVAILABLE = "55P03"


def briefly(statements: str) -> None:
    """Run *statements* as one transaction, each lock waited for no longer than two seconds, until it succeeds."""
    for remaining in reversed(range(TRIES)):
        try:
            with op.get_context().autocommit_block():
                op.execute(sa.text(f"SET LOCAL lock_timeout = '2s'; {statements}"))
            return
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or not remaining:
                raise
        time.sleep(random.uniform(0.1, 1.0))


def add_index(name: str, on: str, *, unique: bool = False) -> None:
    """Make the index *name* on ``table (columns)`` while others write; one left half made goes first."""
    connection = op.get_bind()
    query = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    if connection.execute(query, {"name": name}).scalar() is False:
        _by_itself(f"DROP INDEX CONCURRENTLY {name}")
    kind = "UNIQUE INDEX" if unique else "INDEX"
    _by_itself(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {on}")


def validate(table: str, constraint: str) -> None:
    """Check the rows of *table* that were there before *constraint*, while others read and write."""
    _by_itself(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")


def _by_itself(statement: str) -> None:
    with op.get_context().autocommit_block():
        op.execute(sa.text(statement))
