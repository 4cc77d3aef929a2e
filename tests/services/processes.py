"""Child processes that never outlive the tests: free ports, logs, endings."""

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from driftline.embedded_postgres import ChildUser

# Below the range that Linux and macOS give to outgoing connections, so that a port
# is still free when a killed service comes back to it.
PORTS = range(20_000, 32_000)
PR_SET_PDEATHSIG = 1
OURSELVES = ChildUser(user=None, group=None, extra_groups=None)


class ServiceFailed(Exception):
    """A service did not start or did not do what it was asked; the message ends with its last log lines."""


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on."""
    for port in random.SystemRandom().sample(PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceFailed(f"no free port among 200 tried between {PORTS.start} and {PORTS.stop}")


def last_lines(log: Path, *, count: int = 25) -> str:
    """Return the end of *log*, or say that there is none."""
    if not log.exists():
        return f"({log} was never written)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child runs before its program, so that it gets signal *number* when its parent dies.

    A test run ended by SIGKILL or a bare SIGTERM cleans nothing up. Linux only; None elsewhere.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_for_the_signal() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask_for_the_signal


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    identity: ChildUser | None = None,
    environment: Mapping[str, str] | None = None,
    at_parents_death: signal.Signals = signal.SIGKILL,
    first: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start *command* in a session of its own, its output appended to *log*; *first* runs in the child before it."""
    follow_parent = die_with_parent(at_parents_death)

    def prepare() -> None:
        if first is not None:
            first()
        if follow_parent is not None:
            follow_parent()

    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            **(identity or OURSELVES),
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509  it makes system calls only
        )


def end(process: subprocess.Popen[bytes], *, by: signal.Signals, timeout_seconds: float) -> None:
    """Send *by*, wake the process if it is stopped, wait; SIGKILL after *timeout_seconds*."""
    if process.poll() is not None:
        return
    process.send_signal(by)
    process.send_signal(signal.SIGCONT)
    try:
        process.wait(timeout_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)
