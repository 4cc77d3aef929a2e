"""Compaction keeps every window's numbers, a crash in its middle changes nothing, retention drops what is old."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.evaluate import EvaluationRules, Evaluator
from monitor.health import Health
from monitor.maintain import run_maintain
from monitor.maintain.retention import Compactor, drop_expired
from monitor.settings import Settings
from monitor.store.engine import driver_connection
from monitor.store.incidents import lock_model
from monitor.store.pane_marks import NewMark, append_marks
from monitor.store.panes import PaneBucket, SeriesRange, buckets_to_merge, merge_bucket
from monitor.store.schema import dedup, input_offset, joined, pane, pane_mark
from monitor.store.time_partitions import time_partitions
from monitor.units import MINUTE_MILLIS
from monitor.windows.pane_codec import decode_counts
from monitor.windows.watermark import WatermarkRules
from tests.models.counted import START, CountedModel, apply_counted_model, set_watermark, write_pane
from tests.oracle.stored import final_evaluations
from tests.services.waiting import wait_until

SPEC = "windows: {min_events: 50, scales: [{length: 10m, step: 1m}, {length: 1h, step: 5m}, {length: 2h, step: 20m}]}\n"
NOW = START + 10**10
WATERMARKS = WatermarkRules(allowed_lateness=5 * MINUTE_MILLIS)
HOUR = 60


def write(engine: Engine, counted: CountedModel, minutes: range, *, deltas: int = 2, seed: int = 1) -> None:
    generator = np.random.default_rng(seed)
    with engine.begin() as connection:
        for minute in minutes:
            for _ in range(deltas):
                counts = counted.counts(generator, 20)
                write_pane(connection, counted, START + minute * MINUTE_MILLIS, counts, sampled=3)


def evaluate_until(engine: Engine, counted: CountedModel, minute: int) -> None:
    with engine.begin() as connection:
        set_watermark(connection, START + minute * MINUTE_MILLIS, now=NOW)
    evaluator = Evaluator(EvaluationRules(watermark=WATERMARKS, revision_seconds=0))
    more = True
    while more:
        with engine.begin() as connection:
            assert lock_model(connection, counted.applied.model_id)
            more = evaluator.evaluate_model(connection, counted.applied, now_millis=NOW).more


def finals(engine: Engine, counted: CountedModel) -> list[tuple[int, int, str]]:
    with engine.connect() as connection:
        evaluations = final_evaluations(connection, counted.applied.model_id)
    return [(value.length, value.window_end, value.result) for value in evaluations]


def compact(engine: Engine, counted: CountedModel, minute: int) -> int:
    return Compactor(WATERMARKS).compact(engine, counted.applied, watermark=START + minute * MINUTE_MILLIS)


def spans(engine: Engine) -> dict[int, int]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(pane.c.span, sa.func.count()).group_by(pane.c.span))
        return {row.span: row[1] for row in rows}


def contents(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(pane).order_by(pane.c.id))
        return [tuple(row) for row in rows]


def totals(engine: Engine, counted: CountedModel) -> tuple[int, int, list[int]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(pane)).all()
    size = counted.applied.cells[0].layout.size
    counts = sum((decode_counts(row.counts, size=size).astype(np.int64) for row in rows), np.zeros(size, np.int64))
    return sum(row.events for row in rows), sum(row.sampled for row in rows), counts.tolist()


def test_every_window_is_the_same_with_and_without_compaction(engine: Engine) -> None:
    """Compacted each hour, with late deltas in between, every result is equal to the byte; far fewer rows stay."""
    counted = apply_counted_model(engine, extra=SPEC)
    for hour in range(12):
        write(engine, counted, range(hour * HOUR, (hour + 1) * HOUR), seed=hour)
        if hour:
            write(engine, counted, range(hour * HOUR - 4, hour * HOUR), deltas=1, seed=100 + hour)
        evaluate_until(engine, counted, (hour + 1) * HOUR)
        compact(engine, counted, (hour + 1) * HOUR)
    with_compaction, rows_left, sums = finals(engine, counted), spans(engine), totals(engine, counted)

    with engine.begin() as connection:
        for table in ("pane", "pane_mark", "evaluation", "scale_progress"):
            connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608  # a constant
    for hour in range(12):
        write(engine, counted, range(hour * HOUR, (hour + 1) * HOUR), seed=hour)
        if hour:
            write(engine, counted, range(hour * HOUR - 4, hour * HOUR), deltas=1, seed=100 + hour)
    evaluate_until(engine, counted, 12 * HOUR)
    assert with_compaction == finals(engine, counted)
    assert "compacted" not in "".join(result for _, _, result in with_compaction)
    assert sums == totals(engine, counted)
    assert rows_left[60] >= 3
    assert sum(rows_left.values()) < 300 < spans(engine)[1]


def test_nothing_is_compacted_before_it_was_evaluated(engine: Engine) -> None:
    """Without progress only deltas of one minute are merged: any window may still cut between minutes."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(12 * HOUR))
    compact(engine, counted, 12 * HOUR)
    assert spans(engine) == {1: 12 * HOUR}


