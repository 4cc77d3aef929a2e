"""Classifies errors of Postgres: an outage that passes and is waited for, or the statement's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from monitor.errors import RefusedByDatabaseError, UnavailableError
from monitor.redaction import shown_dsn
from monitor.types import Service

LOST = "connection lost"
_LONGEST_WORDS = 500
_ADVICE = "Start it or free it; nothing is lost, the work is tried again."

# SQLSTATE -> what it is in the operator's words; a class (two letters) stands for every code in it.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
OUTAGES = {
    "08": LOST,
    "25006": "read-only, as after a failover",
    "25P03": "ended for idling in a transaction",
    "25P04": "transaction timeout",
    "40001": "serialization failure",
    "40003": "whether the statement completed is unknown",
    "40P01": "deadlock",
    "53": "out of resources",
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock not available",
    "57014": "statement timeout or cancelled",
    "57P01": "shutting down, or ended by an administrator",
    "57P02": "crashed, recovering",
    "57P03": "starting up",
    "57P05": "ended for idling",
    "58": "system error under Postgres",
}
_CONTENDED = ("40001", "40P01", "55P03", "57014", "25P03", "25P04")
"""Outages of one statement or transaction: the server is there for others."""
_CHECK_VIOLATION = "23514"


def outage_of(error: BaseException) -> str | None:
    """Return which kind of outage *error* is, in words of `OUTAGES`; None: it is none and comes again when retried."""
    if isinstance(error, sa.exc.TimeoutError):
        return "no free connection in the pool"
    driver = _driver_error(error)
    if driver is None:
        return None
    if driver.sqlstate is None:
        # What no server said: its silence, or our own misuse (a NUL in a text is a DataError without a code).
        return LOST if isinstance(driver, psycopg.OperationalError | psycopg.InterfaceError) else None
    if driver.sqlstate == _CHECK_VIOLATION and driver.diag.constraint_name is None:
        return "no partition for the row"  # maintain dropped a week of the ledger between its making and the flush
    return OUTAGES.get(driver.sqlstate) or OUTAGES.get(driver.sqlstate[:2])


@contextmanager
def named_outage(engine: sa.Engine, doing: str) -> Iterator[None]:
    """Give the driver's errors one of two names: `UnavailableError` is waited for, `RefusedByDatabaseError` is not.

    psycopg speaks for itself under COPY, SQLAlchemy wraps it elsewhere; both are understood.

    Raises:
        UnavailableError: An outage; says what was tried, where, and the server's words.
        RefusedByDatabaseError: The statement is at fault, or what it carries; it would be refused again.
    """
    try:
        yield
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, psycopg.Error) as error:
        raise driver_error_named(error, engine=engine, doing=doing) from error


def require_writable(connection: sa.Connection) -> None:
    """Return when the server takes writes; a process that only reads would not notice that an outage goes on.

    Raises:
        UnavailableError: It is read-only.
    """
    if connection.execute(sa.text("SELECT current_setting('transaction_read_only')")).scalar_one() == "on":
        where = shown_dsn(connection.engine.url.render_as_string(hide_password=True))
        raise UnavailableError(f"Postgres at {where}: {OUTAGES['25006']}\n{_ADVICE}", service=Service.POSTGRES)


def driver_error_named(
    error: BaseException, *, engine: sa.Engine, doing: str
) -> UnavailableError | RefusedByDatabaseError:
    """Return *error* of the driver under the name that says whether waiting helps."""
    where = shown_dsn(engine.url.render_as_string(hide_password=True))
    kind = outage_of(error)
    driver = _driver_error(error)
    if kind is None:
        return RefusedByDatabaseError(
            f"Postgres at {where}, {doing}", sqlstate=driver.sqlstate if driver else None, words=server_words(error)
        )
    return UnavailableError(
        f"Postgres at {where}, {doing}: {kind}: {server_words(error)}\n{_ADVICE}",
        service=Service.POSTGRES,
        contended=driver is not None and driver.sqlstate in _CONTENDED,
    )


def server_words(error: BaseException) -> str:
    """Return what the server said in one bounded line, without its details, which quote rows."""
    driver = _driver_error(error)
    words = str(error) if driver is None else driver.diag.message_primary or str(driver)
    return " ".join(words.split())[:_LONGEST_WORDS]


def _driver_error(error: BaseException) -> psycopg.Error | None:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return cause if isinstance(cause, psycopg.Error) else None
