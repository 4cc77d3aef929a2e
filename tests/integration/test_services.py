"""The services that other tests stand on: real, restartable, and not forgetful."""

import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer, StopMode
from tests.services.processes import ServiceFailed
from tests.services.topics import TopicNames


def produce(broker: KafkaBroker, *, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "acks": "all"})
    for number in range(count):
        producer.produce(topic, value=str(number).encode(), partition=0)
    assert producer.flush(30) == 0


def values_of(broker: KafkaBroker, *, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": uuid.uuid4().hex})
    consumer.assign([TopicPartition(topic, 0, 0)])
    messages = consumer.consume(count, timeout=30)
    consumer.close()
    return [message.value() or b"" for message in messages]


@pytest.mark.kafka
@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_broker_keeps_its_records_over_a_restart(
    kafka_broker: KafkaBroker, topic_names: TopicNames, ending: str
) -> None:
    """What was acknowledged to a client is still there after an orderly stop and after SIGKILL, at the same address."""
    address = kafka_broker.bootstrap
    produce(kafka_broker, topic=topic_names.predictions, count=1000)
    getattr(kafka_broker, ending)()
    kafka_broker.start()
    assert kafka_broker.bootstrap == address
    expected = [str(number).encode() for number in range(1000)]
    assert values_of(kafka_broker, topic=topic_names.predictions, count=1000) == expected


@pytest.mark.kafka
def test_a_paused_broker_answers_nothing_and_then_goes_on(kafka_broker: KafkaBroker, topic_names: TopicNames) -> None:
    """A record sent to a frozen broker is stored once it is resumed."""
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap, "acks": "all"})
    producer.list_topics(topic_names.predictions, timeout=10)
    kafka_broker.pause()
    producer.produce(topic_names.predictions, value=b"late", partition=0)
    waiting = producer.flush(1)
    kafka_broker.resume()
    assert waiting == 1
    assert producer.flush(30) == 0
    assert values_of(kafka_broker, topic=topic_names.predictions, count=1) == [b"late"]


@pytest.mark.kafka
def test_topics_exist_once_created_and_not_once_deleted(kafka_broker: KafkaBroker) -> None:
    """create_topic returns with every partition led and its configuration set; delete_topic returns without it."""
    name = f"topic-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka_broker.bootstrap})
    kafka_broker.create_topic(name, partitions=3, config={"max.message.bytes": "4096"})
    listed = admin.list_topics(timeout=10).topics
    assert len(listed[name].partitions) == 3
    kafka_broker.delete_topic(name)
    assert name not in admin.list_topics(timeout=10).topics


@pytest.mark.kafka
def test_a_broker_that_cannot_start_shows_why(tmp_path: Path) -> None:
    """A refused setting ends in an error that carries the broker's own last lines."""
    broker = KafkaBroker(tmp_path, overrides={"num.io.threads": "none"})
    with pytest.raises(ServiceFailed, match=r"num\.io\.threads"):
        broker.start()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_postgres_keeps_its_commits_over_a_restart(postgres_server: PostgresServer, mode: StopMode) -> None:
    """A committed row is there after an orderly stop and after a crash, an uncommitted one is not."""
    name = f"restart_{mode}"
    url = postgres_server.create_database(name)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO kept VALUES (2)")
        postgres_server.restart(mode)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT number FROM kept").fetchall() == [(1,)]
    postgres_server.drop_database(name)


def test_a_database_is_dropped_under_its_users(postgres_server: PostgresServer) -> None:
    """drop_database succeeds while somebody is connected, and the name is free again."""
    url = postgres_server.create_database("in_use")
    connection = psycopg.connect(url)
    postgres_server.drop_database("in_use")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    postgres_server.create_database("in_use")
    postgres_server.drop_database("in_use")


def test_postgres_on_a_taken_port_shows_why(postgres_server: PostgresServer, service_directory: Path) -> None:
    """A second server on the same port ends in an error that carries the server's own last lines."""
    port = psycopg.conninfo.conninfo_to_dict(postgres_server.url())["port"]
    second = PostgresServer(service_directory / "second", port=int(str(port)))
    with pytest.raises(ServiceFailed, match="Address already in use"):
        second.start()


def test_services_die_with_a_killed_test_run(service_directory: Path) -> None:
    """When the process that started a server is killed, the server ends by itself."""
    if sys.platform != "linux":
        pytest.skip("only Linux notifies a child that its parent died")
    program = """
        import sys, time
        from pathlib import Path
        from tests.services.postgres import PostgresServer
        server = PostgresServer(Path(sys.argv[1]), durable=False)
        server.start()
        print(server.url(), flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(service_directory / "orphan")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        psycopg.connect(url).close()
        parent.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.05)
    pytest.fail("the server still answers 20 s after its parent was killed")
