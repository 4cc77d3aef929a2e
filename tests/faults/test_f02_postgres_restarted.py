"""F2: Postgres restarted, read-only, stuck or cut off: nothing lost or doubled, no crash loop, two lines an outage."""

import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from tests.acceptance.roles import Roles
from tests.faults.role_process import ROLES, running_roles, wait_for_lock
from tests.models.credit import apply_credit_model, credit_bodies, good_bodies
from tests.oracle.panes import counted_in_database, recount_topics
from tests.services.ingest import ingesting, produce, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer, StopMode
from tests.services.tcp_proxy import TcpProxy
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.timeout(240), pytest.mark.kafka]
CUTS = 12


@pytest.fixture
def roles(tmp_path: Path, database_url: str, kafka_broker: KafkaBroker, topic_names: TopicNames) -> Roles:
    return Roles(tmp_path / "roles", database_url, kafka_broker.bootstrap, topic_names)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_is_waited_for_by_every_role(
    roles: Roles,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    postgres_server: PostgresServer,
    mode: StopMode,
) -> None:
    """Two restarts under load: the same processes go on, each outage is one line when it begins and one at its end."""
    apply_credit_model(engine)
    bodies = credit_bodies(900)
    with running_roles(roles) as running:
        for part in range(2):
            produce(kafka_broker, topic_names.predictions, bodies[part::3])
            postgres_server.stop(mode)
            engine.dispose()
            for role in ROLES:
                running.wait_until(lambda role=role: "Postgres at" in running.reason(role), f"{role} to notice")
            postgres_server.start()
            running.wait_until_healthy()
        produce(kafka_broker, topic_names.predictions, bodies[2::3])
        running.wait_until(lambda: records(engine) == len(bodies), "every record")
        for role in ROLES:
            events = [event for event in running.events(role) if event["event"].startswith("service.")]
            assert [event["event"] for event in events] == ["service.lost", "service.restored"] * 2, f"{role}: {events}"
            assert running.count(role, "role.started") == 1
            assert [event for event in running.events(role) if event["event"] == "stray line"] == []
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)


def set_read_only(server: PostgresServer, value: str) -> None:
    pooled = sa.create_engine(server.url())
    with pooled.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
        connection.execute(sa.text("SELECT pg_reload_conf()"))
    pooled.dispose()


def test_a_failover_that_made_it_read_only_is_waited_for(
    roles: Roles,
    engine: Engine,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
    postgres_server: PostgresServer,
) -> None:
    """No role ends with a traceback: all say why they wait, and go on when the server takes writes again."""
    apply_credit_model(engine)
    with running_roles(roles) as running:
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        running.wait_until(lambda: records(engine) == 100, "the records of before")
        set_read_only(postgres_server, "on")
        try:
            produce(kafka_broker, topic_names.predictions, good_bodies(100, 100))
            for role in ROLES:
                running.wait_until(lambda role=role: "read-only" in running.reason(role), f"{role} to notice")
            time.sleep(3)  # for more tries
        finally:
            set_read_only(postgres_server, "off")
        running.wait_until(lambda: records(engine) == 200, "the records of meanwhile")
        running.wait_until_healthy()
        for role in ROLES:
            events = [event["event"] for event in running.events(role) if event["event"].startswith("service.")]
            assert events == ["service.lost", "service.restored"], (role, running.events(role))
            assert [event for event in running.events(role) if event["event"] == "stray line"] == []


