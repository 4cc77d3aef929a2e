"""Evaluations become packed and partitioned in a filled database while the version before goes on with them."""

import threading
import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole, encode_layout
from monitor.result_codec import encode_result
from monitor.results import ColumnResult, WindowResult
from monitor.spec.model import ColumnKind
from monitor.store.engine import make_engine
from monitor.store.evaluations import NewEvaluation, insert_evaluations
from monitor.store.migrate import upgrade
from monitor.store.schema import evaluation
from monitor.store.time_partitions import add_weeks, time_partitions, week_start
from monitor.store.views.evaluations import shown_evaluations
from monitor.types import ModelKey, Verdict
from monitor.units import MINUTE_MILLIS
from tests.services.postgres import PostgresServer

WEEK = 7 * 86_400_000
LAYOUT = CellsLayout(
    columns=(
        ColumnCells(
            name="age", kind=ColumnKind.NUMERIC, role=ColumnRole.FEATURE, edges=(0.0,), points=(False,), maximum=1.0,
            far_low=-1.0, far_high=2.0,
        ),
    )
)  # fmt: skip
# As the version before writes and reads: it gives no id and reads it, and knows nothing of packed results.
WRITE = sa.text(
    """
    INSERT INTO evaluation (series_id, length, window_end, cells_id, spec_version, revision, reference_id, events,
                            previous_events, sampled, verdict, result)
    VALUES (:series_id, 10, :window_end, :cells_id, 1, 0, 1, 5, 0, 0, 'OK', :result) ON CONFLICT DO NOTHING
    """
)
READ = sa.text(
    "SELECT DISTINCT ON (window_end) window_end, result FROM evaluation WHERE series_id = :series_id AND length = 10 "
    "ORDER BY window_end, revision DESC, id DESC"
)


