"""A burst of truths costs what its truths cost, whatever the server believes about the size of the inbox."""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from benchmarks.join import fill_inbox, fill_ledger, forget_truths
from monitor.clock import now_millis
from monitor.maintain import join_batches, join_rules, join_truths
from monitor.store.database_clock import database_now_millis
from monitor.store.engine import make_engine
from monitor.store.schema import joined, truth, truth_inbox
from monitor.store.truths import JoinProgress

BURST = 10_000
FLOOR = 1_000  # truths a second; the benchmark holds 5,000 on a core of its own


@pytest.fixture
def pooled(database_url: str) -> Iterator[Engine]:
    """An engine as the roles have it, with one connection, whose statements the driver prepares."""
    engine = make_engine(database_url, pool_size=1)
    yield engine
    engine.dispose()


def count(pooled: Engine, table: sa.Table) -> int:
    with pooled.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_a_burst_into_an_inbox_known_as_empty(pooled: Engine) -> None:
    """Statistics of an empty inbox, statements long prepared: every batch keeps its limit, 10,000 take seconds."""
    configuration, model = fill_ledger(pooled, rows=1_000, newest=BURST)
    first = 12 * 1_000
    fill_inbox(pooled, model, first=first, count=500)
    rules = join_rules(configuration)
    assert sum(report.received for report in join_batches(pooled, rules=rules, now=database_now_millis)) == 500
    forget_truths(pooled)
    for _ in range(12):
        assert [report.received for report in join_batches(pooled, rules=rules, now=database_now_millis)] == [0]
    fill_inbox(pooled, model, first=first, count=BURST)
    began = time.monotonic()
    results = [report.received for report in join_batches(pooled, rules=rules, limit=1_000, now=database_now_millis)]
    took = time.monotonic() - began
    assert results == [1_000] * 10 + [0]
    assert (count(pooled, joined), count(pooled, truth_inbox)) == (BURST, 0)
    assert BURST / took > FLOOR


def test_a_batch_begins_behind_the_one_before(pooled: Engine) -> None:
    """While an old snapshot keeps deleted rows alive, no batch scans what the batches before it deleted."""
    configuration, model = fill_ledger(pooled, rows=10, newest=BURST)
    fill_inbox(pooled, model, first=120, count=BURST)
    rules = join_rules(configuration)
    with pooled.connect().execution_options(isolation_level="REPEATABLE READ") as backup:
        backup.execute(sa.text("SELECT 1 FROM truth_inbox LIMIT 1"))
        reports = list(join_batches(pooled, rules=rules, limit=1_000, now=database_now_millis))
    places = [report.place.inbox_id for report in reports]
    assert places == sorted(places)
    assert [later - earlier for earlier, later in pairwise(places[:-1])] == [1_000] * 9
    with pooled.begin() as connection:
        assert join_truths(connection, rules=rules, now=now_millis(), place=JoinProgress()).received == 0


def writes(pooled: Engine) -> tuple[int, int]:
    """Rows of `truth` that were inserted and updated so far."""
    with pooled.begin() as connection:
        connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    query = "SELECT n_tup_ins, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'truth'"
    with pooled.connect() as connection:
        return tuple(connection.execute(sa.text(query)).one())


def test_a_joined_truth_is_written_once_and_then_five_times_in_thirty_days(pooled: Engine) -> None:
    """One new row and no update when it is joined; each of its five looks that find nothing new is one update."""
    configuration, model = fill_ledger(pooled, rows=10, newest=100)
    fill_inbox(pooled, model, first=120, count=100)
    rules, start = join_rules(configuration), now_millis()
    changed = [report.changed for report in join_batches(pooled, rules=rules, now=lambda _: start)]
    assert (changed, writes(pooled)) == ([100], (100, 0))
    for minute in sorted({1, *range(0, 31 * 1440, 60)}):
        for report in join_batches(pooled, rules=rules, now=lambda _, now=start + minute * 60_000: now):
            assert report.changed == 0
    assert writes(pooled) == (100, 500)
    with pooled.connect() as connection:
        result = set(connection.execute(sa.select(truth.c.matched, truth.c.probes, truth.c.next_probe_at)).all())
    assert result == {(1, 5, None)}
