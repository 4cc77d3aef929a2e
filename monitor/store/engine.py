"""Connections to Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from monitor.errors import SettingsError, UnavailableError


def make_engine(url: str, *, pool_size: int = 5) -> sa.Engine:
    """Return an engine whose pool survives a restarted server.

    Raises:
        SettingsError: *url* is not a Postgres address.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise SettingsError(
            f"DRIFTLINE_DATABASE_URL: expected postgresql://user@host:port/database, found {shown_url(url)}"
        )
    return sa.create_engine(
        f"postgresql+psycopg://{rest}",
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,  # F4: a pool full of dead connections recovers without a restart
        pool_recycle=1800,
        connect_args={
            "connect_timeout": 5,
            "options": "-c timezone=UTC -c plan_cache_mode=force_custom_plan",
            "application_name": "driftline",
        },
    )


def shown_url(url: str) -> str:
    """Return *url* with its password masked, for messages."""
    try:
        return sa.engine.make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "(not a URL)"


def driver_connection(connection: sa.Connection) -> psycopg.Connection:
    """Return the psycopg connection under *connection*, for COPY inside the same transaction."""
    return cast(psycopg.Connection, connection.connection.driver_connection)


def require_database(engine: sa.Engine) -> None:
    """Return when the database answers.

    Raises:
        UnavailableError: It does not; says where and what to do.
    """
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except OperationalError as error:
        where = engine.url.render_as_string(hide_password=True)
        cause = " ".join(str(error.orig).split())
        if "FATAL" in cause:  # it did answer
            advice = "Check user, password and database in DRIFTLINE_DATABASE_URL (or database_url in driftline.toml)."
            raise UnavailableError(f"Postgres: refused at {where}: {cause}\n{advice}") from error
        raise UnavailableError(
            f"Postgres: no answer at {where}: {cause}\n"
            "Start it, or point DRIFTLINE_DATABASE_URL (or database_url in driftline.toml) at a running one."
        ) from error


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection whose statements all see the database as it was at the first of them; for reading."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection
