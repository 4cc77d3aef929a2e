"""The demo's Postgres, broker, roles and spec."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consumers.kafka.embedded import EmbeddedBroker
from driftline.embedded_postgres import embedded_postgres, remove_directory
from driftline.own_process import own_process, own_process_environment
from monitor.errors import DriftlineError
from monitor.settings import Settings
from monitor.spec.actions import ActionMode
from monitor.spec.file import parse_spec, spec_of
from monitor.spec.template import spec_template
from monitor.types import ActionKind

SECRET_VARIABLE = "DEMO_WEBHOOK_SECRET"
SCALES = "4h/20m,12h/1h"

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 10.0
_COMMAND_SECONDS = 120.0


def demo_spec(proposed: str, *, url: str) -> str:
    """Return the spec in *proposed*, as `driftline init` wrote it, with the demo's floor, receivers and actions."""

    def signed(path: str) -> dict[str, str]:
        return {"url": f"{url}/{path}", "secret_env": SECRET_VARIABLE}

    document = parse_spec(proposed, source="the demo's spec").model_dump(mode="json")
    document["accuracy"]["floor"] = 0.7
    document["prediction"]["warm_up"] = "0s"
    document["alerting"] |= {
        "owner": "risk-team",
        "runbook": "https://example.org/runbooks/credit",
        "freshness": "36500d",
        "receivers": [{"name": "team", "type": "webhook", **signed("team")}],
    }
    document["actions"] = {kind.value: {"mode": ActionMode.AUTO, **signed(kind)} for kind in ActionKind}
    document["actions"]["rollback"]["random_split"] = True
    freshness = (
        "Only for the demo: its events lie years in the past and pass a thousand times as fast as they happened. With"
        " the default nothing would be sent of windows that old, which is right everywhere else."
    )
    warm_up = (
        "Only for the demo, whose canaries live for two days: their scores are compared with those of 3.2.0 from the"
        " first hour. By default a new version's score is learnt for a day and then compared with itself."
    )
    spec = spec_of(document, source="the demo's spec")
    return spec_template(spec, remarks={("alerting", "freshness"): freshness, ("prediction", "warm_up"): warm_up})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStack:
    """What the demo runs on; all of it is removed when it ends."""

    directory: Path
    database_url: str
    bootstrap: str


@contextmanager
def embedded_stack() -> Iterator[EmbeddedStack]:
    """Give a Postgres and a broker with the topics of the default settings."""
    directory = Path(tempfile.mkdtemp(prefix="driftline-demo-"))
    try:
        with embedded_postgres(directory / "postgres") as url:
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
        remove_directory(directory)
