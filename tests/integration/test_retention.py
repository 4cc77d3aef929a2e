"""Every table that grows is bounded by a setting: what is past it goes, what something still needs stays."""

import threading
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from monitor.maintain.retention import ChunkedDeletes, RetentionProgress, drop_expired
from monitor.result_codec import pack_result
from monitor.results import WindowResult
from monitor.settings import Settings
from monitor.store import retention
from monitor.store.database_clock import database_now_millis
from monitor.store.schema import (
    action,
    deployment,
    endpoint,
    evaluation,
    flush,
    incident,
    joined,
    outbox,
    pane,
    performance_due,
    performance_evaluation,
    performance_pane,
    performance_sum,
    series,
    transition,
    truth,
    unseen_value,
)
from monitor.store.series import ensure_series
from monitor.store.time_partitions import time_partitions, unpacked_weeks
from monitor.types import SeriesKey, Verdict
from monitor.units import DAY_MILLIS, HOUR_MILLIS
from tests.models.counted import CountedModel, apply_counted_model, set_watermark

DAYS = 10
SETTINGS = Settings(
    pane_retention_days=DAYS,
    ledger_retention_days=DAYS,
    evaluation_retention_days=DAYS,
    incident_retention_days=DAYS,
    deployment_retention_days=DAYS,
    flush_retention_days=DAYS,
)
HASH = "00000000-0000-0000-0000-00000000000"


@pytest.fixture
def counted(engine: Engine) -> CountedModel:
    """A model whose newest event is of now."""
    counted = apply_counted_model(engine)
    with engine.begin() as connection:
        now = database_now_millis(connection)
        set_watermark(connection, now - 60_000, now=now)
    return counted


def now_of(engine: Engine) -> int:
    with engine.connect() as connection:
        return database_now_millis(connection)


def ages(engine: Engine, column: sa.Column[int]) -> list[int]:
    """Return how many days ago each row was, the oldest first."""
    now = now_of(engine)
    with engine.connect() as connection:
        times = connection.execute(sa.select(column).order_by(column)).scalars()
        return [round((now - time) / DAY_MILLIS) for time in times]


def ago(days: float) -> sa.TextClause:
    return sa.text(f"clock_timestamp() - interval '{days} days'")


def test_counts_and_names_go_with_the_panes(engine: Engine, counted: CountedModel) -> None:
    """Panes, the truths' sums with their marks, names of unseen values: 9 days stay, 11 go."""
    now = now_of(engine) // HOUR_MILLIS * HOUR_MILLIS
    with engine.begin() as connection:
        for days in (9, 11, 20):
            at = now - days * DAY_MILLIS
            cells_id = counted.applied.cells[0].cells_id
            row = {"series_id": counted.series_id, "events": 1, "sampled": 0, "counts": b"", "cells_id": cells_id}
            connection.execute(sa.insert(pane), [{**row, "start": at, "span": span} for span in (1, 60)])
            row = {"series_id": counted.series_id, "minute": at}
            sums = {"output": "", "age_bucket": 0, "labelled": 1, "correct": 1}
            connection.execute(sa.insert(performance_pane).values(**row, **sums))
            connection.execute(sa.insert(performance_due).values(**row))
            row = {"series_id": counted.series_id, "column_name": "f0", "hour": at, "counts": [], "other": 1}
            connection.execute(sa.insert(unseen_value).values(**row))
    assert drop_expired(engine, SETTINGS) == 4 + 2 + 4 + 2
    assert ages(engine, pane.c.start) == [9, 9]
    assert ages(engine, performance_pane.c.minute) == [9]
    assert ages(engine, performance_sum.c.start) == [9, 9]
    assert ages(engine, performance_due.c.minute) == [9]
    assert ages(engine, unseen_value.c.hour) == [9]


