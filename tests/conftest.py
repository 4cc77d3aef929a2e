"""Fixtures: a real Postgres with a fresh migrated database per test, a real Kafka with fresh topics per test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from benchmarks.detection.peer_run import PYTHON as PEERS_PYTHON
from benchmarks.detection.peer_run import STAMP as PEERS_STAMP
from tests.services.databases import create_template, fresh_database
from tests.services.kafka import KafkaBroker
from tests.services.kafka_jars import what_is_missing
from tests.services.postgres import PostgresServer
from tests.services.topics import TopicNames, create_topics, unique_topic_names

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
SKIPPED_FOR_KAFKA = pytest.StashKey[str]()
SKIPPED_FOR_PEERS = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the broker or the peers; where they cannot run, skip that at home and let it fail in CI."""
    _skip_without_peers(config, items)
    waiting = [item for item in items if "kafka_broker" in getattr(item, "fixturenames", ())]
    for item in waiting:
        item.add_marker("kafka")
    waiting = [item for item in items if item.get_closest_marker("kafka")]
    missing = what_is_missing() if waiting else None
    if missing is None or IN_CI:
        return
    config.stash[SKIPPED_FOR_KAFKA] = f"{len(waiting)} tests on a real Kafka were SKIPPED; install {missing}"
    for item in waiting:
        item.add_marker(pytest.mark.skip(reason=f"needs {missing}"))


def _skip_without_peers(config: pytest.Config, items: list[pytest.Item]) -> None:
    waiting = [item for item in items if "peers_python" in getattr(item, "fixturenames", ())]
    if not waiting or PEERS_STAMP.exists() or IN_CI:
        return
    missing = "the detection benchmark's peers (make .cache/peers/.ready)"
    config.stash[SKIPPED_FOR_PEERS] = f"{len(waiting)} tests of agreement were SKIPPED; they need {missing}"
    for item in waiting:
        item.add_marker(pytest.mark.skip(reason=f"needs {missing}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say loudly, once, what was not tested and what to install."""
    for skipped in (SKIPPED_FOR_KAFKA, SKIPPED_FOR_PEERS):
        if sentence := config.stash.get(skipped, None):
            terminalreporter.write_line(sentence, red=True, bold=True)


@pytest.fixture(scope="session")
def peers_python() -> Path:
    """The Python of the peers' environment."""
    assert PEERS_STAMP.exists(), f"expected the peers' Python at {PEERS_PYTHON}, found none: make .cache/peers/.ready"
    return PEERS_PYTHON


@pytest.fixture(scope="session")
def service_directory() -> Iterator[Path]:
    """A directory outside pytest's own, whose mode shuts out the user that Postgres runs as."""
    directory = Path(tempfile.mkdtemp(prefix="driftline-tests-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(service_directory: Path) -> Iterator[PostgresServer]:
    """The session's Postgres; a test may restart it in any mode but leaves it running."""
    with PostgresServer(service_directory / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres_server: PostgresServer) -> str:
    """Name of a database with all migrations, to be copied and never connected to."""
    return create_template(postgres_server)


@pytest.fixture
def database_url(postgres_server: PostgresServer, template_database: str) -> Iterator[str]:
    """Url of a migrated database of the test's own."""
    with fresh_database(postgres_server, template=template_database) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """SQLAlchemy's engine on the test's own database."""
    engine = sqlalchemy.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def kafka_broker(service_directory: Path) -> Iterator[KafkaBroker]:
    """The session's broker; a test may restart it but leaves it running."""
    with KafkaBroker(service_directory / "kafka") as broker:
        yield broker


@pytest.fixture
def topic_names(kafka_broker: KafkaBroker) -> TopicNames:
    """Four topics of the test's own on the broker, four partitions each."""
    names = unique_topic_names()
    create_topics(kafka_broker, names, partitions=4)
    return names
