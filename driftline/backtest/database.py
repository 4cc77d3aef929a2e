"""Databases for backtests: one embedded Postgres, migrated once, copied for every run."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from driftline.embedded_postgres import embedded_postgres, remove_directory
from monitor.store.engine import UNLIMITED, make_engine
from monitor.store.migrate import upgrade

_TEMPLATE = "backtest_template"


class BacktestDatabase:
    """A context manager; ready after about two seconds, removed with everything in it at its end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server = sa.engine.make_url("postgresql://")
        self._made = 0

    def __enter__(self) -> Self:
        directory = Path(tempfile.mkdtemp(prefix="driftline-backtest-"))
        self._stack.callback(remove_directory, directory)
        try:
            self._server = sa.engine.make_url(self._stack.enter_context(embedded_postgres(directory / "postgres")))
            self._execute(f"CREATE DATABASE {_TEMPLATE}")
            upgrade(self._url(_TEMPLATE))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Give the address of an empty database with the newest schema; it is dropped afterwards."""
        self._made += 1
        name = f"backtest_{self._made}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        try:
            yield self._url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return self._server.set(database=name).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        engine = make_engine(self._server.render_as_string(hide_password=False), pool_size=1, limits=UNLIMITED)
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text(statement))
        finally:
            engine.dispose()
