"""Interrupts this process's statements on Postgres: cancels them, cuts connections that stay silent.

A thread that waits for the server can be neither stopped nor asked; another one ends what it waits for. It then sees an
error of the driver (`outage_of` knows both) and goes its ordinary way.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

from monitor.clock import monotonic_seconds

_CANCEL_SECONDS = 2.0


@dataclass(slots=True)
class _Watched:
    """One connection: when its newest statement began, and how long the server may take for one (None: for ever)."""

    began: float
    longest_seconds: float | None


_lock = threading.Lock()
_ending = threading.Event()
_watched: WeakKeyDictionary[psycopg.Connection, _Watched] = WeakKeyDictionary()


def watch_statements(engine: sa.Engine, *, longest_seconds: float | None) -> None:
    """Know the connections of *engine* from now on; the server ends its statements after *longest_seconds*."""

    def connected(connection: psycopg.Connection, record: object) -> None:
        with _lock:
            _watched[connection] = _Watched(monotonic_seconds(), longest_seconds)

    def begins(
        connection: sa.Connection,
        cursor: psycopg.Cursor,
        statement: str,
        parameters: object,
        context: object,
        many: bool,
    ) -> None:
        watched = _watched.get(cursor.connection)
        if watched is not None:
            watched.began = monotonic_seconds()

    def connects(dialect: sa.Dialect, record: object, arguments: object, keywords: object) -> None:
        if _ending.is_set():
            raise psycopg.OperationalError("this process is ending and connects to nothing any more")

    sa.event.listen(engine, "do_connect", connects)
    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "before_cursor_execute", begins)


@contextmanager
def unlimited(connection: sa.Connection) -> Iterator[None]:
    """Let statements of *connection*, in AUTOCOMMIT mode, run and wait for locks as long as they take meanwhile.

    For what holds up nobody and may take long, as building an index concurrently; SIGTERM still cancels it.
    """
    watched = _watched.get(cast(psycopg.Connection, connection.connection.driver_connection))
    longest_seconds = watched.longest_seconds if watched else None
    if watched:
        watched.longest_seconds = None
    connection.execute(
        sa.text("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)")
    )
    try:
        yield
    finally:
        if watched:
            watched.longest_seconds = longest_seconds
        if not connection.invalidated:
            connection.execute(sa.text("RESET statement_timeout"))
            connection.execute(sa.text("RESET lock_timeout"))


def refuse_connections() -> None:
    """From now on no engine of this process connects: a server that does not answer costs seconds at each attempt."""
    _ending.set()


def cancel_statements() -> int:
    """Ask the server to cancel every statement this process waits for, and wait for no answer; return how many."""
    running = [connection for connection, _ in _running()]
    for connection in running:
        threading.Thread(target=_cancel, args=(connection,), name="cancel", daemon=True).start()
    return len(running)


def _cancel(connection: psycopg.Connection) -> None:
    with suppress(psycopg.Error, OSError):  # a server that does not answer: cut it
        connection.cancel_safe(timeout=_CANCEL_SECONDS)


def cut_connections() -> int:
    """Close the sockets this process waits on, without asking anybody; return how many."""
    return sum(_cut(connection) for connection, _ in _running())


def cut_silent_connections(*, grace_seconds: float) -> int:
    """Cut connections on which the server is silent *grace_seconds* longer than it lets a statement run.

    Its time-out would have ended the statement: the answer is lost between us, as behind a proxy that keeps our side
    of a dead connection open, where no keepalive fails.
    """
    now = monotonic_seconds()
    return sum(
        _cut(connection)
        for connection, watched in _running()
        if watched.longest_seconds is not None and now - watched.began > watched.longest_seconds + grace_seconds
    )


def _running() -> list[tuple[psycopg.Connection, _Watched]]:
    with _lock:
        known = list(_watched.items())
    return [
        (connection, watched)
        for connection, watched in known
        if connection.pgconn.transaction_status == TransactionStatus.ACTIVE
    ]


def _cut(connection: psycopg.Connection) -> bool:
    # The driver's thread is inside the connection; only its socket may be touched from here.
    with suppress(psycopg.Error, OSError), socket.socket(fileno=connection.pgconn.socket) as shared:
        try:
            shared.shutdown(socket.SHUT_RDWR)
        finally:
            shared.detach()
        return True
    return False
