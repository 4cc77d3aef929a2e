"""/metrics and /healthz of a role."""

import json
import socket
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest

from driftline.health_server import CONNECTIONS, serve_health
from monitor.errors import UnavailableError
from monitor.health import Health
from tests.services.processes import free_port
from tests.services.waiting import wait_until


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_healthz_says_why_not() -> None:
    """503 with the reason from the start and whenever the role says so, 200 as long as it is well, notices or not."""
    health = Health()
    with serve_health(health, role="ingest", host="127.0.0.1", port=free_port()) as port:
        assert get(port, "/healthz")[0] == 503
        health.report(True, "")
        status, body = get(port, "/healthz")
        assert (status, json.loads(body)) == (
            200,
            {"role": "ingest", "status": "ok", "reason": None, "notices": [], "seconds_since": {}},
        )
        health.progress("flush", within_seconds=60, seconds_ago=5)
        health.note(["one"])
        document = json.loads(get(port, "/healthz")[1])
        assert (document["notices"], round(document["seconds_since"]["flush"])) == (["one"], 5)
        assert 'driftline_progress_age_seconds{loop="flush"} 5.' in get(port, "/metrics")[1]
        health.report(False, "predictions[0] is stopped: too many bad records")
        status, body = get(port, "/healthz")
        assert status == 503
        assert json.loads(body)["reason"] == "predictions[0] is stopped: too many bad records"


def test_metrics_are_driftlines_and_without_labels_from_messages() -> None:
    """/metrics answers in Prometheus' format; another path is not found."""
    with serve_health(Health(), role="maintain", host="127.0.0.1", port=free_port()) as port:
        status, body = get(port, "/metrics")
        assert status == 200
        assert "# HELP driftline_healthy 1 while /healthz answers 200, else 0." in body
        assert "driftline_healthy 0.0" in body
        assert get(port, "/secrets")[0] == 404


def test_a_taken_port_is_refused_with_what_to_do() -> None:
    """The second role on one port says which setting to change; port 0 serves nothing."""
    with serve_health(Health(), role="ingest", host="127.0.0.1", port=free_port()) as port:
        second = serve_health(Health(), role="alerter", host="127.0.0.1", port=port)
        with pytest.raises(UnavailableError, match="DRIFTLINE_METRICS_PORT"), second:
            pass
    with serve_health(Health(), role="ingest", host="127.0.0.1", port=0) as nothing:
        assert nothing == 0


def test_silent_connections_cost_no_threads() -> None:
    """Four hundred that ask for nothing: a few dozen are kept, and a request is answered."""
    before = threading.active_count()
    with serve_health(Health(), role="ingest", host="127.0.0.1", port=free_port()) as port, ExitStack() as silent:
        for _ in range(400):
            silent.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        assert get(port, "/healthz")[0] == 503
        wait_until(lambda: threading.active_count() - before <= CONNECTIONS + 2, "the oldest to be cut", seconds=60)
        assert get(port, "/metrics")[0] == 200