@pytest.fixture
def before(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database of the version before, with one model."""
    url = postgres_server.create_database("migration_space")
    upgrade(url, to="0008")
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO model (namespace, name) VALUES ('default', 'credit')"))
        connection.execute(
            sa.text("INSERT INTO cells (model_id, digest, layout, effective_from) VALUES (1, 'a', :layout, 0)"),
            {"layout": encode_layout(LAYOUT)},
        )
        connection.execute(
            sa.text("INSERT INTO series (model_id, version, segment_tag, segment_value) VALUES (1, '1', '', '')")
        )
    engine.dispose()
    yield url
    postgres_server.drop_database("migration_space")


def text_of(verdict: Verdict, events: int) -> str:
    result = WindowResult(verdict=verdict, events=events, columns=(ColumnResult(name="age", n=events, psi=0.25),))
    return encode_result(result).decode()


class VersionBefore(threading.Thread):
    """Writes a window after the other and reads them all, in short transactions, until it is stopped."""

    def __init__(self, url: str, first_end: int) -> None:
        super().__init__(daemon=True)
        self.written: list[int] = []
        self.longest = 0.0
        self.failure: Exception | None = None
        self._engine = make_engine(url)
        self._end = first_end
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            while not self._stop_asked.is_set():
                began = time.monotonic()
                with self._engine.begin() as connection:
                    row = {"series_id": 1, "window_end": self._end, "cells_id": 1, "result": text_of(Verdict.OK, 5)}
                    connection.execute(WRITE, row)
                    assert len(connection.execute(READ, {"series_id": 1}).all()) > len(self.written)
                self.longest = max(self.longest, time.monotonic() - began)
                self.written.append(self._end)
                self._end += MINUTE_MILLIS
                time.sleep(0.002)
        except Exception as error:  # noqa: BLE001  # the test fails with it
            self.failure = error

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(30)
        self._engine.dispose()


def test_the_version_before_goes_on_while_its_tables_become_partitions(before: str) -> None:
    """20,000 rows stay, none is lost, no statement of the version before fails; a reader in the way is waited for."""
    engine = make_engine(before)
    now = int(time.time() * 1000) // MINUTE_MILLIS * MINUTE_MILLIS
    ends = range(now - 20_000 * MINUTE_MILLIS, now, MINUTE_MILLIS)
    with engine.begin() as connection:
        rows = [
            {"series_id": 1, "window_end": end, "cells_id": 1, "result": text_of(Verdict.WARNING, 9)} for end in ends
        ]
        connection.execute(WRITE, rows)
        connection.execute(WRITE, {**rows[0], "window_end": now + 700 * 86_400_000})  # a producer's wrong clock
    writer = VersionBefore(before, now + MINUTE_MILLIS)
    in_the_way = threading.Event()

    def read_slowly() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT count(*) FROM evaluation"))
            in_the_way.set()
            connection.execute(sa.text("SELECT pg_sleep(3)"))

    reader = threading.Thread(target=read_slowly, daemon=True)
    writer.start()
    reader.start()
    assert in_the_way.wait(30)
    upgrade(before)
    reader.join(30)
    at_upgrade = len(writer.written)
    deadline = time.monotonic() + 60
    while len(writer.written) < at_upgrade + 20 and writer.failure is None and time.monotonic() < deadline:
        time.sleep(0.01)
    writer.stop()
    assert writer.failure is None
    assert len(writer.written) >= at_upgrade + 20
    assert writer.longest < 20  # each lock was waited for two seconds at most, then let pass
    with engine.connect() as connection:
        stored = set(connection.execute(sa.select(evaluation.c.window_end)).scalars())
        assert stored == {*ends, *writer.written}
        assert connection.execute(sa.text("SELECT count(*) FROM evaluation_before")).scalar() == len(stored)
        assert connection.execute(sa.text("SELECT column_names FROM cells")).scalar() == ["age"]
    engine.dispose()


def test_old_and_new_rows_are_read_as_one(before: str) -> None:
    """A row of the version before and a packed one are shown alike; the later week gets a partition of its own."""
    engine = make_engine(before)
    now = int(time.time() * 1000) // MINUTE_MILLIS * MINUTE_MILLIS
    with engine.begin() as connection:
        old = {"series_id": 1, "window_end": now, "cells_id": 1, "result": text_of(Verdict.WARNING, 9)}
        connection.execute(WRITE, old)
    upgrade(before)
    upgrade(before)
    later = week_start(now) + 4 * WEEK
    with engine.begin() as connection:
        assert add_weeks(connection, evaluation, {week_start(now), later}) == (
            f"evaluation_{time.strftime('%Gw%V', time.gmtime(later / 1000))}",
        )
        new = WindowResult(verdict=Verdict.OK, events=5, columns=(ColumnResult(name="age", n=5, psi=0.25),))
        insert_evaluations(
            connection,
            [
                NewEvaluation(
                    series_id=1, length=10, window_end=end, cells_id=1, spec_version=1, reference_id=1, revision=0,
                    previous_events=0, sampled=0, result=new,
                )
                for end in (now + MINUTE_MILLIS, later + MINUTE_MILLIS, later + 60 * WEEK)
            ],
        )  # fmt: skip
        shown = shown_evaluations(connection, ModelKey("default", "credit"), limit=10)
        assert [evaluation.result.verdict for evaluation in shown] == [Verdict.OK] * 3 + [Verdict.WARNING]
        assert {evaluation.result.columns[0].psi for evaluation in shown} == {0.25}
        where = connection.execute(sa.text("SELECT tableoid::regclass::text FROM evaluation ORDER BY window_end"))
        tables = where.scalars().all()
        assert tables[:2] == ["evaluation_before"] * 2
        assert tables[2] == f"evaluation_{time.strftime('%Gw%V', time.gmtime(later / 1000))}"
        assert tables[3] == "evaluation_default"
        assert [partition.start for partition in time_partitions(connection, "evaluation")] == [None, later]
    engine.dispose()
