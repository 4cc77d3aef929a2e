"""Speed of joining bursts of truths on a real Postgres, client and server on one core: `make bench-join`."""

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from monitor.clock import cpu_seconds, monotonic_seconds, now_millis
from monitor.maintain import join_batches, join_rules
from monitor.store.configuration import Configuration, load_configuration
from monitor.store.engine import make_engine
from monitor.store.ledger import ensure_weeks
from monitor.store.migrate import upgrade
from monitor.store.time_partitions import week_start
from monitor.units import MINUTE_MILLIS, WEEK_MILLIS
from tests.models.counted import apply_counted_model
from tests.services.postgres import PostgresServer

RESULTS = Path(__file__).parent / "results"
BURSTS = (2_000, 10_000, 190_000)
FLOOR = 5_000
LATER_MILLIS = 120_000  # every truth that found its prediction has looked once more by then
WEEKS = 13  # what `ledger_retention_days` keeps by default
NEWEST = week_start(1_790_000_000_000)

# One row of the ledger a number, evenly over its week; its hash is spread over the index as real ones are.
_FILL_LEDGER = sa.text(
    """
    INSERT INTO prediction_ledger
        (model_id, prediction_hash, version, output, series_ids, event_time, score, label, topic, partition, "offset",
         row)
    SELECT :model_id, CAST(md5(CAST(number AS text)) AS uuid), '1', '', ARRAY[CAST(:series_id AS integer)],
           :start + (number - CAST(:first AS bigint)) * CAST(:span AS bigint) / :count, 0.5,
           CAST(number % 2 AS text), 'predictions', number % 4, number, 0
    FROM generate_series(CAST(:first AS bigint), CAST(:first AS bigint) + :count - 1) AS number
    """
)
_FILL_INBOX = sa.text(
    """
    INSERT INTO truth_inbox (model_id, prediction_hash, known_at, value, topic, partition, "offset")
    SELECT :model_id, CAST(md5(CAST(number AS text)) AS uuid), :known_at, CAST(number % 3 % 2 AS text), 'ground-truth',
           number % 4, number
    FROM generate_series(CAST(:first AS bigint), CAST(:first AS bigint) + :count - 1) AS number
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """One burst; seconds are of the wall and of CPU, ours and the server's process."""

    truths: int
    statistics: str
    pass_name: str
    seconds: float
    client_cpu: float
    server_cpu: float
    per_second: float
    longest_batch_seconds: float


def main() -> None:
    """Measure, print, and write the figures to benchmarks/results/; end with 1 when a burst is below the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bursts", type=int, nargs="+", default=BURSTS)
    parser.add_argument("--ledger", type=int, default=100_000, help="sampled predictions a week")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="driftline-bench-") as name:
        Path(name).chmod(0o755)
        with PostgresServer(Path(name) / "pg") as server:
            bursts = measure_join(server, arguments.bursts, ledger_rows=arguments.ledger)
    show(console, bursts)
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y-%m-%d")
    document = {"date": stamp, "ledger_rows_a_week": arguments.ledger, "bursts": [asdict(burst) for burst in bursts]}
    (RESULTS / f"join-{stamp}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    slow = [burst for burst in bursts if burst.per_second < FLOOR]
    if slow:
        raise SystemExit(f"expected at least {FLOOR:,} truths a second in every burst, found {slow[0].per_second:,.0f}")


def measure_join(server: PostgresServer, sizes: list[int], *, ledger_rows: int) -> list[Burst]:
    """Return what bursts of *sizes* took, each with statistics of the burst and with those of an empty inbox."""
    bursts = []
    for statistics in ("fresh", "of an empty inbox"):
        name = f"bench_join_{statistics.split()[0]}"
        url = server.create_database(name)
        upgrade(url)
        engine = make_engine(url, pool_size=1)
        configuration, model = fill_ledger(engine, rows=ledger_rows, newest=max(ledger_rows, *sizes))
        first = (WEEKS - 1) * ledger_rows  # of the newest week
        for size in sizes:
            fill_inbox(engine, model, first=first, count=500)
            _join(engine, configuration, now=now_millis())
            forget_truths(engine)
            for _ in range(12):  # the driver prepares a statement and the server settles on a plan
                _join(engine, configuration, now=now_millis())
            fill_inbox(engine, model, first=first, count=size)
            if statistics == "fresh":
                _maintain_tables(engine)
            now = now_millis()
            for pass_name, at in (("joined", now), ("looked again", now + LATER_MILLIS)):
                bursts.append(_measure(engine, configuration, size, statistics, pass_name, at))
        engine.dispose()
        server.drop_database(name)
    return bursts


def fill_ledger(engine: sa.Engine, *, rows: int, newest: int) -> tuple[Configuration, dict[str, int]]:
    """Apply a model and write *rows* predictions a week, *newest* in the last one; return its parameters too."""
    counted = apply_counted_model(engine, extra="truth: {horizon: 30d}\n")
    model = {"model_id": counted.applied.model_id, "series_id": counted.series_id}
    with engine.begin() as connection:
        starts = [NEWEST - age * WEEK_MILLIS for age in reversed(range(WEEKS))]
        ensure_weeks(connection, set(starts))
        for number, start in enumerate(starts):
            span = WEEK_MILLIS - MINUTE_MILLIS
            parameters = model | {
                "first": number * rows,
                "count": newest if start == NEWEST else rows,
                "start": start,
                "span": span,
            }
            connection.execute(_FILL_LEDGER, parameters)
        configuration = load_configuration(connection)
    _maintain_tables(engine)
    return configuration, {"model_id": counted.applied.model_id}


def fill_inbox(engine: sa.Engine, model: dict[str, int], *, first: int, count: int) -> None:
    """Put the truths of *count* predictions from number *first* on into the inbox."""
    with engine.begin() as connection:
        parameters = model | {"first": first, "count": count, "known_at": NEWEST + WEEK_MILLIS}
        connection.execute(_FILL_INBOX, parameters)


def forget_truths(engine: sa.Engine) -> None:
    """Forget every truth, and have the server note how empty its tables are.

    Their pages stay, as they do in a running system: a table with pages and without rows is what the planner takes for
    one of a single row however much it grows, until it is analysed again.
    """
    tables = ("truth_inbox", "truth", "joined", "performance_pane", "performance_due")
    with engine.begin() as connection:
        for table in tables:
            connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608  # constants
    _maintain_tables(engine, f"VACUUM (ANALYZE, TRUNCATE off) {', '.join(tables)}")


def _maintain_tables(engine: sa.Engine, statement: str = "VACUUM ANALYZE") -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(statement))


def _join(engine: sa.Engine, configuration: Configuration, *, now: int) -> float:
    """Join until dry; return the seconds of the longest batch."""
    longest, began = 0.0, monotonic_seconds()
    for _ in join_batches(engine, rules=join_rules(configuration), now=lambda _: now):
        longest = max(longest, monotonic_seconds() - began)
        began = monotonic_seconds()
    return longest


def _measure(
    engine: sa.Engine, configuration: Configuration, size: int, statistics: str, pass_name: str, now: int
) -> Burst:
    with engine.connect() as connection:
        backend = int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
    with _one_core(backend):
        client, served, wall = cpu_seconds(), _process_cpu(backend), monotonic_seconds()
        longest = _join(engine, configuration, now=now)
        wall = monotonic_seconds() - wall
        client, served = cpu_seconds() - client, _process_cpu(backend) - served
    with engine.connect() as connection:
        joined = connection.execute(sa.text("SELECT count(*) FROM joined")).scalar_one()
        left = connection.execute(sa.text("SELECT count(*) FROM truth_inbox")).scalar_one()
    assert (joined, left) == (size, 0), f"expected {size} joined truths and none left, found {joined} and {left}"
    return Burst(
        truths=size,
        statistics=statistics,
        pass_name=pass_name,
        seconds=round(wall, 3),
        client_cpu=round(client, 3),
        server_cpu=round(served, 3),
        per_second=round(size / (client + served)),
        longest_batch_seconds=round(longest, 3),
    )


@contextlib.contextmanager
def _one_core(backend: int) -> Iterator[None]:
    """Keep this process and the server's on one core meanwhile, where the system lets us."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if before is None:
        yield
        return
    core = {max(before)}
    os.sched_setaffinity(0, core)
    with contextlib.suppress(PermissionError):  # the server may be another user's
        os.sched_setaffinity(backend, core)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _process_cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(console: Console, bursts: list[Burst]) -> None:
    """Print one table."""
    table = Table(
        "truths", "statistics", "seconds", "CPU s: client + server", "truths per CPU second", "longest batch s"
    )
    for burst in bursts:
        cpu = f"{burst.client_cpu:.2f} + {burst.server_cpu:.2f}"
        speed, longest = f"{burst.per_second:,}", f"{burst.longest_batch_seconds:.2f}"
        seconds = f"{burst.seconds:.2f}"
        table.add_row(f"{burst.truths:,}", burst.statistics, burst.pass_name, seconds, cpu, speed, longest)
    console.print(table)


if __name__ == "__main__":
    main()
