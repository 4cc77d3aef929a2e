"""The demo from nothing: every act ends as expected, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from driftline.cli.exit_codes import ExitCode

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def environment(temporary: Path) -> dict[str, str]:
    """An operator's own settings must not reach the demo; what it leaves in its temporary directory is seen."""
    return {
        **os.environ,
        "TMPDIR": str(temporary),
        "DRIFTLINE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/production",
        "DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    }


def left_behind(temporary: Path) -> list[str]:
    """Return processes whose command line names *temporary*, and the demo's directories in it."""
    mark = str(temporary).encode()
    results = [str(path) for path in temporary.glob("driftline-demo-*")]
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = line.read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if mark in command:
            results.append(command.decode(errors="replace"))
    return results


@pytest.fixture
def temporary(service_directory: Path) -> Path:
    """A short path: Postgres' socket lies in it, and its name has at most 107 bytes."""
    directory = service_directory / f"demo-{time.monotonic_ns()}"
    directory.mkdir(mode=0o755)
    return directory


def test_every_act_ends_as_expected_even_with_another_demo_running(temporary: Path) -> None:
    """Two demos at once: each counts all it produced, detects what it must, and sends what it must, verified."""
    command = [sys.executable, "-m", "driftline", "demo", "--json"]
    both = [
        subprocess.Popen(command, env=environment(temporary), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        out, error = process.communicate(timeout=540)
        assert process.returncode == ExitCode.OK, error
        (line,) = out.splitlines()
        _check(json.loads(line))
    assert left_behind(temporary) == []


def _check(document: dict[str, object]) -> None:
    assert document["counted"] == document["events_produced"]
    assert (document["duplicates"], document["late"], document["dead_letters"], document["failed_expectations"]) == (
        0,
        0,
        0,
        [],
    )
    incidents = document["incidents"]
    deliveries = document["deliveries"]
    actions = document["actions"]
    assert isinstance(incidents, list)
    assert isinstance(deliveries, list)
    assert isinstance(actions, list)
    detected = sorted(
        (incident["version"], incident["kind"], tuple(sorted(incident["columns"]))) for incident in incidents
    )
    assert detected == [
        ("3.2.0", "data_quality", ("income",)),
        ("3.2.0", "drift", ("income",)),
        ("3.3.0", "drift", ("prediction.score",)),
        ("3.4.0", "drift", ("prediction.label", "prediction.score")),
        ("3.4.0", "performance", ()),
    ]
    rollbacks = [action for action in actions if action["kind"] == "rollback"]
    held = [action for action in rollbacks if "awaiting_approval" in action["states"]]
    assert [(action["reason"], action["state"]) for action in held if action["from_version"] == "3.3.0"] == [
        ("recalibrated", "rejected")
    ]
    assert "quality_is_fine" in {action["reason"] for action in rollbacks if action["from_version"] == "3.3.0"}
    sent = [action for action in rollbacks if "dispatching" in action["states"]]
    assert [(action["from_version"], action["to_version"], action["state"]) for action in sent] == [
        ("3.4.0", "3.2.0", "accepted")
    ]
    waited = [(action["reason"], action["state"]) for action in held if action["from_version"] == "3.4.0"]
    assert waited[0] == ("shift_without_labels", "superseded")
    assert {state for _, state in waited} == {"superseded"}
    # whether its labels are judged in between, and whether its shift still shows then, depends on the pace
    assert sent[0]["reason"] in ("quality_worse", "worse_side_by_side")
    assert all(delivery["verified"] for delivery in deliveries)
    requests = ("model.retrain.requested", "model.rollback.requested")
    assert sorted(delivery["type"] for delivery in deliveries if delivery["type"] in requests) == list(requests)


def test_sigterm_ends_every_child(temporary: Path) -> None:
    """Ended in the middle, by SIGTERM: no process and no directory is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "driftline", "demo"],
        env=environment(temporary),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    limit = time.monotonic() + 120
    for line in process.stdout:
        assert time.monotonic() < limit
        if "Act 1" in line:
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert left_behind(temporary) == []
