"""The Postgres of the demo and of backtests: of any user, several at once, wherever the temporary directory is."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from driftline.embedded_postgres import SETTINGS, embedded_postgres, remove_directory
from monitor.errors import UnavailableError
from monitor.store.engine import make_engine

STARTED = """
import pathlib, sys
from driftline.embedded_postgres import embedded_postgres
with embedded_postgres(pathlib.Path(sys.argv[1])) as url:
    print("started")
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    """Outside pytest's own directories, whose modes shut out the user that Postgres runs as for root."""
    directory = Path(tempfile.mkdtemp(prefix="driftline-tests-"))
    yield directory
    remove_directory(directory)


def answer(url: str) -> object:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text("SHOW data_directory")).scalar()
    finally:
        engine.dispose()


def test_what_another_user_left_in_the_shared_directory_is_not_touched(directory: Path) -> None:
    """A lock that cannot be taken and a runtime directory that is not ours: it starts all the same.

    A directory in the place of the file refuses root too, as the file of another user refuses everybody else.
    """
    (directory / ".lockfile").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", STARTED, str(directory / "postgres")],
        env={**os.environ, "TMPDIR": str(directory), "XDG_RUNTIME_DIR": str(directory / "nobody's")},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert (done.stdout, done.returncode) == ("started\n", 0), done.stderr


def test_several_run_at_once_and_each_is_its_own(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No port, no lock, no socket in common, whatever address the environment names for other programs."""
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    places = [directory / name for name in ("one", "two", "three")]
    with ExitStack() as stack:
        urls = [stack.enter_context(embedded_postgres(place)) for place in places]
        assert [answer(url) for url in urls] == [str(place) for place in places]


@pytest.mark.parametrize("name", ["x" * 100, "a, b", "a b+c%20'd"], ids=["long", "comma", "signs"])
def test_any_path_will_do(directory: Path, name: str) -> None:
    """A socket's path is bounded, and clients take a comma for a list of addresses; nothing stays behind."""
    with embedded_postgres(directory / name) as url:
        assert answer(url) == str(directory / name)
        sockets = Path(str(sa.engine.make_url(url).query["host"]))
        assert sockets.exists()
    assert sockets == directory / name or not sockets.exists()


def test_nobody_else_gets_in(directory: Path) -> None:
    """It trusts every connection: directory and socket are its owner's alone."""
    with embedded_postgres(directory / "postgres"):
        assert stat.S_IMODE((directory / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "postgres" / ".s.PGSQL.5432").stat().st_mode) == 0o700


def test_a_server_that_cannot_start_says_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last words, not a traceback of ours and not two minutes of silence."""
    monkeypatch.setitem(SETTINGS, "shared_buffers", "many")
    with (
        pytest.raises(UnavailableError, match=r"(?s)ended with code 1 at its start:.*shared_buffers"),
        embedded_postgres(directory / "postgres"),
    ):
        pass