def test_compacting_again_changes_nothing(engine: Engine) -> None:
    """Idempotent: a second round finds nothing. A late delta is just another row, merged once its windows saw it."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(12 * HOUR))
    evaluate_until(engine, counted, 12 * HOUR)
    assert compact(engine, counted, 12 * HOUR) > 0
    before = contents(engine)
    assert compact(engine, counted, 12 * HOUR) == 0
    assert contents(engine) == before
    write(engine, counted, range(7, 8), deltas=1)
    assert compact(engine, counted, 12 * HOUR) == 0
    evaluate_until(engine, counted, 12 * HOUR)
    assert compact(engine, counted, 12 * HOUR) == 2
    assert len(contents(engine)) == len(before)


def test_panes_that_an_idle_partition_may_add_to_stay_minutes(engine: Engine) -> None:
    """What comes late from it can then be cut into its windows, whatever they are; only the deltas are merged."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(12 * HOUR))
    evaluate_until(engine, counted, 12 * HOUR)
    compactor, start = Compactor(WATERMARKS), START
    watermark = start + 12 * HOUR * MINUTE_MILLIS
    compactor.compact(engine, counted.applied, watermark=watermark, open_from=start)
    assert spans(engine) == {1: 12 * HOUR}
    compactor.compact(engine, counted.applied, watermark=watermark, open_from=watermark - 65 * MINUTE_MILLIS)
    assert set(spans(engine)) == {1, 10, 60}


def test_a_flush_during_a_compaction_keeps_its_minutes(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows may be read already, its mark too: nothing is merged until evaluation has read both."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(12 * HOUR))
    evaluate_until(engine, counted, 12 * HOUR)

    def listed_late(*arguments: Any, **named: Any) -> tuple[PaneBucket, ...]:
        if named["span"] > 1:
            write(engine, counted, range(30, 32), deltas=1)
        return buckets_to_merge(*arguments, **named)

    monkeypatch.setattr("monitor.maintain.retention.buckets_to_merge", listed_late)
    compact(engine, counted, 12 * HOUR)
    assert set(spans(engine)) == {1}


def test_rows_another_process_works_on_are_left_out(engine: Engine) -> None:
    """Two compactions at once neither wait nor count twice."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(1), deltas=5)
    before, size = totals(engine, counted), counted.applied.cells[0].layout.size
    ranges = [SeriesRange(counted.series_id, 0, START + HOUR * MINUTE_MILLIS)]
    with engine.begin() as other, engine.begin() as connection:
        held = sa.select(pane.c.id).order_by(pane.c.id).limit(3).with_for_update()
        assert len(other.execute(held).all()) == 3
        (bucket,) = buckets_to_merge(connection, ranges, span=1, limit=10)
        assert merge_bucket(connection, bucket, span=1, size=size) == 2
    assert spans(engine) == {1: 4}
    assert totals(engine, counted) == before


KILLED = """
import sys, sqlalchemy as sa
from monitor.store.panes import SeriesRange, buckets_to_merge, merge_bucket
from monitor.units import MINUTE_MILLIS
engine = sa.create_engine(sys.argv[1])
with engine.begin() as connection:
    ranges = [SeriesRange(int(sys.argv[2]), 0, 2**50)]
    for bucket in buckets_to_merge(connection, ranges, span=60, limit=10):
        merge_bucket(connection, bucket, span=60, size=int(sys.argv[3]))
"""


def test_a_crash_in_the_middle_changes_nothing(engine: Engine, database_url: str) -> None:
    """Killed after the rows were deleted and before their sum was written: every row is there, bit by bit."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(2 * HOUR))
    before = contents(engine)
    url = engine.url.render_as_string(hide_password=False)
    size = counted.applied.cells[0].layout.size
    done = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(counted.series_id), str(size)],
        env={**os.environ, "DRIFTLINE_FAILPOINT": "compaction.rows_deleted"},
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert contents(engine) == before


