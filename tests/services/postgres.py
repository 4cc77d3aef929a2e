"""A real Postgres 18 from a wheel's binaries: one server on a loopback port, stopped in any mode."""

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import psycopg
from psycopg import sql

from driftline.embedded_postgres import (
    SUPERUSER,
    give_directory,
    initialise,
    postgres_identity,
    postgres_program,
    says_ready,
)
from tests.services.processes import ServiceFailed, end, free_port, last_lines, spawn
from tests.services.small_disk import SmallDisk, mounting

START_TIMEOUT_SECONDS = 60.0

StopMode = Literal["fast", "immediate"]
STOP_SIGNALS: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

SETTINGS = {"jit": "off", "log_line_prefix": "%m [%p] %d ", "max_connections": "200", "timezone": "UTC"}


class PostgresServer:
    """One server whose directory and address stay the same over stop and restart.

    Args:
        directory: Where data and log live; made if missing, reused if it holds data.
        port: TCP port on the loopback interface; a free one by default.
        durable: False trades safety against a power cut for speed. A crash of the
            server itself, `stop("immediate")`, loses no commit either way.
        settings: Server settings that replace or extend SETTINGS.
        small_disk: A disk of its own that the server has room for a tablespace on; lost when it stops.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        small_disk: SmallDisk | None = None,
    ) -> None:
        self._directory = directory
        self._small_disk = small_disk
        self._port = port or free_port()
        safety = {} if durable else {"fsync": "off", "full_page_writes": "off"}
        self._settings = SETTINGS | safety | dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.log = directory / "postgres.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, database: str = "postgres") -> str:
        """Return the address of *database* for SQLAlchemy and psycopg alike."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start the server on its directory, made by initdb if new, and return when it answers.

        Raises:
            ServiceFailed: It ended or did not answer within START_TIMEOUT_SECONDS.
        """
        if self._process is not None and self._process.poll() is None:
            return
        identity = postgres_identity()
        self._directory.mkdir(parents=True, exist_ok=True)
        give_directory(self._directory, identity)
        if not (self._directory / "data" / "PG_VERSION").exists():
            initialise(self._directory / "data", identity)
        options = [word for key, value in self._settings.items() for word in ("-c", f"{key}={value}")]
        address = ["-h", "127.0.0.1", "-p", str(self._port), "-k", ""]
        self._process = spawn(
            [str(postgres_program("postgres")), "-D", str(self._directory / "data"), *address, *options],
            log=self.log,
            identity=identity,
            at_parents_death=signal.SIGQUIT,
            first=None if self._small_disk is None else mounting(self._small_disk),
        )
        try:
            self._await_answer()
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: StopMode = "fast") -> None:
        """End the server: `fast` in order with a checkpoint, `immediate` as a crash that recovery must mend."""
        if self._process is not None:
            end(self._process, by=STOP_SIGNALS[mode], timeout_seconds=30)

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop in *mode* and start again on the same directory and address."""
        self.stop(mode)
        self.start()

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create database *name* as a copy of *template*, which nobody may be connected to; return its url."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop database *name*, even with clients connected to it."""
        self._execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise ServiceFailed(f"Postgres ended at its start; its last lines:\n{last_lines(self.log)}")
            # by the server's own file: at the port another server may answer
            if says_ready(self._directory / "data", process=self._process.pid):
                return
            time.sleep(0.02)
        raise ServiceFailed(f"Postgres did not answer at {self.url()}; its last lines:\n{last_lines(self.log)}")