def test_a_flush_that_hangs_on_a_lock_shows_in_healthz(
    roles: Roles, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """The offsets are locked by somebody: the age of the loop shows, then the lock's time-out, then neither."""
    apply_credit_model(engine)
    with running_roles(roles, names=["ingest"]) as running:
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        running.wait_until(lambda: records(engine) == 100, "the records of before")
        with engine.begin() as holder:
            holder.execute(sa.text("LOCK TABLE input_offset IN ACCESS EXCLUSIVE MODE"))
            produce(kafka_broker, topic_names.predictions, good_bodies(100, 100))
            wait_for_lock(engine)
            running.wait_until(lambda: running.health("ingest")["seconds_since"]["poll"] > 3, "a growing age")
            running.wait_until(lambda: "lock not available" in running.reason("ingest"), "the lock's time-out")
            running.wait_until(lambda: "no flush for" in running.reason("ingest"), "the age of the last flush")
        running.wait_until(lambda: records(engine) == 200, "the records of meanwhile")
        running.wait_until_healthy()
        assert running.health("ingest")["reason"] is None


def test_a_broker_that_is_away_shows_in_healthz(
    roles: Roles, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Within 20 seconds ingest is unhealthy, alerter and maintain go on; one line when it begins and one at its end."""
    apply_credit_model(engine)
    with running_roles(roles) as running:
        produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
        running.wait_until(lambda: records(engine) == 100, "the records of before")
        kafka_broker.kill()
        try:
            running.wait_until(
                lambda: "no answer" in running.reason("ingest"), "ingest to notice the broker's silence", seconds=20
            )
            running.wait_until(lambda: "Kafka at" in str(running.health("alerter")["notices"]), "the alerter to notice")
            assert [running.reason(role) for role in ("alerter", "maintain")] == ["", ""]
            time.sleep(10)
        finally:
            kafka_broker.start()
        produce(kafka_broker, topic_names.predictions, good_bodies(100, 100))
        running.wait_until(lambda: records(engine) == 200, "the records of afterwards")
        running.wait_until_healthy()
        running.wait_until(lambda: not running.health("alerter")["notices"], "the alerter's notice to end")
        for role in ROLES:
            events = [event["event"] for event in running.events(role) if event["event"].startswith("service.")]
            assert events == ([] if role == "maintain" else ["service.lost", "service.restored"]), (role, events)
            assert [event for event in running.events(role) if event["event"] == "stray line"] == []


def test_an_answer_to_a_commit_that_was_lost_counts_nothing_twice(
    engine: Engine, database_url: str, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """The connection is reset right after the server got a COMMIT, twelve times under load: the oracle agrees."""
    apply_credit_model(engine)
    port = int(sa.engine.make_url(database_url).port or 0)
    bodies = credit_bodies(1200)
    with TcpProxy("127.0.0.1", port) as proxy:
        through = database_url.replace(f":{port}/", f":{proxy.port}/")
        settings = settings_for(through, kafka_broker, topic_names)
        with ingesting(settings) as worker:
            for part in range(CUTS):
                proxy.cut_after(lambda chunk: b"COMMIT" in chunk)
                produce(kafka_broker, topic_names.predictions, bodies[part::CUTS])
                wait_until(lambda part=part: proxy.cuts == part + 1)
            proxy.cut_after(None)
            wait_until(lambda: records(engine) == len(bodies))
            assert worker.is_alive()
    assert counted_in_database(engine) == recount_topics(engine, kafka_broker.bootstrap, topic_names.predictions)


def test_a_connection_that_swallows_everything_is_given_up(
    tmp_path: Path,
    engine: Engine,
    database_url: str,
    kafka_broker: KafkaBroker,
    topic_names: TopicNames,
) -> None:
    """Both sides stay connected and no byte arrives, where no keepalive fails: past its time-out it is cut."""
    apply_credit_model(engine)
    port = int(sa.engine.make_url(database_url).port or 0)
    with TcpProxy("127.0.0.1", port) as proxy:
        roles = Roles(tmp_path / "roles", database_url.replace(f":{port}/", f":{proxy.port}/"), kafka_broker.bootstrap,
                      topic_names)  # fmt: skip
        with running_roles(roles, names=["ingest"], DRIFTLINE_FLUSH_TIMEOUT_SECONDS="3") as running:
            produce(kafka_broker, topic_names.predictions, good_bodies(0, 100))
            running.wait_until(lambda: records(engine) == 100, "the records of before")
            proxy.blackholed = True
            produce(kafka_broker, topic_names.predictions, good_bodies(100, 100))
            running.wait_until(lambda: running.count("ingest", "connections.cut") > 0, "the connection to be cut")
            proxy.blackholed = False
            proxy.cut()
            running.wait_until(lambda: records(engine) == 200, "the records of meanwhile")
            running.wait_until_healthy()
