"""Drops what is past its retention: ledger weeks, old panes and truths, dedup hashes, flush rows."""

import re
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.database_clock import database_now_millis
from monitor.store.schema import input_offset, performance_due, performance_pane, prediction_ledger, series
from monitor.types import TopicRole

_BOUNDS = re.compile(r"FROM \('?(-?\d+)'?\) TO \('?(-?\d+)'?\)")
_ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class LedgerWeek:
    """One partition of the ledger and its event times ``[start, stop)`` in ms."""

    table: str
    start: int
    stop: int


def newest_event_time(connection: sa.Connection) -> int | None:
    """Return the largest event time of any prediction, at most the database's clock; None before the first.

    One producer's clock that is ahead must not make all that is kept look old.
    """
    query = sa.select(sa.func.max(input_offset.c.max_event_time)).where(
        input_offset.c.role == TopicRole.PREDICTIONS.value
    )
    newest: int | None = connection.execute(query).scalar()
    return None if newest is None else min(newest, database_now_millis(connection))


def ledger_weeks(connection: sa.Connection) -> tuple[LedgerWeek, ...]:
    """Return the ledger's partitions with bounds, oldest first; a default partition is none."""
    query = sa.text(
        """
        SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
        FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = CAST(:parent AS regclass)
        """
    )
    found = []
    for table, bounds in connection.execute(query, {"parent": prediction_ledger.name}):
        if match := _BOUNDS.search(bounds):
            found.append(LedgerWeek(table, int(match[1]), int(match[2])))
    return tuple(sorted(found, key=lambda each: each.start))


def drop_ledger_week(connection: sa.Connection, week: LedgerWeek) -> None:
    """Drop one partition and what was joined from it, which can be corrected no more.

    Raises:
        sqlalchemy.exc.OperationalError: The ledger's lock was not free within two seconds; try again later.
    """
    connection.execute(sa.text("SET LOCAL lock_timeout = '2s'"))  # a waiting DROP would stop every flush behind it
    quoted = connection.dialect.identifier_preparer.quote(week.table)
    connection.execute(sa.text(f"DROP TABLE IF EXISTS {quoted}"))
    connection.execute(sa.text("DELETE FROM joined WHERE minute < :stop"), {"stop": week.stop})


def drop_old_panes(connection: sa.Connection, *, before: int) -> int:
    """Delete pane rows of events before *before* (ms), some thousand at most; return how many."""
    deleted = 0
    for series_id in connection.execute(sa.select(series.c.id)).scalars().all():
        statement = sa.text(
            """
            DELETE FROM pane WHERE id IN (
                SELECT id FROM pane WHERE series_id = :series_id AND start < :before AND start + span * 60000 <= :before
                LIMIT :limit
            )
            """
        )
        parameters = {"series_id": series_id, "before": before, "limit": _ROWS_AT_ONCE}
        deleted += connection.execute(statement, parameters).rowcount
        for table in (performance_pane, performance_due):
            connection.execute(sa.delete(table).where(table.c.series_id == series_id, table.c.minute < before))
    return deleted


def drop_old_truths(connection: sa.Connection, *, days: int) -> int:
    """Delete truths that look for nothing any more and were first seen *days* ago; return how many."""
    statement = sa.text(
        "DELETE FROM truth WHERE next_probe_at IS NULL "
        "AND first_seen_at < clock_timestamp() - make_interval(days => :days)"
    )
    return connection.execute(statement, {"days": days}).rowcount


def drop_old_dedup(connection: sa.Connection, *, horizon: int) -> int:
    """Delete hashes of records more than *horizon* offsets behind their partition's position; return how many rows."""
    statement = sa.text(
        """
        DELETE FROM dedup USING input_offset
        WHERE input_offset.topic = dedup.topic AND input_offset.partition = dedup.partition
          AND dedup.next_offset <= input_offset.next_offset - :horizon
        """
    )
    return connection.execute(statement, {"horizon": horizon}).rowcount


def drop_old_flushes(connection: sa.Connection, *, days: int) -> int:
    """Delete flush rows older than *days*; return how many."""
    statement = sa.text("DELETE FROM flush WHERE flushed_at < clock_timestamp() - make_interval(days => :days)")
    return connection.execute(statement, {"days": days}).rowcount
