"""Space of one model's day in every table that grows, on a real Postgres, indexes included: `make bench-space`."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitor.evaluate import Evaluator, evaluation_rules
from monitor.maintain.retention import EVALUATIONS, Compactor, make_weeks_ahead
from monitor.reference.layout import CellsLayout
from monitor.settings import load_settings
from monitor.store.configuration import load_configuration
from monitor.store.engine import make_engine
from monitor.store.migrate import upgrade
from monitor.store.schema import input_offset, pane
from monitor.store.series import ensure_series
from monitor.store.time_partitions import pack_week, time_partitions, week_start
from monitor.types import SeriesKey
from monitor.units import MINUTE_MILLIS, WEEK_MILLIS
from monitor.windows.pane_codec import encode_counts
from monitor.windows.watermark import watermark_rules
from tests.services.postgres import PostgresServer

DAY_MINUTES, DAYS = 1440, 2
START = week_start(1_780_272_000_000)
EVENTS_PER_MINUTE = 1000
ROWS = 100_000

# One statement a table that fills ROWS rows, where what a row takes does not depend on the model's columns.
FILLS = {
    "prediction_ledger": """
        INSERT INTO prediction_ledger
        SELECT 1, md5(n::text)::uuid, '3.2.0', '', ARRAY[1], :start + n * 100, random(), 'true', NULL,
               'predictions', n % 8, n, 0 FROM generate_series(1, :rows) AS n
    """,
    "truth": """
        INSERT INTO truth (model_id, prediction_hash, known_at, value, topic, partition, "offset", matched, probes)
        SELECT 1, md5(n::text)::uuid, :start, 'true', 'ground-truth', n % 8, n, 1, 3 FROM generate_series(1, :rows) AS n
    """,
    "joined": """
        INSERT INTO joined SELECT 1, md5(n::text)::uuid, '3.2.0', '', ARRAY[1], :start + n / 70 * 60000, 4, true, true
        FROM generate_series(1, :rows) AS n
    """,
    "flush": """
        INSERT INTO flush (worker, ranges)
        SELECT 'host-4711', '[["predictions", 0, 1000000, 1001000], ["predictions", 1, 1000000, 1001000]]'
        FROM generate_series(1, :rows)
    """,
    "dead_letter": """
        INSERT INTO dead_letter (topic, partition, "offset", row, key, value, headers, size, truncated, reason,
                                 sentence)
        SELECT 'predictions', n % 8, n, 0, convert_to(md5(n::text), 'UTF8'),
               (SELECT string_agg(convert_to(md5((n * 20 + part)::text), 'UTF8'), ''::bytea)
                FROM generate_series(1, 20) AS part),
               '[]', 640, false, 'malformed', 'timestamp: expected RFC 3339 with a zone, found 2026-06-01 12:00'
        FROM generate_series(1, :rows) AS n
    """,
}


@dataclass(frozen=True, slots=True)
class Space:
    """What one unit of a table takes, in bytes, with indexes and all."""

    table: str
    unit: str
    bytes: float


def main() -> None:
    """Measure and print a Markdown table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, nargs="*", default=[20, 100])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="driftline-space-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with PostgresServer(directory / "pg", durable=False) as server:
            results = [*measure_rows(server)]
            for columns in arguments.columns:
                results += measure_model(directory, server, columns=columns)
    if arguments.json:
        print(
            json.dumps([{"table": value.table, "unit": value.unit, "bytes": round(value.bytes)} for value in results])
        )
        return
    print("| Table | What | Bytes |\n|---|---|---|")
    for value in results:
        print(f"| `{value.table}` | {value.unit} | {value.bytes:,.0f} |")


def measure_rows(server: PostgresServer, *, rows: int = ROWS) -> Iterator[Space]:
    """Yield what a row takes in the tables whose rows are alike for all models."""
    with _database(server, "space_rows") as (_, engine):
        make_weeks_ahead(engine, now=START)
        for table, fill in FILLS.items():
            with engine.begin() as connection:
                connection.execute(sa.text(fill), {"rows": rows, "start": START})
            yield Space(table, "a row", _size(engine, table) / rows)


