"""F42: SIGTERM ends every role within ten seconds, whatever it runs and whatever is away; nothing is left behind."""

import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.acceptance.roles import Roles
from tests.faults.role_process import GRACE_SECONDS, ROLES, running_roles, statements, wait_for_lock
from tests.models.credit import apply_credit_model, credit_bodies, good_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.tcp_proxy import TcpProxy
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.kafka]

SLEEPY = """
CREATE OR REPLACE FUNCTION sleepy() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM pg_sleep(120); RETURN NULL; END $$;
CREATE TRIGGER sleepy BEFORE {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION sleepy()
"""
# what the role writes to all the time, and how
WRITES = {"ingest": ("flush", "INSERT"), "alerter": ("outbox", "UPDATE"), "maintain": ("truth_inbox", "DELETE")}


@pytest.fixture
def roles(tmp_path: Path, database_url: str, kafka_broker: KafkaBroker, topic_names: TopicNames) -> Roles:
    return Roles(tmp_path / "roles", database_url, kafka_broker.bootstrap, topic_names)


def make_sleepy(engine: Engine, role: str) -> None:
    table, event = WRITES[role]
    with engine.begin() as connection:
        connection.execute(sa.text(SLEEPY.format(event=event, table=table)))


def runs_sleepy(engine: Engine, role: str) -> bool:
    table, _ = WRITES[role]
    return any(table in statement for statement in statements(engine))


@pytest.mark.parametrize("role", ROLES)
def test_a_statement_that_runs_for_minutes_is_cancelled(
    roles: Roles, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, role: str
) -> None:
    """The role ends in order within its grace, and the server runs nothing of it any more."""
    apply_credit_model(engine)
    with running_roles(roles, names=[role]) as running:
        make_sleepy(engine, role)
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        running.wait_until(lambda: runs_sleepy(engine, role), "the statement that hangs")
        code, seconds = running.terminate(role)
        assert (code, running.count(role, "role.forced")) == (0, 0)
        assert seconds < GRACE_SECONDS
        assert statements(engine) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_lock_that_somebody_holds_is_not_waited_for(
    roles: Roles, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames, role: str
) -> None:
    """The table it writes to is locked by another session: the same."""
    apply_credit_model(engine)
    with running_roles(roles, names=[role]) as running, engine.begin() as holder:
        holder.execute(sa.text(f"LOCK TABLE {WRITES[role][0]} IN ACCESS EXCLUSIVE MODE"))
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        wait_for_lock(engine)
        code, seconds = running.terminate(role)
        assert (code, running.count(role, "role.forced")) == (0, 0)
        assert seconds < GRACE_SECONDS
        assert statements(engine) == []


@pytest.mark.parametrize("role", ROLES)
def test_a_server_that_swallows_everything_is_cut_off(
    tmp_path: Path, engine: Engine, postgres_server: PostgresServer, database_url: str,
    kafka_broker: KafkaBroker, topic_names: TopicNames, role: str,
) -> None:  # fmt: skip
    """No answer comes, not even to the cancellation: the connection is cut on our side and the role ends."""
    apply_credit_model(engine)
    url = sa.engine.make_url(database_url)
    with TcpProxy("127.0.0.1", int(url.port or 0)) as proxy:
        through = database_url.replace(f":{url.port}/", f":{proxy.port}/")
        roles = Roles(tmp_path / "roles", through, kafka_broker.bootstrap, topic_names)
        with running_roles(roles, names=[role]) as running:
            proxy.blackholed = True  # under a loop that has its connections
            produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
            time.sleep(3)  # it waits for an answer by then, whichever statement it was
            code, seconds = running.terminate(role)
    assert code == 0
    assert seconds < GRACE_SECONDS


@pytest.mark.parametrize("role", ROLES)
def test_a_broker_that_is_away_holds_nobody_up(
    tmp_path: Path, engine: Engine, database_url: str, kafka_broker: KafkaBroker, topic_names: TopicNames, role: str
) -> None:
    """The broker is cut off under the role: leaving its group is not waited for."""
    apply_credit_model(engine)
    produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
    roles = Roles(tmp_path / "roles", database_url, kafka_broker.bootstrap, topic_names)
    with running_roles(roles, names=[role]) as running:
        kafka_broker.kill()
        try:
            time.sleep(3)  # it knows by then
            code, seconds = running.terminate(role)
        finally:
            kafka_broker.start()
    assert code == 0
    assert seconds < GRACE_SECONDS


def test_up_ends_with_all_its_roles(
    roles: Roles, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """All three run statements that hang: the supervisor and its children end within the same ten seconds."""
    apply_credit_model(engine)
    for role in ROLES:
        make_sleepy(engine, role)
    with roles:
        process = roles.start("up", "up")
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        deadline = time.monotonic() + 90
        while not all(runs_sleepy(engine, role) for role in ROLES):
            assert time.monotonic() < deadline, (roles.directory / "up.log").read_text()[-3000:]
            time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert time.monotonic() - began < GRACE_SECONDS
        assert "role.killed" not in (roles.directory / "up.log").read_text()
    assert statements(engine) == []


def test_a_killed_role_leaves_no_statement_running(roles: Roles, engine: Engine) -> None:
    """kill -9 while its statement holds the inbox: the server notices and ends it, the next maintainer goes on."""
    apply_credit_model(engine)
    with running_roles(roles, names=["maintain"]) as running:
        make_sleepy(engine, "maintain")
        running.wait_until(lambda: runs_sleepy(engine, "maintain"), "the statement that hangs")
        roles.stop("maintain", by=signal.SIGKILL)
        running.wait_until(lambda: statements(engine) == [], "the end of the statement", seconds=20)
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
        connection.execute(sa.text("LOCK TABLE truth_inbox IN ACCESS EXCLUSIVE MODE"))


def test_sigterm_in_a_batch_flushes_it(
    roles: Roles, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """SIGTERM while records wait for their flush: they are flushed, and the next worker counts none of them twice."""
    apply_credit_model(engine)
    bodies = credit_bodies(600)
    with running_roles(roles, names=["ingest"], DRIFTLINE_FLUSH_SECONDS="600") as running:
        produce(kafka_broker, topic_names.predictions, bodies)
        running.wait_until(lambda: running.health("ingest")["seconds_since"]["flush"] > 3, "records that wait")
        assert records(engine) == 0
        code, seconds = running.terminate("ingest")
    assert code == 0
    assert seconds < GRACE_SECONDS
    assert records(engine) > 0
    with ingesting(settings_for(roles.database_url, kafka_broker, topic_names)):
        wait_until(lambda: records(engine) == len(bodies))
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)
