"""F41: the monitor itself stops; a dead-man heartbeat at the other side stays away, and comes back with the work."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy import Engine

from driftline.dead_man import dead_man
from monitor.errors import SettingsError
from monitor.settings import load_settings
from tests.acceptance.roles import Roles
from tests.faults.dead_man_service import DeadManService, dead_man_service
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import TopicNames

ROLES = ("ingest", "alerter", "maintain")


@pytest.fixture
def service() -> Iterator[DeadManService]:
    with dead_man_service() as service:
        yield service


@pytest.fixture
def roles(
    kafka_broker: KafkaBroker, topic_names: TopicNames, database_url: str, service: DeadManService, tmp_path: Path
) -> Iterator[Roles]:
    """Each role as a process with a heartbeat every half second, all of them alive."""
    settings = {"DRIFTLINE_DEAD_MAN_URL": service.url, "DRIFTLINE_DEAD_MAN_SECONDS": "0.5"}
    with Roles(tmp_path, database_url, kafka_broker.bootstrap, topic_names, settings) as roles:
        for role in ROLES:
            roles.start(role, role)
        assert service.alive(*ROLES)
        yield roles


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_is_dead_or_frozen_is_missed_and_no_other(
    roles: Roles, service: DeadManService, role: str, tmp_path: Path
) -> None:
    """Frozen: its requests stay away until it goes on. Killed: for good. The others are not mistaken for it."""
    others = [other for other in ROLES if other != role]
    roles.running[role].send_signal(signal.SIGSTOP)
    assert service.silent(role)
    assert service.alive(*others)
    roles.running[role].send_signal(signal.SIGCONT)
    assert service.alive(role)
    roles.stop(role, by=signal.SIGKILL)
    assert service.silent(role)
    assert service.alive(*others)
    log = (tmp_path / f"{role}.log").read_text()
    assert "heartbeat.sent" in log
    assert "secret-key" not in log


def test_roles_that_live_but_cannot_work_are_missed(
    roles: Roles, service: DeadManService, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Postgres is away: every process lives, none gets on, all heartbeats stay away; they come back with it."""
    postgres_server.stop("immediate")
    try:
        for role in ROLES:
            assert service.silent(role)
    finally:
        postgres_server.start()
    assert all(process.poll() is None for process in roles.running.values())
    assert service.alive(*ROLES)
    for role in ROLES:
        assert "heartbeat.withheld" in (tmp_path / f"{role}.log").read_text()


@pytest.mark.parametrize(
    ("role", "table"), [("ingest", "input_offset"), ("maintain", "configuration"), ("alerter", "model")]
)
def test_a_role_whose_work_hangs_is_missed_although_it_lives(
    roles: Roles, service: DeadManService, engine: Engine, role: str, table: str
) -> None:
    """A lock that is never given keeps its statements waiting: no error, no end, and no heartbeat."""
    with engine.connect() as locking:
        locking.execute(sa.text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        assert service.silent(role)
        assert roles.running[role].poll() is None
        locking.rollback()
    assert service.alive(role)


def test_an_orderly_end_is_missed_too(roles: Roles, service: DeadManService) -> None:
    """Switched off and forgotten is the commonest way for a monitor to be silent."""
    roles.stop("alerter")
    assert service.silent("alerter")
    assert service.alive("ingest", "maintain")


def test_what_the_other_side_says_is_logged_when_it_changes(service: DeadManService) -> None:
    """A wrong key is not taken for a heartbeat: the operator reads the status, once."""
    service.status = 404
    with (
        structlog.testing.capture_logs() as lines,
        dead_man(service.url, role="ingest", every_seconds=0.05, problem=lambda: None),
    ):
        assert service.alive("ingest")
        assert service.alive("ingest")
        service.status = 200
        assert service.alive("ingest")
        assert service.alive("ingest")
    assert [line["event"] for line in lines] == ["heartbeat.failed", "heartbeat.sent"]
    assert lines[0]["reason"] == "expected a status of 2xx, found 404"


def test_one_address_for_all_roles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that live would keep it alive for one that is dead."""
    monkeypatch.setenv("DRIFTLINE_DEAD_MAN_URL", "https://example.org/ping")
    with pytest.raises(
        SettingsError, match=r"DRIFTLINE_DEAD_MAN_URL: .*expected an http or https URL that holds \{role\}"
    ):
        load_settings()
