"""CPU of evaluating one model with 20 numeric columns: per window, whatever the traffic, and catching up on a week."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from monitor.clock import cpu_seconds, monotonic_seconds, now_millis
from monitor.evaluate import Evaluator, evaluation_rules
from monitor.reference.layout import CellsLayout
from monitor.settings import load_settings
from monitor.store.configuration import load_configuration
from monitor.store.engine import make_engine
from monitor.store.migrate import upgrade
from monitor.store.schema import input_offset, pane
from monitor.store.series import ensure_series
from monitor.types import SeriesKey
from monitor.units import MINUTE_MILLIS
from monitor.windows.pane_codec import encode_counts
from tests.services.postgres import PostgresServer

COLUMNS = 20
WEEK_MINUTES = 7 * 24 * 60
START = 1_780_272_000_000 // (7 * 24 * 3600 * 1000) * (7 * 24 * 3600 * 1000)


def measure_evaluation(directory: Path, server: PostgresServer) -> dict[str, dict[str, float]]:
    """Return wall and CPU of a week of windows over all default scales, for quiet and for heavy traffic."""
    return {
        f"{per_minute} events a minute": _measure(directory, server, per_minute=per_minute)
        for per_minute in (100, 100_000)
    }


def _measure(directory: Path, server: PostgresServer, *, per_minute: int) -> dict[str, float]:
    name = f"bench_evaluate_{per_minute}"
    url = server.create_database(name)
    upgrade(url)
    _apply(directory, url)
    engine = make_engine(url)
    _fill(engine, per_minute=per_minute)
    evaluator = Evaluator(evaluation_rules(load_settings(database_url=url)))
    with engine.connect() as connection:
        applied = load_configuration(connection).models[0]
    windows, more, cpu, wall = 0, True, cpu_seconds(), monotonic_seconds()
    while more:
        with engine.begin() as connection:
            batch = evaluator.evaluate_model(connection, applied, now_millis=now_millis())
        windows += sum(len(end.evaluations) for end in batch.window_ends)
        more = batch.more
    cpu, wall = cpu_seconds() - cpu, monotonic_seconds() - wall
    engine.dispose()
    server.drop_database(name)
    return {
        "windows": windows,
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "cpu_ms_per_window": round(cpu / windows * 1000, 3),
    }


def _apply(directory: Path, url: str) -> None:
    random = np.random.default_rng(5)
    table = pa.table({f"x{number:02d}": random.normal(size=50_000) for number in range(COLUMNS)} | {
        "score": random.beta(2, 5, 50_000)})  # fmt: skip
    path = directory / "evaluate.parquet"
    pq.write_table(table, path)
    environment = {"DRIFTLINE_DATABASE_URL": url}
    for arguments in (
        ["init", "--reference", str(path), "--model", "evaluate", "--score", "score", "--force"],
        ["apply", "evaluate.yaml"],
    ):
        command = [sys.executable, "-m", "driftline", *arguments]
        subprocess.run(command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL, timeout=120)


def _fill(engine: sa.Engine, *, per_minute: int) -> None:
    """Write a week of panes as ingest would have, and an offset row that stands at its end."""
    random = np.random.default_rng(6)
    with engine.begin() as connection:
        applied = load_configuration(connection).models[0]
        key = SeriesKey(applied.model_id, "1")
        series_id = ensure_series(connection, {key})[key]
        layout = applied.cells[0].layout
        for first in range(0, WEEK_MINUTES, 500):
            rows = [
                {
                    "series_id": series_id,
                    "cells_id": applied.cells[0].cells_id,
                    "start": START + minute * MINUTE_MILLIS,
                    "span": 1,
                    "events": per_minute,
                    "sampled": 0,
                    "counts": encode_counts(_pane(layout, random, per_minute)),
                }
                for minute in range(first, min(first + 500, WEEK_MINUTES))
            ]
            connection.execute(sa.insert(pane), rows)
        connection.execute(
            sa.insert(input_offset).values(
                topic="predictions", partition=0, role="predictions", next_offset=1,
                max_event_time=START + (WEEK_MINUTES + 1) * MINUTE_MILLIS,
                caught_up_at=sa.text("clock_timestamp() - interval '1 minute'"),
                heartbeat_at=sa.text("clock_timestamp() + interval '1 hour'"),
            )
        )  # fmt: skip
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _pane(layout: CellsLayout, random: np.random.Generator, events: int) -> npt.NDArray[np.int64]:
    """Draw each column's cells evenly: quantile cells of a stationary stream."""
    counts = np.zeros(layout.size, dtype=np.int64)
    for column, span in zip(layout.columns, layout.spans, strict=True):
        if column.cells:
            counts[span.start : span.slots] = random.multinomial(events, np.full(column.cells, 1 / column.cells))
    return counts