def test_evaluations_go_by_the_week_and_stray_ones_one_by_one(engine: Engine, counted: CountedModel) -> None:
    """A partition goes when its last window is past the retention; rows of the default partition as they are."""
    packed = pack_result(WindowResult(verdict=Verdict.OK, events=1), ())
    row = {"series_id": counted.series_id, "length": 10, "spec_version": 1, "sampled": 1, "verdict": "OK",
           "packed": packed}  # fmt: skip
    inputs = {**row, "cells_id": 1, "reference_id": 1, "events": 1, "previous_events": 0, "revision": 0}
    accuracy = {**row, "output": "", "labelled": 1, "correct": 1, "mature": True, "revision": 0}
    now = now_of(engine)
    with engine.begin() as connection:
        for table, values in ((evaluation, inputs), (performance_evaluation, accuracy)):
            # as after some months: the table of before is dropped, an old week and older strays are there
            connection.execute(sa.text(f"DROP TABLE {table.name}_before"))
            old = now - 40 * DAY_MILLIS
            bounds = f"FROM ({old}) TO ({old + 7 * DAY_MILLIS})"
            connection.execute(sa.text(f"CREATE TABLE {table.name}_old PARTITION OF {table.name} FOR VALUES {bounds}"))
            ends = [now - days * DAY_MILLIS for days in (60, 38, 12, 8, 1)]
            connection.execute(sa.insert(table), [{**values, "window_end": end} for end in ends])
    assert drop_expired(engine, SETTINGS) == 2 * (1 + 2)
    for table in (evaluation, performance_evaluation):
        assert ages(engine, table.c.window_end) == [8, 1]
        with engine.connect() as connection:
            weeks = time_partitions(connection, table.name)
        start, stop = weeks[-1].start, weeks[-1].stop
        assert start is not None
        assert stop is not None
        assert now < start < stop - 6 * DAY_MILLIS
        assert len(weeks) >= 4
    assert drop_expired(engine, SETTINGS) == 0


def test_an_incident_goes_with_all_of_it_when_it_is_long_resolved(engine: Engine, counted: CountedModel) -> None:
    """Open ones stay however old; so does one with a delivery to be made, and everything that belongs to these."""
    model_id = counted.applied.model_id
    cases = {"open": ("open", 30, "done"), "recent": ("resolved", 9, "done"), "waits": ("resolved", 30, "pending"),
             "expired": ("resolved", 30, "done")}  # fmt: skip
    with engine.begin() as connection:
        endpoint_id = connection.execute(
            sa.insert(endpoint).values(name="x", type="webhook").returning(endpoint.c.id)
        ).scalar_one()
        for number, (name, (status, days, delivery)) in enumerate(cases.items()):
            ids = [str(UUID(int=10 * number + part)) for part in range(4)]
            connection.execute(
                sa.insert(incident).values(
                    id=ids[0], model_id=model_id, version=name, kind="drift", status=status, tier=1, state="{}",
                    first_end=0, last_end=0, sentence="", changed_at=ago(days),
                )
            )  # fmt: skip
            step = {"window_end": 0, "step": "opened", "reason": "x", "tier": 1, "sentence": ""}
            connection.execute(sa.insert(transition).values(incident_id=ids[0], **step))
            connection.execute(
                sa.insert(action).values(
                    id=ids[1], model_id=model_id, incident_id=ids[0], kind="rollback", state="accepted", reason="",
                    from_version=name, window_end=0, attempt=0, request={},
                )
            )  # fmt: skip
            row = {"kind": "notification", "event_type": "", "endpoint_id": endpoint_id, "body": b"",
                   "closed_at": ago(days)}  # fmt: skip
            connection.execute(
                sa.insert(outbox).values(id=ids[2], incident_id=ids[0], dedupe_key=ids[2], state="done", **row)
            )
            connection.execute(
                sa.insert(outbox).values(id=ids[3], action_id=ids[1], dedupe_key=ids[3], state=delivery, **row)
            )
        of_none = {"dedupe_key": "test", "state": "done", **row}
        connection.execute(sa.insert(outbox).values(id=str(UUID(int=99)), **of_none))
    assert drop_expired(engine, SETTINGS) == 2
    with engine.connect() as connection:
        assert set(connection.execute(sa.select(incident.c.version)).scalars()) == {"open", "recent", "waits"}
        counts = [
            connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
            for table in (transition, action, outbox)
        ]
    assert counts == [3, 3, 6]


