"""The supervisor keeps its children running and takes them with it."""

import sys
import threading
import time
from collections.abc import Callable

from driftline.supervisor import ChildSpec, Supervisor, role_children
from monitor.settings import load_settings
from tests.services.waiting import wait_until

STEADY = "import time; print('ready', flush=True); time.sleep(600)"
CRASHING = "import sys; print('trying', flush=True); sys.exit(1)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)


def child(name: str, program: str) -> ChildSpec:
    return ChildSpec(name=name, command=(sys.executable, "-c", program))


def supervise(
    children: tuple[ChildSpec, ...], until: Callable[[list[str]], bool], *, grace_seconds: float = 10
) -> float:
    """Run *children* until their lines satisfy *until*; return how long stopping took."""
    lines: list[str] = []
    stop = threading.Event()
    supervisor = Supervisor(children, grace_seconds=grace_seconds, write=lines.append)
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: until(lines))
    finally:
        began = time.monotonic()
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    return time.monotonic() - began


def test_lines_carry_the_name_of_their_role() -> None:
    """Each line of a child comes out behind its name, names padded to one width."""
    children = (child("ingest", STEADY), child("alerter", STEADY))
    supervise(children, lambda lines: {"ingest  | ready\n", "alerter | ready\n"} <= set(lines))


def test_a_crashed_role_is_started_again_and_the_others_go_on() -> None:
    """The crashing one comes back after a pause; the steady one is started once."""

    def twice(lines: list[str]) -> bool:
        return sum("trying" in line for line in lines) >= 2 and sum("ready" in line for line in lines) == 1

    supervise((child("bad", CRASHING), child("good", STEADY)), twice)


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace_period() -> None:
    """Stopping ends within the grace period and a little, whatever the child does."""
    took = supervise((child("deaf", STUBBORN),), bool, grace_seconds=0.5)
    assert 0.4 < took < 25  # the child sleeps for ten minutes


def test_roles_get_consecutive_metrics_ports() -> None:
    """Two ingest workers, alerter, maintain: four ports from the setting on; none when it is 0."""
    children = role_children(load_settings(metrics_port=9464), ingest_workers=2)
    assert [child.name for child in children] == ["ingest-1", "ingest-2", "alerter", "maintain"]
    ports = [child.environment["DRIFTLINE_METRICS_PORT"] for child in children]
    assert ports == ["9464", "9465", "9466", "9467"]
    assert all(not child.environment for child in role_children(load_settings(metrics_port=0), ingest_workers=1))


def test_a_child_s_line_is_text() -> None:
    """What a library of a role writes to the terminal by itself cannot colour or clear it."""
    program = r"import time; print('\x1b[2J\x9bready\u202e', flush=True); time.sleep(600)"
    supervise((child("ingest", program),), lambda lines: "ingest | \\x1b[2J\\x9bready\\u202e\n" in lines)
