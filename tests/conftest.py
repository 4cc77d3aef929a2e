"""Fixtures: a real Postgres with a fresh migrated database per test, a real Kafka with fresh topics per test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy
from sqlalchemy import Engine

from benchmarks.detection.peer_run import PYTHON as PEERS_PYTHON
from benchmarks.detection.peer_run import STAMP as PEERS_STAMP
from tests.services.alertmanager import program
from tests.services.databases import create_template, fresh_database
from tests.services.datasets import datasets_are_here
from tests.services.kafka import KafkaBroker
from tests.services.kafka_jars import what_is_missing
from tests.services.postgres import PostgresServer
from tests.services.promtool import is_here as promtool_is_here
from tests.services.topics import TopicNames, create_topics, unique_topic_names

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
# how long an example takes says more of the machine's other work than of the code
hypothesis.settings.register_profile("driftline", deadline=None)
hypothesis.settings.load_profile("driftline")

SKIPPED = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the broker; what is missing skips the tests that need it at home and lets them fail in CI."""
    for item in items:
        if "kafka_broker" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")
    if IN_CI:
        return
    skipped = config.stash.setdefault(SKIPPED, [])
    on_kafka = [item for item in items if item.get_closest_marker("kafka")]
    if on_kafka and (missing := what_is_missing()):
        skipped.append(_skip(on_kafka, f"on a real Kafka; install {missing}"))
    if (of_peers := _using("peers_python", items)) and not PEERS_STAMP.exists():
        skipped.append(
            _skip(of_peers, "of agreement; they need the peers of the detection benchmark (make .cache/peers/.ready)")
        )
    if (on_alertmanager := _using("alertmanager_program", items)) and program() is None:
        skipped.append(_skip(on_alertmanager, "on a real Alertmanager (Debian's package: prometheus-alertmanager)"))
    if (on_rules := _using("promtool", items)) and not promtool_is_here():
        skipped.append(_skip(on_rules, "of alert rules; they need promtool (Debian's package prometheus has it)"))
    if (on_data := _using("datasets", items)) and not datasets_are_here():
        skipped.append(_skip(on_data, "on real data; they need the data sets (make .cache/datasets/.ready)"))


def _using(fixture: str, items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if fixture in getattr(item, "fixturenames", ())]


def _skip(items: list[pytest.Item], what: str) -> str:
    """Skip *items*; return the sentence that says so."""
    for item in items:
        item.add_marker(pytest.mark.skip(reason=what))
    return f"{len(items)} tests were SKIPPED {what}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say loudly, once, what was not tested and what to install."""
    for sentence in config.stash.get(SKIPPED, []):
        terminalreporter.write_line(sentence, red=True, bold=True)


@pytest.fixture(scope="session")
def alertmanager_program() -> str:
    """The Alertmanager of this machine."""
    binary = program()
    assert binary, "expected prometheus-alertmanager, found none: apt-get install prometheus-alertmanager"
    return binary


@pytest.fixture(scope="session")
def datasets() -> None:
    """The files of `tests.services.datasets` are there."""
    assert datasets_are_here(), "expected the data sets in .cache/datasets, found none: make .cache/datasets/.ready"


@pytest.fixture(scope="session")
def promtool() -> None:
    """Prometheus' checker of rules is there."""
    assert promtool_is_here(), "expected promtool, found none: apt-get install prometheus"


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