def test_deployments_keep_where_every_version_stands(engine: Engine, counted: CountedModel) -> None:
    """Of old events the last one of each version and stage stays, the rollback target among them."""
    events = [("1", "production", 30), ("1", "production", 20), ("1", "canary", 40), ("2", "canary", 15),
              ("2", "canary", 14), ("2", "production", 12), ("2", "production", 3)]  # fmt: skip
    now = now_of(engine)
    with engine.begin() as connection:
        for number, (version, stage, days) in enumerate(events):
            connection.execute(
                sa.insert(deployment).values(
                    model_id=counted.applied.model_id, version=version, stage=stage, topic="d", partition=0,
                    offset=number, event_time=now - days * DAY_MILLIS,
                )
            )  # fmt: skip
    walk = RetentionProgress()
    assert drop_expired(engine, SETTINGS, walk=walk) == 2
    assert ages(engine, deployment.c.event_time) == [40, 20, 14, 12, 3]
    assert drop_expired(engine, SETTINGS, walk=walk) == 0


def test_truths_joined_and_flushes_go_by_their_own_age(engine: Engine, counted: CountedModel) -> None:
    """A truth that still looks for its prediction stays; what was joined stays as long as the ledger may have it."""
    now = now_of(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(flush), [{"worker": "w", "ranges": []}] * 2)
        connection.execute(sa.update(flush).where(flush.c.id == 1).values(flushed_at=ago(11)))
        for number, (days, looks) in enumerate([(9, False), (11, False), (11, True)]):
            connection.execute(
                sa.insert(truth).values(
                    model_id=1, prediction_hash=f"{HASH}{number}", known_at=0, topic="t", partition=0, offset=0,
                    first_seen_at=ago(days), next_probe_at=ago(0) if looks else None,
                )
            )  # fmt: skip
        week = now - 20 * DAY_MILLIS
        bounds = f"FROM ({week}) TO ({week + 15 * DAY_MILLIS})"
        connection.execute(sa.text(f"CREATE TABLE l PARTITION OF prediction_ledger FOR VALUES {bounds}"))
        for days in (11, 21):
            connection.execute(
                sa.insert(joined).values(
                    model_id=1, prediction_hash=f"{HASH}0", version=str(days), output="", series_ids=[1],
                    minute=now - days * DAY_MILLIS, age_bucket=0, correct=True, counted=True,
                )
            )  # fmt: skip
    assert drop_expired(engine, SETTINGS) == 3
    assert ages(engine, joined.c.minute) == [11]
    with engine.connect() as connection:
        assert connection.execute(sa.select(flush.c.id)).scalars().all() == [2]
        left = connection.execute(sa.select(truth.c.prediction_hash).order_by(truth.c.prediction_hash)).scalars()
        assert list(left) == [f"{HASH}0", f"{HASH}2"]


def test_a_series_of_which_nothing_is_left_goes_after_the_ledger_has_none_of_it(
    engine: Engine, counted: CountedModel
) -> None:
    """Marked when its last pane is dropped, unmarked when it comes back, removed when it stayed away."""
    keys = [SeriesKey(counted.applied.model_id, version) for version in ("dead", "back", "young")]
    with engine.begin() as connection:
        ids = ensure_series(connection, set(keys))
        old = sa.update(series).values(created_at=ago(50)).where(series.c.version != "young")
        connection.execute(old)
        cells_id = counted.applied.cells[0].cells_id
        row = {"events": 1, "sampled": 0, "counts": b"", "cells_id": cells_id, "start": now_of(engine), "span": 1}
        connection.execute(sa.insert(pane).values(series_id=counted.series_id, **row))

    def marked() -> set[str]:
        with engine.connect() as connection:
            return set(
                connection.execute(sa.select(series.c.version).where(series.c.empty_since.is_not(None))).scalars()
            )

    walk = RetentionProgress()
    drop_expired(engine, SETTINGS, walk=walk)
    assert marked() == {"dead", "back"}
    with engine.begin() as connection:
        connection.execute(sa.insert(pane).values(series_id=ids[keys[1]], **row))
        connection.execute(sa.update(series).where(series.c.version != "1").values(empty_since=ago(17)))
    assert drop_expired(engine, SETTINGS, walk=walk) == 0
    assert marked() == {"dead", "young"}
    with engine.begin() as connection:
        connection.execute(sa.update(series).where(series.c.version == "dead").values(empty_since=ago(19)))
    assert drop_expired(engine, SETTINGS, walk=walk) == 1
    with engine.connect() as connection:
        assert set(connection.execute(sa.select(series.c.version)).scalars()) == {"1", "back", "young"}