def test_what_is_past_its_retention_is_dropped(engine: Engine) -> None:
    """Ledger weeks wholly behind, with what was joined from them; old panes; hashes behind the dedup horizon."""
    counted = apply_counted_model(engine, extra=SPEC)
    day = 1440 * MINUTE_MILLIS
    write(engine, counted, range(2), deltas=1)
    with engine.begin() as connection:
        for week in range(3):
            bounds = f"FROM ({START + week * 7 * day}) TO ({START + (week + 1) * 7 * day})"
            statement = f"CREATE TABLE ledger_week_{week} PARTITION OF prediction_ledger FOR VALUES {bounds}"
            connection.execute(sa.text(statement))
        set_watermark(connection, START + 20 * day, now=NOW)
        panes = [(counted.series_id, START + 15 * day)]
        append_marks(driver_connection(connection), [NewMark(model_id=counted.applied.model_id, panes=panes)])
        connection.execute(sa.update(input_offset).values(next_offset=1000))
        for next_offset in (400, 900, 901, 1000):
            row = {"topic": "predictions", "partition": 0, "offsets": b"", "hashes": b""}
            connection.execute(sa.insert(dedup).values(**row, next_offset=next_offset))
        for minute in (START, START + 8 * day):
            row = {
                "model_id": 1,
                "prediction_hash": "00000000-0000-0000-0000-000000000001",
                "version": str(minute),
                "output": "",
                "series_ids": [1],
                "minute": minute,
                "age_bucket": 0,
                "correct": True,
                "counted": True,
            }
            connection.execute(sa.insert(joined).values(**row))
    settings = Settings(ledger_retention_days=10, pane_retention_days=10, dedup_horizon=100)
    drop_expired(engine, settings)
    with engine.connect() as connection:
        kept = [
            partition.table
            for partition in time_partitions(connection, "prediction_ledger")
            if partition.stop < START + 22 * day
        ]
        assert kept == ["ledger_week_1", "ledger_week_2"]
        assert connection.execute(sa.select(joined.c.minute)).scalars().all() == [START + 8 * day]
        assert connection.execute(sa.select(dedup.c.next_offset).order_by(dedup.c.next_offset)).scalars().all() == [
            901,
            1000,
        ]
        assert connection.execute(sa.select(sa.func.count()).select_from(pane)).scalar() == 0
        assert connection.execute(sa.select(pane_mark.c.oldest)).scalars().all() == [START + 15 * day]


@contextmanager
def running(settings: Settings, health: Health) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run_maintain, args=(settings,), kwargs={"stop": stop, "health": health})
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "maintain did not stop"


def test_the_role_runs_until_it_is_asked_to_stop(engine: Engine) -> None:
    """One round merges the deltas and says that it is healthy; then it stops within its interval."""
    counted = apply_counted_model(engine, extra=SPEC)
    write(engine, counted, range(3))
    evaluate_until(engine, counted, 3)
    health = Health()
    url = engine.url.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE input_offset SET heartbeat_at = clock_timestamp()"))
    with running(Settings(database_url=url, disorder_seconds=60), health):
        wait_until(lambda: spans(engine) == {1: 3} and "batch" in health.ages)
        assert health.reason is None


def test_a_database_that_is_away_is_waited_for() -> None:
    """No crash loop: the role says why it is not healthy and goes on trying."""
    health = Health()
    with running(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"), health):
        wait_until(lambda: "127.0.0.1:1" in (health.reason or ""))
