"""F25: the database is migrated under the running program of before; nothing is lost, nobody waits long for a lock.

The program of before is the real one (`data/program_0005.tar.xz`), run as processes of its own; started again it says
that it is too old.
"""

import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.reference.layout import encode_layout
from monitor.reference.profile import encode_profile
from monitor.settings import Settings
from monitor.store.engine import make_engine
from monitor.store.migrate import head, upgrade
from monitor.store.specs import reference_digest
from tests.faults.stream import StreamTraffic, assert_equal_to_topics, produce_stream
from tests.models import credit
from tests.services.ingest import ingesting, settings_for
from tests.services.kafka import KafkaBroker
from tests.services.postgres import PostgresServer
from tests.services.topics import TopicNames
from tests.services.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
ARCHIVE = Path(__file__).parent / "data" / "program_0005.tar.xz"
BEFORE = "0005"
LONGEST_WAIT_SECONDS = 2.0
ROWS = 100_000

MIGRATE = "import sys; from monitor.store.migrate import upgrade; upgrade(sys.argv[1])"
START = """
import sys
from monitor.store.engine import make_engine
from monitor.store.migrate import require_current_schema
require_current_schema(make_engine(sys.argv[1]))
"""
INGEST = """
import signal, sys, threading
from consumers.ingest import run_ingest
from monitor.settings import Settings
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
run_ingest(Settings.model_validate_json(sys.argv[1]), stop=stop)
"""
# The model that it counts, in its columns.
MODEL = """
WITH
    applied AS (INSERT INTO model (namespace, name) VALUES ('default', 'credit') RETURNING id),
    layouts AS (
        INSERT INTO cells (model_id, digest, layout, effective_from)
        SELECT id, :layout_digest, :layout, 0 FROM applied RETURNING id, model_id
    ),
    profiles AS (
        INSERT INTO reference (model_id, cells_id, digest, profile)
        SELECT model_id, id, :profile_digest, :profile FROM layouts RETURNING id, model_id, cells_id
    ),
    specs AS (
        INSERT INTO spec (model_id, version, text, cells_id, reference_id)
        SELECT model_id, 1, :text, cells_id, id FROM profiles
    )
INSERT INTO configuration ("only", generation) VALUES (true, 1)
"""
# What fills up in the field, in the columns of before: tables that a careless migration would rewrite or scan locked.
FILL = (
    """
    INSERT INTO dead_letter (topic, partition, "offset", row, headers, size, truncated, reason, sentence)
    SELECT 'of before', 0, n, 0, '[]', 1, false, 'malformed', repeat('x', 100) FROM generate_series(1, :rows) AS n
    """,
    """
    INSERT INTO flush (worker, ranges) SELECT 'of before', '[]' FROM generate_series(1, :rows)
    """,
    """
    INSERT INTO truth (model_id, prediction_hash, known_at, value, topic, partition, "offset")
    SELECT 0, CAST(md5(CAST(n AS text)) AS uuid), n, '1', 'of before', 0, n FROM generate_series(1, :rows) AS n
    """,
    """
    INSERT INTO deployment (model_id, version, event_time, stage, topic, partition, "offset")
    SELECT (SELECT min(id) FROM model), 'of before', n, 'shadow', 'of before', 0, n FROM generate_series(1, :rows) AS n
    """,
)
EMPTY = (
    "DELETE FROM dead_letter WHERE topic = 'of before'",
    "DELETE FROM truth WHERE model_id = 0",
    "DELETE FROM deployment WHERE topic = 'of before'",
)
WAITING = sa.text(
    "SELECT pid, query_start, query, extract(epoch FROM clock_timestamp() - query_start) AS seconds"
    " FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture(scope="module")
def program_of_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the program of before."""
    directory = tmp_path_factory.mktemp("program-of-before")
    with tarfile.open(ARCHIVE) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python before 3.11.4 has none to choose
        archive.extractall(directory)
    return directory


def run_before(program: Path, code: str, argument: str) -> subprocess.Popen[bytes]:
    """Run *code* with the packages of the program of before; its output goes to `words` in their directory."""
    environment = {**os.environ, "PYTHONPATH": str(program)}
    with (program / "words").open("ab") as words:
        return subprocess.Popen(
            [sys.executable, "-c", code, argument], env=environment, cwd=program, stdout=words, stderr=words
        )


class LockWatch(threading.Thread):
    """Looks every few milliseconds who waits for a lock, and remembers the longest wait of each statement."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._engine = make_engine(url)
        self.halt = threading.Event()
        self.waits: dict[str, float] = {}

    def run(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self.halt.wait(0.05):
                for row in connection.execute(WAITING):
                    if "pg_advisory" not in row.query:
                        self.waits[row.query[:200]] = max(self.waits.get(row.query[:200], 0.0), float(row.seconds))
        self._engine.dispose()


@contextmanager
def nobody_waits_long(url: str) -> Iterator[None]:
    watch = LockWatch(url)
    watch.start()
    try:
        yield
    finally:
        watch.halt.set()
        watch.join(30)
    assert {query: wait for query, wait in watch.waits.items() if wait > LONGEST_WAIT_SECONDS} == {}


def test_a_migration_under_load_loses_nothing_and_blocks_nobody(
    kafka_broker: KafkaBroker, topic_names: TopicNames, postgres_server: PostgresServer, program_of_before: Path
) -> None:
    """A database that the program of before has filled; it runs on over the migration, then the new one takes over.

    ::

        before  counts ......... | migrate | .. counts on .. stops   starts: "too old"
        new                                        joins ............ counts on alone
    """
    name = f"migrated_{topic_names.predictions.replace('-', '_')}"
    url = postgres_server.create_database(name)
    engine = make_engine(url)
    try:
        assert run_before(program_of_before, MIGRATE, url).wait(120) == 0
        assert revision(engine) == BEFORE
        with engine.begin() as connection:
            connection.execute(sa.text(MODEL), credit_model())
            for statement in FILL:
                connection.execute(sa.text(statement), {"rows": ROWS})
        settings = settings_for(url, kafka_broker, topic_names)
        written = produce_stream(kafka_broker, topic_names, first=0, count=400, broken=False)
        before = run_before(program_of_before, INGEST, chosen(settings))
        try:
            wait_until(lambda: records(engine) == written, seconds=90)
            traffic = StreamTraffic(kafka_broker, topic_names, first=400, broken=False)
            traffic.start()
            with nobody_waits_long(url):
                wait_until(lambda: records(engine) > written, seconds=60)
                upgrade(url)
            assert revision(engine) == head()
            counted = records(engine)
            wait_until(lambda: records(engine) > counted + 200, seconds=60)
            assert before.poll() is None, "the program of before should have counted on"
            with ingesting(settings):
                time.sleep(3)
                before.terminate()
                assert before.wait(60) == 0
                assert run_before(program_of_before, START, url).wait(60) != 0
                words = (program_of_before / "words").read_text()
                assert f"expected {BEFORE}, found {head()}, newer than this program. Start the newer program." in words
                written += traffic.finish()
                wait_until(lambda: records(engine) == written, seconds=90)
        finally:
            before.kill()
            before.wait(10)
        with engine.begin() as connection:
            for statement in EMPTY:
                connection.execute(sa.text(statement))
        assert_equal_to_topics(engine, kafka_broker, topic_names)
    finally:
        engine.dispose()
        postgres_server.drop_database(name)


def credit_model() -> dict[str, object]:
    """Return what `MODEL` stores of `apply_credit_model`."""
    layout, encoded = credit.layout(), encode_profile(credit.profile())
    return {
        "text": credit.spec_text(sample_rate=0.1),
        "layout_digest": layout.digest,
        "layout": encode_layout(layout),
        "profile_digest": reference_digest(encoded),
        "profile": encoded,
    }


def chosen(settings: Settings) -> str:
    """Return what was set in *settings* as JSON, without what the program of before does not know."""
    return json.dumps(json.loads(settings.model_dump_json(exclude_unset=True)))


def records(engine: sa.Engine) -> int:
    """Return how many records were read, in the columns that both programs have."""
    with engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT coalesce(sum(records), 0) FROM input_offset")).scalar_one())


def revision(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())