def measure_model(
    directory: Path, server: PostgresServer, *, columns: int, days: int = DAYS, cells: int = 1000
) -> Iterator[Space]:
    """Yield what a day of one series of *columns* numeric columns takes: calm, and with a quarter of them drifting."""
    for drifting in (0, columns // 4):
        name = f"space_{columns}_{drifting}"
        with _database(server, name) as (url, engine):
            _apply(directory, url, columns=columns, rows=max(cells * 50, 2000))
            make_weeks_ahead(engine, now=START)
            _fill(engine, days=days, drifting=drifting)
            raw = _size(engine, "pane") / days
            windows = _evaluate(url, engine) / days
            of = f"{columns} columns, {'calm' if not drifting else f'{drifting} of them drifting'}"
            _pack(engine)
            evaluations = _size(engine, "evaluation") / days
            yield Space("evaluation", f"a day and series of {of}: {windows:,.0f} windows", evaluations)
            if not drifting:
                _compact(url, engine)
                yield Space("pane", f"a day and series of {columns} columns, as flushed once a minute", raw)
                yield Space("pane", f"the same, compacted: {_spans(engine)}", _size(engine, "pane") / days)


@contextmanager
def _database(server: PostgresServer, name: str) -> Iterator[tuple[str, sa.Engine]]:
    url = server.create_database(name)
    upgrade(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        for table in EVALUATIONS:
            connection.execute(sa.text(f"DROP TABLE {table.name}_before"))  # where rows of today would go
    try:
        yield url, engine
    finally:
        engine.dispose()
        server.drop_database(name)


def _apply(directory: Path, url: str, *, columns: int, rows: int) -> None:
    """Apply a model whose columns move from block to block, so that every number of a result has its digits."""
    random = np.random.default_rng(5)
    minutes = np.sort(random.integers(0, 14 * DAY_MINUTES, rows))
    wander = random.normal(size=(columns, 14 * 24)) * 0.05
    table = {
        f"a_column_{at:03d}": pa.array(
            random.normal(size=rows) + wander[at][minutes // 60], mask=random.random(rows) < _missing_share(at)
        )
        for at in range(columns)
    }
    at = pa.array((START - (14 * DAY_MINUTES - minutes) * MINUTE_MILLIS), pa.timestamp("ms", tz="UTC"))
    path = directory / f"space_{columns}.parquet"
    pq.write_table(pa.table(table | {"score": random.beta(2, 5, rows), "at": at}), path)
    for arguments in (
        ["init", "--reference", str(path), "--model", "space", "--score", "score", "--timestamp", "at", "--force"],
        ["apply", "space.yaml"],
    ):
        command = [sys.executable, "-m", "driftline", *arguments]
        environment = {"DRIFTLINE_DATABASE_URL": url}
        subprocess.run(command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=300)


def _missing_share(column: int) -> float:
    return 0.01 * (column % 4)


def _fill(engine: sa.Engine, *, days: int, drifting: int) -> None:
    """Write the panes of *days* as ingest would with one flush a minute, and an offset row that stands at their end."""
    random = np.random.default_rng(6)
    with engine.begin() as connection:
        applied = load_configuration(connection).models[0]
        key = SeriesKey(applied.model_id, "1")
        series_id = ensure_series(connection, {key})[key]
        cells = applied.cells[0]
        for minute in range(days * DAY_MINUTES):
            connection.execute(
                sa.insert(pane).values(
                    series_id=series_id, cells_id=cells.cells_id, start=START + minute * MINUTE_MILLIS, span=1,
                    events=EVENTS_PER_MINUTE, sampled=0, counts=encode_counts(_pane(cells.layout, random, drifting)),
                )
            )  # fmt: skip
        connection.execute(
            sa.insert(input_offset).values(
                topic="predictions", partition=0, role="predictions", next_offset=1,
                max_event_time=START + (days * DAY_MINUTES + 1) * MINUTE_MILLIS,
                caught_up_at=sa.text("clock_timestamp() - interval '1 minute'"),
                heartbeat_at=sa.text("clock_timestamp() + interval '1 hour'"),
            )
        )  # fmt: skip


def _pane(layout: CellsLayout, random: np.random.Generator, drifting: int) -> npt.NDArray[np.int64]:
    """Draw each column's cells evenly, some values missing; those that drift have all in the first three quarters."""
    counts = np.zeros(layout.size, dtype=np.int64)
    for at, (column, span) in enumerate(zip(layout.columns, layout.spans, strict=True)):
        if column.cells:
            missing = int(random.binomial(EVENTS_PER_MINUTE, _missing_share(at)))
            shares = np.full(column.cells, 1 / column.cells)
            if at < drifting:
                shares[3 * column.cells // 4 :] = 0
            shares /= shares.sum()
            counts[span.start : span.slots] = random.multinomial(EVENTS_PER_MINUTE - missing, shares)
            counts[span.slots] = missing
    return counts


def _evaluate(url: str, engine: sa.Engine) -> int:
    evaluator = Evaluator(evaluation_rules(load_settings(database_url=url)))
    with engine.connect() as connection:
        applied = load_configuration(connection).models[0]
    windows, more = 0, True
    while more:
        with engine.begin() as connection:
            now = int(START + 30 * WEEK_MILLIS)
            batch = evaluator.evaluate_model(connection, applied, now_millis=now)
        windows += sum(len(end.evaluations) for end in batch.window_ends)
        more = batch.more
    return windows


def _compact(url: str, engine: sa.Engine) -> None:
    with engine.connect() as connection:
        applied = load_configuration(connection).models[0]
    watermark = START + DAYS * DAY_MINUTES * MINUTE_MILLIS
    Compactor(watermark_rules(load_settings(database_url=url))).compact(engine, applied, watermark=watermark)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM FULL pane"))  # space that later rows would fill


def _pack(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for week in time_partitions(connection, "evaluation"):
            pack_week(connection, week)


def _spans(engine: sa.Engine) -> str:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT span, count(*) FROM pane GROUP BY span ORDER BY span DESC"))
        return ", ".join(f"{count} of {span} m" for span, count in rows)


def _size(engine: sa.Engine, table: str) -> int:
    """Return the bytes of *table*, its indexes and what lies outside its rows, over all of its partitions."""
    query = sa.text(
        "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(CAST(:table AS regclass)) "
        "WHERE isleaf AND pg_relation_size(relid) > 0"
    )
    with engine.connect() as connection:
        result = connection.execute(query, {"table": table}).scalar()
        return int(
            result or connection.execute(sa.text("SELECT pg_total_relation_size(:t)"), {"t": table}).scalar_one()
        )


if __name__ == "__main__":
    main()
