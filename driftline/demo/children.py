"""Child processes that never outlive the demo."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from driftline.own_process import own_process, own_process_environment
from monitor.errors import DriftlineError

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 10.0
_COMMAND_SECONDS = 120.0


def run_to_end(*arguments: str, directory: Path) -> None:
    """Run `driftline ARGUMENTS` in *directory*.

    Raises:
        DriftlineError: It failed; with what it said.
    """
    done = subprocess.run(
        own_process(*arguments),
        cwd=directory,
        env={**os.environ, **own_process_environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise DriftlineError(f"driftline {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr.strip()}")


class Children:
    """The running roles, each with its log in *directory*."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        """Start `driftline ARGUMENTS` under *name*."""
        with self.log(name).open("ab") as output:
            self._running[name] = subprocess.Popen(
                own_process(*arguments),
                cwd=self._directory,
                env={**os.environ, **own_process_environment()},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the demo only, which then ends them in order
                preexec_fn=_die_with_parent(),  # noqa: PLW1509  it makes one system call
            )

    def require_alive(self) -> None:
        """Return when every child still runs.

        Raises:
            DriftlineError: One ended; with the last lines of its log.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                lines = self.log(name).read_text(errors="replace").splitlines()[-15:]
                raise DriftlineError(f"{name} ended with exit code {process.returncode}:\n" + "\n".join(lines))

    def log(self, name: str) -> Path:
        """Return where the lines of *name* go."""
        return self._directory / f"{name}.log"

    def end(self) -> None:
        """Ask all to stop, and kill what does not within the grace period."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    """Return what makes a child end with us even if we are killed; Linux only."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    return ask
