"""A Postgres without installation, for what does not outlive its process: the demo, a backtest.

Nothing of it is shared: data and socket are in a directory of its own, there is no port and no lock. Any number of
users may run any number of them at once.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from driftline.postgres_programs import (
    SUPERUSER,
    Identity,
    give_directory,
    initialise,
    postgres_environment,
    postgres_identity,
    postgres_program,
    says_ready,
)
from monitor.clock import monotonic_seconds, sleep_seconds
from monitor.errors import UnavailableError

_PORT = "5432"  # no port of the machine: it names the socket
_SOCKET_PATH_BYTES = 103  # macOS takes no longer ones, Linux 107
_START_SECONDS = 120.0
_END_SECONDS = 30.0
_REMOVE_SECONDS = 10.0
_LAST_LINES = 20
# no safety against a power cut: this database does not outlive its process
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_wal_size": "2GB",
    "port": _PORT,
    "synchronous_commit": "off",
    "unix_socket_permissions": "0700",
}


@contextmanager
def embedded_postgres(directory: Path) -> Iterator[str]:
    """Run a Postgres in *directory*, which is made; give its address.

    Raises:
        UnavailableError: It could not be started; with its last words.
    """
    identity = postgres_identity()
    directory.mkdir(mode=0o700)
    give_directory(directory, identity)
    initialise(directory, identity)
    with _socket_directory(directory, identity) as sockets:
        server = _spawn(directory, sockets, identity)
        try:
            _await_ready(server, directory)
            query = {"host": str(sockets), "port": _PORT}
            yield sa.URL.create("postgresql", username=SUPERUSER, database="postgres", query=query).render_as_string()
        finally:
            _end(server)


def remove_directory(directory: Path) -> None:
    """Remove *directory*; what a server's last processes still write into it is waited for."""
    deadline = monotonic_seconds() + _REMOVE_SECONDS
    shutil.rmtree(directory, ignore_errors=True)
    while directory.exists() and monotonic_seconds() < deadline:
        sleep_seconds(0.05)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _socket_directory(directory: Path, identity: Identity) -> Iterator[Path]:
    """Give *directory*; a private one with a short path where that is too long for a socket, or has a comma.

    Clients take a comma for the end of the first of several addresses.
    """
    path = os.fsencode(directory / f".s.PGSQL.{_PORT}")
    if len(path) <= _SOCKET_PATH_BYTES and b"," not in path:
        yield directory
        return
    short = Path(tempfile.mkdtemp(prefix="driftline-socket-", dir="/tmp"))
    try:
        give_directory(short, identity)
        yield short
    finally:
        remove_directory(short)


def _spawn(directory: Path, sockets: Path, identity: Identity) -> subprocess.Popen[bytes]:
    settings = SETTINGS | {"unix_socket_directories": str(sockets)}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(
            [str(postgres_program("postgres")), "-D", str(directory), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=postgres_environment(),
            start_new_session=True,  # Ctrl-C is for us, who end it in order
            **identity,
        )


def _await_ready(server: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = monotonic_seconds() + _START_SECONDS
    while not says_ready(directory, process=server.pid):
        if server.poll() is not None or monotonic_seconds() > deadline:
            found = "did not answer" if server.poll() is None else f"ended with code {server.returncode}"
            lines = (directory / "log").read_text(errors="replace").splitlines()[-_LAST_LINES:]
            raise UnavailableError("\n".join([f"Postgres: the embedded server {found} at its start:", *lines]))
        sleep_seconds(0.02)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server without a last checkpoint: what it holds is about to be removed."""
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
