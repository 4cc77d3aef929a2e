"""Roles as processes: they wait for their services, say so, and end in order."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.services.kafka import KafkaBroker
from tests.services.processes import free_port, last_lines, spawn
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until


def start(log: Path, *arguments: str, **settings: str) -> "subprocess.Popen[bytes]":
    return spawn([sys.executable, "-m", "driftline", *arguments], log=log, environment=settings)


def healthz(port: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def stop(process: "subprocess.Popen[bytes]") -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(30)
    finally:
        process.kill()


@pytest.mark.parametrize("role", ["ingest", "alerter", "maintain"])
def test_a_role_waits_for_a_database_and_says_where_it_looked(tmp_path: Path, role: str) -> None:
    """No Postgres: the role stays, /healthz is 503 with address and advice, the log says it once, SIGTERM ends it."""
    log, port = tmp_path / "role.log", free_port()
    process = start(
        log, role,
        DRIFTLINE_DATABASE_URL="postgresql://someone:geheim@127.0.0.1:1/nothing", DRIFTLINE_METRICS_PORT=str(port),
    )  # fmt: skip
    try:
        wait_until(lambda: "service.lost" in log.read_text() and healthz(port)[0] == 503, lambda: last_lines(log))
        time.sleep(3)  # for more tries
        status, body = healthz(port)
        assert status == 503
        reason = json.loads(body)["reason"]
        assert "127.0.0.1:1" in reason
        assert "DRIFTLINE_DATABASE_URL" in reason
    finally:
        code = stop(process)
    assert code == 0
    assert "geheim" not in log.read_text() + body
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["role.started", "service.lost", "role.stopped"]
    assert "127.0.0.1:1" in lines[1]["reason"]


def test_a_role_waits_for_a_broker_that_is_away(database_url: str, tmp_path: Path) -> None:
    """No Kafka: /healthz names its address."""
    log, port = tmp_path / "role.log", free_port()
    process = start(
        log, "ingest",
        DRIFTLINE_DATABASE_URL=database_url, DRIFTLINE_KAFKA_BOOTSTRAP="127.0.0.1:1", DRIFTLINE_METRICS_PORT=str(port),
    )  # fmt: skip
    try:
        wait_until(lambda: "no answer at 127.0.0.1:1" in healthz(port)[1], lambda: last_lines(log))
    finally:
        code = stop(process)
    assert code == 0


def test_a_role_refuses_a_schema_that_is_not_its_own(postgres_server: object, tmp_path: Path) -> None:
    """A database that was never migrated ends the role with 3: no restart would change it."""
    url = postgres_server.create_database("empty_for_role")  # type: ignore[attr-defined]
    done = subprocess.run(
        [sys.executable, "-m", "driftline", "maintain"],
        env={**os.environ, "DRIFTLINE_DATABASE_URL": url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "driftline migrate" in done.stderr


@pytest.mark.kafka
def test_up_runs_every_role_and_takes_them_with_it(
    kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, tmp_path: Path
) -> None:
    """Two ingest workers, alerter and maintain become healthy on consecutive ports; a killed one comes back."""
    log, first = tmp_path / "up.log", free_port()
    process = start(
        log, "up", "--ingest", "2",
        DRIFTLINE_DATABASE_URL=database_url,
        DRIFTLINE_KAFKA_BOOTSTRAP=kafka_broker.bootstrap,
        DRIFTLINE_KAFKA_GROUP=f"up-{topic_names.predictions}",
        DRIFTLINE_PREDICTIONS_TOPICS=json.dumps([topic_names.predictions]),
        DRIFTLINE_TRUTHS_TOPICS=json.dumps([topic_names.ground_truth]),
        DRIFTLINE_DEPLOYMENTS_TOPICS=json.dumps([topic_names.deployments]),
        DRIFTLINE_WAKEUPS_TOPIC=topic_names.wakeups,
        DRIFTLINE_METRICS_PORT=str(first),
    )  # fmt: skip
    try:
        roles = ("ingest", "ingest", "alerter", "maintain")
        for number, role in enumerate(roles):
            wait_until(lambda port=first + number: healthz(port)[0] == 200, lambda: last_lines(log), seconds=90)
            assert json.loads(healthz(first + number)[1])["role"] == role
        children = [event["pid"] for event in _events(log) if event["event"] == "role.started" and "pid" in event]
        os.kill(int(str(children[-1])), signal.SIGKILL)
        wait_until(lambda: "role.ended" in log.read_text(), lambda: last_lines(log))
        wait_until(lambda: healthz(first + 3)[0] == 200, lambda: last_lines(log), seconds=60)
        children = [event["pid"] for event in _events(log) if event["event"] == "role.started" and "pid" in event]
        assert len(children) == 5
    finally:
        code = stop(process)
    assert code == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def _events(log: Path) -> list[dict[str, object]]:
    """Return the supervisor's own lines; its children's carry a prefix."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_roles_end_when_up_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves `up` no time to end them: each notices by itself that its parent is another one, and stops."""
    log = tmp_path / "up.log"
    process = start(log, "up", DRIFTLINE_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    roles: list[int] = []

    def waiting() -> bool:
        text = log.read_text()
        roles[:] = map(int, re.findall(r'"pid": (\d+)', text))
        return len(roles) == 3 and text.count("service.lost") >= 3

    try:
        wait_until(waiting, lambda: last_lines(log))
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(is_running, roles)), lambda: f"{roles} to end: {last_lines(log)}")
    finally:
        process.kill()
        for pid in filter(is_running, roles):
            os.kill(pid, signal.SIGKILL)


def is_running(pid: int) -> bool:
    """Whether a process with this id is there and no zombie, which waits only for being collected."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return Path("/proc").is_dir() is False  # macOS has no /proc
    except ProcessLookupError:
        return False
