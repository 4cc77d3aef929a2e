"""Connections to Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from monitor.errors import SettingsError, UnavailableError
from monitor.redaction import shown_dsn
from monitor.store.statements import watch_statements
from monitor.types import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLimits:
    """How long the server lets one statement run, and wait for a lock; None: for ever."""

    statement_seconds: float | None = 60.0
    lock_seconds: float | None = 10.0

    @property
    def options(self) -> dict[str, str]:
        """The server's settings."""
        limits = {"statement_timeout": self.statement_seconds, "lock_timeout": self.lock_seconds}
        return {name: f"{seconds * 1000:.0f}ms" for name, seconds in limits.items() if seconds is not None}


UNLIMITED = StatementLimits(statement_seconds=None, lock_seconds=None)
"""For migrations, and for databases that nobody else uses."""

_DEFAULT_LIMITS = StatementLimits()
# A server that vanished without a word, or a connection that a firewall forgot, is noticed within about 20 seconds.
_KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_OPTIONS = {
    "timezone": "UTC",
    # A plan made while a table was empty must not stay when it is not: each execution is planned for what it meets.
    "plan_cache_mode": "force_custom_plan",
}


def make_engine(url: str, *, pool_size: int = 5, limits: StatementLimits = _DEFAULT_LIMITS) -> sa.Engine:
    """Return an engine whose pool survives a restarted server, whose statements end, and which may be interrupted.

    Raises:
        SettingsError: *url* is not a Postgres address.
    """
    address = _address(url)
    options = " ".join(f"-c {name}={value}" for name, value in (_OPTIONS | limits.options).items())
    engine = sa.create_engine(
        address,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,  # F4: a pool full of dead connections recovers without a restart
        pool_recycle=1800,
        connect_args={"connect_timeout": 5, "options": options, "application_name": "driftline", **_KEEPALIVE},
    )
    sa.event.listen(engine, "connect", _notice_lost_clients)
    watch_statements(engine, longest_seconds=limits.statement_seconds)
    return engine


def _notice_lost_clients(connection: psycopg.Connection, record: object) -> None:
    """Have the server end the statement of a process that died: its locks would stay as long as it runs."""
    connection.autocommit = True
    with suppress(psycopg.errors.InvalidParameterValue):  # a server on a platform that cannot look
        connection.execute("SET client_connection_check_interval = '2s'")
    connection.autocommit = False


def _address(url: str) -> sa.URL:
    """Return *url* parsed; refused where its parts are ambiguous: the driver's words would quote a password."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in ("postgresql", "postgres", "postgresql+psycopg"):
        path, _, query = rest.partition("?")
        with suppress(sa.exc.ArgumentError, ValueError):  # ValueError: the port is no number
            address = sa.engine.make_url(f"postgresql+psycopg://{rest}")
            if path.count("@") <= 1 and all("=" in pair for pair in query.split("&") if pair):
                return address
    raise SettingsError(
        "DRIFTLINE_DATABASE_URL (or database_url in driftline.toml): expected postgresql://user@host:port/database,"
        f" found {shown_dsn(url)}; in a password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25"
    )


def shown_url(url: sa.URL) -> str:
    """Return *url* without what may be a secret, for messages."""
    return shown_dsn(url.render_as_string(hide_password=True))


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
        where = shown_url(engine.url)
        cause = " ".join(str(error.orig).split())
        if "FATAL" in cause:  # it did answer
            advice = "Check user, password and database in DRIFTLINE_DATABASE_URL (or database_url in driftline.toml)."
            raise UnavailableError(
                f"Postgres: refused at {where}: {cause}\n{advice}", service=Service.POSTGRES
            ) from error
        raise UnavailableError(
            f"Postgres: no answer at {where}: {cause}\n"
            "Start it, or point DRIFTLINE_DATABASE_URL (or database_url in driftline.toml) at a running one.",
            service=Service.POSTGRES,
        ) from error


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection whose statements all see the database as it was at the first of them; for reading."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection
