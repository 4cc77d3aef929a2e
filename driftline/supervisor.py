"""Runs the roles as child processes: prefixed lines, restarts with back-off, an orderly end."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

import structlog

from driftline.own_process import SUPERVISOR_VARIABLE, own_process, own_process_environment
from monitor.backoff import Backoff
from monitor.clock import monotonic_seconds
from monitor.humanize import printable
from monitor.logs import configure_logging
from monitor.settings import Settings

_BACKOFF = Backoff(first_seconds=1.0, longest_seconds=30.0)
_STEADY_SECONDS = 60.0  # a role that ran this long starts again at once when it crashes
_POLL_SECONDS = 0.2
_FINAL_CODES = (2, 3)  # wrong settings, wrong schema: the same at every restart


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One child: its name in front of its lines, its command, what its environment has on top of ours."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Child:
    spec: ChildSpec
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    crashes: int = 0  # in a row, without a steady run between them
    start_at: float = 0.0


def role_children(settings: Settings, *, ingest_workers: int) -> tuple[ChildSpec, ...]:
    """Return *ingest_workers* ingest roles, one alerter, one maintain, on consecutive metrics ports if any."""
    names = [f"ingest-{number + 1}" for number in range(ingest_workers)] if ingest_workers > 1 else ["ingest"]
    roles = [(name, "ingest") for name in names] + [("alerter", "alerter"), ("maintain", "maintain")]
    first = settings.metrics_port
    return tuple(
        ChildSpec(
            name=name,
            command=own_process(role),
            environment={"DRIFTLINE_METRICS_PORT": str(first + number)} if first else {},
        )
        for number, (name, role) in enumerate(roles)
    )


def supervise(settings: Settings, *, ingest_workers: int, grace_seconds: float) -> None:
    """Run every role until SIGTERM or Ctrl-C."""
    configure_logging(level=settings.log_level, role="up")
    stop = threading.Event()

    def request_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, request_stop)
    signal.signal(signal.SIGINT, request_stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, request_stop)
    children = role_children(settings, ingest_workers=ingest_workers)
    Supervisor(children, grace_seconds=grace_seconds).run(stop)


class Supervisor:
    """Keeps children running until asked to stop.

    Args:
        children: What to run.
        grace_seconds: How long they may take to end after SIGTERM before they are killed.
        write: Where their prefixed lines go.
    """

    def __init__(
        self, children: Sequence[ChildSpec], *, grace_seconds: float, write: Callable[[str], object] = sys.stderr.write
    ) -> None:
        self._children = [_Child(spec=spec) for spec in children]
        self._grace_seconds = grace_seconds
        self._write = write
        self._width = max(len(spec.name) for spec in children)
        self._log = structlog.get_logger()

    def run(self, stop: threading.Event) -> None:
        """Start all, restart what ends, until *stop*; then end all."""
        try:
            while not stop.is_set():
                for child in self._children:
                    self._look_after(child)
                stop.wait(_POLL_SECONDS)
        finally:
            self.end()

    def end(self) -> None:
        """Ask every child to stop; kill what is left after the grace period."""
        running = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        limit = monotonic_seconds() + self._grace_seconds
        for process in running:
            try:
                process.wait(max(limit - monotonic_seconds(), 0.01))
            except subprocess.TimeoutExpired:
                self._log.warning("role.killed", pid=process.pid, grace_seconds=self._grace_seconds)
                process.kill()
                process.wait()

    def _look_after(self, child: _Child) -> None:
        now = monotonic_seconds()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            child.crashes = 1 if now - child.started_at >= _STEADY_SECONDS else child.crashes + 1
            wait = _BACKOFF.longest_seconds if code in _FINAL_CODES else _BACKOFF.wait_seconds(child.crashes)
            child.start_at = now + wait
            child.process = None
            self._log.error("role.ended", name=child.spec.name, exit_code=code, restart_in_seconds=wait)
        if now >= child.start_at:
            self._start(child)

    def _start(self, child: _Child) -> None:
        child.process = subprocess.Popen(
            child.spec.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                **own_process_environment(),
                **child.spec.environment,
                SUPERVISOR_VARIABLE: str(os.getpid()),
                "PYTHONUNBUFFERED": "1",
            },
            text=True,
            errors="replace",
            # Ctrl-C reaches us only: we end the children in order.
            start_new_session=True,
        )
        child.started_at = monotonic_seconds()
        self._log.info("role.started", name=child.spec.name, pid=child.process.pid)
        assert child.process.stdout is not None
        prefix = f"{child.spec.name:<{self._width}} | "
        threading.Thread(target=self._forward, args=(child.process.stdout, prefix), daemon=True).start()

    def _forward(self, lines: IO[str], prefix: str) -> None:
        with lines:
            for line in lines:
                self._write(prefix + printable(line.rstrip("\n")) + "\n")