def test_much_is_dropped_in_short_transactions(engine: Engine) -> None:
    """Chunk after chunk until one is not full; a process that is to stop does so after the chunk it is in."""
    stop, calls = threading.Event(), []

    def delete(connection: sa.Connection) -> int:
        calls.append(connection.execute(sa.text("SELECT txid_current()")).scalar_one())
        return 100 if len(calls) % 3 else 50

    chunks = ChunkedDeletes(engine, stop)
    assert chunks.drop(delete, at_once=100) == 250
    assert len(set(calls)) == 3
    stop.set()
    assert chunks.drop(delete, at_once=100) == 100


def test_dropping_nothing_reads_next_to_nothing(engine: Engine, counted: CountedModel) -> None:
    """5,000 series with panes of today: the statement looks at no row of them. It was a loop of 29 seconds."""
    model_id = counted.applied.model_id
    fill = """
        WITH made AS (
            INSERT INTO series (model_id, version, segment_tag, segment_value)
            SELECT :model_id, 'v' || number, '', '' FROM generate_series(1, 5000) AS number RETURNING id
        )
        INSERT INTO pane (series_id, cells_id, start, span, events, sampled, counts)
        SELECT id, :cells_id, :now - minute * 60000, 1, 1, 0, '' FROM made, generate_series(1, 10) AS minute
    """
    with engine.begin() as connection:
        now = database_now_millis(connection)
        cells_id = counted.applied.cells[0].cells_id
        connection.execute(sa.text(fill), {"model_id": model_id, "cells_id": cells_id, "now": now})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    with engine.begin() as connection:
        explained = sa.text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {retention.PANES.text}")
        plan = connection.execute(explained, {"before": now - DAYS * DAY_MILLIS, "limit": 5000}).scalar_one()
        connection.rollback()
    result = plan[0]["Plan"]
    assert result["Shared Hit Blocks"] + result["Shared Read Blocks"] < 20


def test_a_finished_week_is_packed_once(engine: Engine, counted: CountedModel) -> None:
    """Its index takes two thirds afterwards: windows of all series come in turn, which splits pages in the middle."""
    now = now_of(engine)
    week = now - 9 * DAY_MILLIS
    fill = """
        INSERT INTO evaluation (series_id, length, window_end, cells_id, spec_version, revision, reference_id, events,
                                previous_events, sampled, verdict)
        SELECT :series_id, length, :week + minute * 60000, 1, 1, 0, 1, 1, 1, 0, 'OK'
        FROM generate_series(1, 3000) AS minute, unnest(ARRAY[10, 30, 60, 240]) AS length ORDER BY minute, length
    """
    size = sa.text("SELECT pg_indexes_size('finished')")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE evaluation_before"))
        bounds = f"FROM ({week}) TO ({week + 7 * DAY_MILLIS})"
        connection.execute(sa.text(f"CREATE TABLE finished PARTITION OF evaluation FOR VALUES {bounds}"))
        connection.execute(sa.text(fill), {"series_id": counted.series_id, "week": week})
        before = connection.execute(size).scalar_one()
    drop_expired(engine, SETTINGS)
    with engine.connect() as connection:
        assert connection.execute(size).scalar_one() < 0.7 * before
        assert unpacked_weeks(connection, "evaluation", before=now) == ()
