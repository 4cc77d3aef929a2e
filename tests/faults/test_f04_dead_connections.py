"""F4: a pool full of dead connections recovers without a restart."""

import time

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.store.engine import make_engine
from tests.faults.stream import assert_equal_to_topics, produce_stream
from tests.models.credit import apply_credit_model
from tests.services.ingest import ingesting, records, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
POOL_SIZE = 8
ANSWER_SECONDS = 5.0
KILL_ALL = sa.text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def kill_back_ends(engine: Engine) -> int:
    """End every other connection to the test's database; return how many there were."""
    with engine.connect() as connection:
        return int(connection.execute(KILL_ALL).scalar_one())


def test_the_next_requests_of_a_dead_pool_are_answered(database_url: str, engine: Engine) -> None:
    """Every connection of the pool is ended by the server; as many requests are answered within five seconds."""
    pool = make_engine(database_url, pool_size=POOL_SIZE)
    try:
        connections = [pool.connect() for _ in range(POOL_SIZE)]
        for connection in connections:
            connection.execute(sa.text("SELECT 1"))
        for connection in connections:
            connection.close()
        assert kill_back_ends(engine) == POOL_SIZE
        began = time.monotonic()
        connections = [pool.connect() for _ in range(POOL_SIZE)]
        assert [connection.execute(sa.text("SELECT 1")).scalar() for connection in connections] == [1] * POOL_SIZE
        assert time.monotonic() - began < ANSWER_SECONDS
        for connection in connections:
            connection.close()
    finally:
        pool.dispose()


@pytest.mark.kafka
def test_ingest_goes_on_when_its_connections_are_ended(
    database_url: str, engine: Engine, kafka_broker: KafkaBroker, topic_names: TopicNames
) -> None:
    """Its connections are ended repeatedly under load: it counts on within seconds, each record once."""
    apply_credit_model(engine)
    written = 0
    with ingesting(settings_for(database_url, kafka_broker, topic_names)) as worker:
        for part in range(6):
            written += produce_stream(kafka_broker, topic_names, first=300 * part, count=300)
            kill_back_ends(engine)
            wait_until(lambda written=written: records(engine) == written, seconds=60)
        assert worker.is_alive()
    assert_equal_to_topics(engine, kafka_broker, topic_names)
