"""Turns a lost or refusing Postgres into one error that a service waits out."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from monitor.errors import UnavailableError

_LOST = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,  # read-only after a failover; a transaction ended for its idling
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.errors.CheckViolation,  # maintain dropped a week of the ledger between its making and the flush
)


@contextmanager
def named_outage(engine: sa.Engine, doing: str) -> Iterator[None]:
    """Raise what the driver says about a lost server, a full disk or a dead-lock as `UnavailableError`.

    psycopg speaks for itself under COPY, SQLAlchemy wraps it elsewhere; a caller that waits wants one name for both.

    Raises:
        UnavailableError: Says what was tried, where, and the server's words.
    """
    try:
        yield
    except _LOST as error:
        where = engine.url.render_as_string(hide_password=True)
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        raise UnavailableError(
            f"Postgres at {where}, {doing}: {cause}\nStart it or free it; nothing is lost, the work is tried again."
        ) from error
