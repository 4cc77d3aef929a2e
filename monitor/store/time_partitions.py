"""Weekly partitions of big tables: made ahead, packed when finished, dropped as a whole after retention.

A week is made as a table of its own and then attached, which nobody who reads or writes waits for; `PARTITION OF` in
one statement would lock the whole table. Rows whose week nobody has made go to the default partition, where there is
one (not in the ledger, whose writers make what they need).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from monitor.store.statements import unlimited
from monitor.units import DAY_MILLIS, WEEK_MILLIS

_MONDAY = 4 * DAY_MILLIS  # the first Monday after the epoch: 1970-01-05
_LOCK = 7_316_425_902  # advisory lock: two processes that need the same new week make it once
_BOUNDS = re.compile(r"FROM \((MINVALUE|'?-?\d+'?)\) TO \('?(-?\d+)'?\)")
_PACKED = "a finished week, its indexes written afresh"
_BRIEFLY = sa.text("SET LOCAL lock_timeout = '2s'")  # who waits for a lock on a table stops everyone behind him

_INVALID_INDEXES = sa.text(
    """
    SELECT index.relname FROM pg_index JOIN pg_class AS index ON index.oid = pg_index.indexrelid
    WHERE pg_index.indrelid = CAST(:table AS regclass) AND NOT pg_index.indisvalid
    """
)


@dataclass(frozen=True, slots=True)
class TimePartition:
    """One partition and its event times ``[start, stop)`` in ms; *start* None: everything before *stop*."""

    table: str
    start: int | None
    stop: int


def week_start(event_time: int) -> int:
    """Return the Monday 00:00 UTC (ms) of the week that holds *event_time* (ms)."""
    return (event_time - _MONDAY) // WEEK_MILLIS * WEEK_MILLIS + _MONDAY


def week_name(table: str, start: int) -> str:
    """Return the name of a week's partition: ``prediction_ledger_2026w23``, by the ISO calendar."""
    calendar = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=start)).isocalendar()
    return f"{table}_{calendar.year:04d}w{calendar.week:02d}"


def time_partitions(connection: sa.Connection, table: str) -> tuple[TimePartition, ...]:
    """Return the partitions of *table* with bounds, oldest first; the default partition is none."""
    query = sa.text(
        """
        SELECT child.relname, pg_get_expr(child.relpartbound, child.oid)
        FROM pg_inherits JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = CAST(:parent AS regclass)
        """
    )
    partitions = []
    for name, bounds in connection.execute(query, {"parent": table}):
        if match := _BOUNDS.search(bounds):
            start = None if match[1] == "MINVALUE" else int(match[1].strip("'"))
            partitions.append(TimePartition(name, start, int(match[2])))
    return tuple(sorted(partitions, key=lambda partition: partition.stop))


def add_weeks(connection: sa.Connection, table: sa.Table, starts: set[int]) -> tuple[str, ...]:
    """Make the missing partitions of the weeks at *starts* and return their names; the caller commits.

    A week that is covered already, or of which rows are in the default partition, stays as it is.

    Raises:
        sqlalchemy.exc.OperationalError: A lock was not free within two seconds; try again later.
    """
    missing = _not_covered(connection, table.name, starts)
    if not missing:
        return ()
    connection.execute(_BRIEFLY)
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    made = []
    for start in _not_covered(connection, table.name, missing):
        name, stop = week_name(table.name, start), start + WEEK_MILLIS
        if _default_has_rows(connection, table, start, stop):
            continue
        connection.execute(sa.text(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL)"))
        connection.execute(
            sa.text(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES FROM ({int(start)}) TO ({int(stop)})")
        )
        made.append(name)
    return tuple(made)


def drop_time_partition(connection: sa.Connection, partition: TimePartition) -> None:
    """Drop one partition with its rows; the caller commits.

    Raises:
        sqlalchemy.exc.OperationalError: The table's lock was not free within two seconds; try again later.
    """
    connection.execute(_BRIEFLY)
    quoted = connection.dialect.identifier_preparer.quote(partition.table)
    connection.execute(sa.text(f"DROP TABLE IF EXISTS {quoted}"))


def _not_covered(connection: sa.Connection, table: str, starts: set[int]) -> set[int]:
    """Return those of *starts* whose week no partition reaches into."""
    if all(connection.execute(_EXISTS, {"name": week_name(table, start)}).scalar() for start in starts):
        return set()
    bounds = time_partitions(connection, table)
    return {
        start
        for start in starts
        if not any(
            (known.start is None or known.start < start + WEEK_MILLIS) and start < known.stop for known in bounds
        )
    }


_EXISTS = sa.text("SELECT to_regclass(:name) IS NOT NULL")


def _default_has_rows(connection: sa.Connection, table: sa.Table, start: int, stop: int) -> bool:
    default = f"{table.name}_default"
    if not connection.execute(_EXISTS, {"name": default}).scalar():
        return False
    query = sa.text(
        f"SELECT EXISTS (SELECT FROM {default} WHERE window_end >= :start AND window_end < :stop)"  # noqa: S608
    )
    return bool(connection.execute(query, {"start": start, "stop": stop}).scalar())


def unpacked_weeks(connection: sa.Connection, table: str, *, before: int) -> tuple[TimePartition, ...]:
    """Return the partitions that end before *before* (ms) whose indexes were not written afresh since, oldest first."""
    query = sa.text("SELECT coalesce(obj_description(to_regclass(:name), 'pg_class'), '')")
    return tuple(
        partition
        for partition in time_partitions(connection, table)
        if partition.stop <= before and connection.execute(query, {"name": partition.table}).scalar() != _PACKED
    )


def pack_week(connection: sa.Connection, partition: TimePartition) -> None:
    """Write the indexes of a finished week afresh while others read it: half of each page was left for what follows.

    *connection* is in AUTOCOMMIT mode; the comment on the table remembers that it was done. What an attempt that was
    ended left behind goes first.

    Raises:
        sqlalchemy.exc.OperationalError: A lock was not free, or it took longer than a statement may.
    """
    preparer = connection.dialect.identifier_preparer
    quoted = preparer.quote(partition.table)
    with unlimited(connection):
        # An attempt that was cut short leaves indexes that cost space and are never read.
        for index in connection.execute(_INVALID_INDEXES, {"table": partition.table}).scalars().all():
            connection.execute(sa.text(f"DROP INDEX CONCURRENTLY {preparer.quote(index)}"))
        connection.execute(sa.text(f"REINDEX TABLE CONCURRENTLY {quoted}"))
    connection.execute(sa.text(f"COMMENT ON TABLE {quoted} IS '{_PACKED}'"))
