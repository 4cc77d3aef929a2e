"""Deletes rows that are past their retention, some thousand at once, each statement by an index.

Every function deletes at most *limit* rows of the oldest and returns how many; the caller commits and calls again while
there are more. Dropping whole weeks is in `time_partitions`. Ages are taken from `now()`, the transaction's beginning:
with `clock_timestamp()`, which is another at each row, Postgres uses no index.
"""

import sqlalchemy as sa

from monitor.store.database_clock import database_now_millis
from monitor.store.schema import input_offset
from monitor.types import HOUR_MILLIS, TopicRole

ROWS_AT_ONCE = 5000

_PANES = sa.text(
    "DELETE FROM pane WHERE id = ANY(ARRAY("
    "SELECT id FROM pane WHERE start <= :before ORDER BY start LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_PERFORMANCE_PANES = sa.text(
    """
    WITH dropped AS (
        DELETE FROM performance_pane WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM performance_pane WHERE minute < :before ORDER BY minute LIMIT :limit
            FOR UPDATE SKIP LOCKED
        )) RETURNING series_id, minute
    ), judged_no_more AS (
        DELETE FROM performance_due USING (SELECT DISTINCT series_id, minute FROM dropped) AS old
        WHERE performance_due.series_id = old.series_id AND performance_due.minute = old.minute
    )
    SELECT count(*) FROM dropped
    """
)
_PERFORMANCE_SUMS = sa.text(
    "DELETE FROM performance_sum WHERE ctid = ANY(ARRAY("
    "SELECT ctid FROM performance_sum WHERE start <= :before ORDER BY start LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_UNSEEN = sa.text(
    "DELETE FROM unseen_value WHERE id = ANY(ARRAY("
    "SELECT id FROM unseen_value WHERE hour <= :before ORDER BY hour LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_MARKS = sa.text(
    "DELETE FROM pane_mark WHERE id = ANY(ARRAY("
    "SELECT id FROM pane_mark WHERE oldest < :before AND (SELECT max(start) FROM unnest(starts) AS start) < :before "
    "ORDER BY oldest LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_JOINED = sa.text(
    "DELETE FROM joined WHERE ctid = ANY(ARRAY("
    "SELECT ctid FROM joined WHERE minute < :before ORDER BY minute LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_TRUTHS = sa.text(
    """
    DELETE FROM truth WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM truth
        WHERE next_probe_at IS NULL AND first_seen_at < now() - make_interval(days => :days)
        ORDER BY first_seen_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ))
    """
)
_FLUSHES = sa.text(
    """
    DELETE FROM flush WHERE id = ANY(ARRAY(
        SELECT id FROM flush WHERE flushed_at < now() - make_interval(days => :days)
        ORDER BY flushed_at LIMIT :limit
    ))
    """
)
_DEDUP = sa.text(
    """
    DELETE FROM dedup USING (
        SELECT old.topic, old.incarnation, old.partition, old.next_offset
        FROM input_offset CROSS JOIN LATERAL (
            (SELECT * FROM dedup
             WHERE dedup.topic = input_offset.topic AND dedup.incarnation = input_offset.incarnation
               AND dedup.partition = input_offset.partition
               AND dedup.next_offset <= input_offset.next_offset - :horizon
             ORDER BY dedup.next_offset LIMIT :limit)
            UNION ALL
            (SELECT * FROM dedup  -- of the topic as it was before it was made again
             WHERE dedup.topic = input_offset.topic AND dedup.incarnation < input_offset.incarnation
               AND dedup.partition = input_offset.partition LIMIT :limit)
        ) AS old
    ) AS dropped
    WHERE dedup.topic = dropped.topic AND dedup.incarnation = dropped.incarnation
      AND dedup.partition = dropped.partition AND dedup.next_offset = dropped.next_offset
    """
)


def newest_event_time(connection: sa.Connection) -> int | None:
    """Return the largest event time of any prediction, at most the database's clock; None before the first.

    One producer's clock that is ahead must not make all that is kept look old.
    """
    query = sa.select(sa.func.max(input_offset.c.max_event_time)).where(
        input_offset.c.role == TopicRole.PREDICTIONS.value
    )
    newest: int | None = connection.execute(query).scalar()
    return None if newest is None else min(newest, database_now_millis(connection))


def drop_old_panes(connection: sa.Connection, *, before: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete pane rows that end before *before* (ms), whatever their span."""
    return connection.execute(_PANES, {"before": before - HOUR_MILLIS, "limit": limit}).rowcount


def drop_old_marks(connection: sa.Connection, *, before: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete marks of panes before *before* (ms), which no evaluation has read in all that time."""
    return connection.execute(_MARKS, {"before": before, "limit": limit}).rowcount


def drop_old_performance_panes(connection: sa.Connection, *, before: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete the truths' sums of prediction minutes before *before* (ms), and what they left to be judged."""
    return int(connection.execute(_PERFORMANCE_PANES, {"before": before, "limit": limit}).scalar_one())


def drop_old_performance_sums(connection: sa.Connection, *, before: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete the sums of truths whose minutes are all before *before* (ms), whatever their span."""
    return connection.execute(_PERFORMANCE_SUMS, {"before": before - HOUR_MILLIS, "limit": limit}).rowcount


def drop_old_unseen(connection: sa.Connection, *, before: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete the names of unseen values of the hours that ended before *before* (ms)."""
    return connection.execute(_UNSEEN, {"before": before - HOUR_MILLIS, "limit": limit}).rowcount


def drop_old_joined(connection: sa.Connection, *, before: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete what was joined of prediction minutes before *before* (ms), which must not be in the ledger any more."""
    return connection.execute(_JOINED, {"before": before, "limit": limit}).rowcount


def drop_old_truths(connection: sa.Connection, *, days: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete truths that look for nothing any more and were first seen *days* ago."""
    return connection.execute(_TRUTHS, {"days": days, "limit": limit}).rowcount


def drop_old_flushes(connection: sa.Connection, *, days: int, limit: int = ROWS_AT_ONCE) -> int:
    """Delete flush rows older than *days*."""
    return connection.execute(_FLUSHES, {"days": days, "limit": limit}).rowcount


def drop_old_dedup(connection: sa.Connection, *, horizon: int) -> int:
    """Delete hashes of records more than *horizon* offsets behind their partition's position; return how many rows."""
    return connection.execute(_DEDUP, {"horizon": horizon, "limit": ROWS_AT_ONCE}).rowcount


def drop_stray_evaluations(
    connection: sa.Connection, table: sa.Table, *, before: int, limit: int = ROWS_AT_ONCE
) -> int:
    """Delete evaluations of windows that ended before *before* (ms) and are in no week's partition."""
    default = f"{table.name}_default"
    statement = sa.text(
        f"DELETE FROM {default} WHERE ctid = ANY(ARRAY("  # noqa: S608  # one of two constants
        f"SELECT ctid FROM {default} WHERE window_end < :before ORDER BY window_end LIMIT :limit))"
    )
    return connection.execute(statement, {"before": before, "limit": limit}).rowcount
