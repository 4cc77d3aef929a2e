"""The real roles as processes against a test's own topics and database, as an operator would run them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.services.processes import end, last_lines, spawn
from tests.services.topics import TopicNames


@dataclass
class Roles:
    """Starts `driftline` commands with one environment; ends them all on exit."""

    directory: Path
    database_url: str
    bootstrap: str
    topics: TopicNames
    settings: dict[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DRIFTLINE_DATABASE_URL": self.database_url,
            "DRIFTLINE_KAFKA_BOOTSTRAP": self.bootstrap,
            "DRIFTLINE_KAFKA_GROUP": f"ingest-{self.topics.predictions}",
            "DRIFTLINE_PREDICTIONS_TOPICS": json.dumps([self.topics.predictions]),
            "DRIFTLINE_TRUTHS_TOPICS": json.dumps([self.topics.ground_truth]),
            "DRIFTLINE_DEPLOYMENTS_TOPICS": json.dumps([self.topics.deployments]),
            "DRIFTLINE_WAKEUPS_TOPIC": self.topics.wakeups,
            **self.settings,
        }

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self.running):
            self.stop(name)

    def start(self, name: str, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start `driftline ARGUMENTS` under *name*; its output goes to NAME.log."""
        command = [sys.executable, "-m", "driftline", *arguments]
        environment = {**self.environment, **settings}
        self.running[name] = spawn(command, log=self.directory / f"{name}.log", environment=environment)
        return self.running[name]

    def stop(self, name: str, *, by: signal.Signals = signal.SIGTERM) -> None:
        end(self.running.pop(name), by=by, timeout_seconds=30)

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Run `driftline ARGUMENTS` to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "driftline", *arguments],
            env={**os.environ, **self.environment},
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == expect, f"driftline {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Return the JSON document that a reading command prints."""
        return json.loads(self.run(*arguments, "--json"))

    def wait_until(self, what: str, holds: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Poll until *holds*; on a time-out or a role's death show the logs' last lines."""
        limit = time.monotonic() + timeout_seconds
        while not holds():
            dead = [name for name, process in self.running.items() if process.poll() is not None]
            if dead or time.monotonic() > limit:
                logs = "\n".join(f"--- {n}\n{last_lines(self.directory / f'{n}.log')}" for n in self.running)
                raise AssertionError(f"{what}: {'roles ended: ' + ', '.join(dead) if dead else 'not in time'}\n{logs}")
            time.sleep(0.25)
