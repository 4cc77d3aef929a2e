"""The roles as processes for the tests of single faults: their logs as events, their health, how fast they end."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine

from tests.acceptance.roles import Roles
from tests.services.processes import free_port, last_lines

ROLES = ("ingest", "alerter", "maintain")
GRACE_SECONDS = 10.0


class RunningRoles:
    """One process of each role, with a port for its health."""

    def __init__(self, roles: Roles, names: Sequence[str]) -> None:
        self.roles = roles
        self.ports = {name: free_port() for name in names}

    def log(self, name: str) -> Path:
        return self.roles.directory / f"{name}.log"

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the role logged; a line that is no JSON, as of a traceback or a library, is an event of its own."""
        lines = self.log(name).read_text(errors="replace").splitlines()
        return [json.loads(line) if line.startswith("{") else {"event": "stray line", "line": line} for line in lines]

    def count(self, name: str, event: str) -> int:
        return sum(logged["event"] == event for logged in self.events(name))

    def health(self, name: str) -> dict[str, Any]:
        """What /healthz says; empty while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/healthz", timeout=5) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.loads(error.read()))
        except OSError:
            return {}

    def reason(self, name: str) -> str:
        """Why the role is not healthy; empty when it is."""
        return str(self.health(name).get("reason", "not started") or "")

    def wait_until(self, condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            said = "\n".join(
                f"{name}: {self.reason(name)}\n{last_lines(self.log(name), count=6)}" for name in self.ports
            )
            assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}\n{said}"
            time.sleep(0.1)

    def wait_until_healthy(self) -> None:
        for name in self.ports:
            self.wait_until(lambda name=name: self.health(name).get("status") == "ok", f"a healthy {name}")

    def terminate(self, name: str) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and the seconds until then."""
        process = self.roles.running.pop(name)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(30), time.monotonic() - began
        finally:
            process.kill()


@contextmanager
def running_roles(roles: Roles, *, names: Sequence[str] = ROLES, **settings: str) -> Iterator[RunningRoles]:
    """Give the roles, healthy; end them afterwards."""
    with roles:
        running = RunningRoles(roles, names)
        for name, port in running.ports.items():
            roles.start(name, name, DRIFTLINE_METRICS_PORT=str(port), DRIFTLINE_SWEEP_SECONDS="1", **settings)
        running.wait_until_healthy()
        yield running


def statements(engine: Engine) -> list[str]:
    """What the server runs for Driftline in the engine's database."""
    query = (
        "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'driftline'"
        " AND state <> 'idle'"
    )
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)).scalars())


def wait_for_lock(engine: Engine, *, seconds: float = 40) -> None:
    """Return when a statement of Driftline's waits for a lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'driftline'"
        " AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + seconds
    while True:
        with engine.connect() as connection:
            if connection.execute(sa.text(query)).scalar_one():
                return
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for a statement that waits for a lock"
        time.sleep(0.05)
