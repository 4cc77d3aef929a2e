"""Deletes what is past its retention: rows, series of which nothing is left, resolved incidents with all of theirs."""

import sqlalchemy as sa

from monitor.store.schema import evaluated_until, metadata, series
from monitor.types import DeliveryState, IncidentStatus
from monitor.units import HOUR_MILLIS

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

SERIES_AT_ONCE = 100
_FORGOTTEN = (evaluated_until,)  # say how far a series' evaluation is, which keeps none alive
_HOLDERS = tuple(
    table.name
    for table in metadata.sorted_tables
    if table not in _FORGOTTEN and any(key.column.table is series for key in table.foreign_keys)
)
# With LIMIT each is a look into an index; an EXISTS without is answered for all series at once, by reading the tables.
_NOTHING_LEFT = " AND ".join(
    f"(SELECT 1 FROM {name} WHERE {name}.series_id = series.id LIMIT 1) IS NULL"  # noqa: S608  # constants
    for name in _HOLDERS
)
_LOOK = sa.text(
    f"""
    SELECT id, empty_since IS NOT NULL AS marked, {_NOTHING_LEFT} AS empty,
           coalesce(empty_since < now() - make_interval(days => :days), false) AS over
    FROM series WHERE id > :after AND created_at < now() - make_interval(days => :days)
    ORDER BY id LIMIT :limit
    """  # noqa: S608  # constants
)
_MARK = sa.text(
    "UPDATE series SET empty_since = CASE WHEN id = ANY(:empty) THEN clock_timestamp() END WHERE id = ANY(:changed)"
)
_LOCK = sa.text("SELECT id FROM series WHERE id = ANY(:ids) ORDER BY id FOR UPDATE SKIP LOCKED")
_REMOVE = sa.text(f"DELETE FROM series WHERE id = ANY(:ids) AND {_NOTHING_LEFT}")  # noqa: S608  # constants

INCIDENTS_AT_ONCE = 200

# One with a delivery that is still to be made stays until it is made. Open ones stay however old they are.
_RESOLVED = sa.text(
    f"""
    SELECT id FROM incident
    WHERE status = '{IncidentStatus.RESOLVED}' AND changed_at < now() - make_interval(days => :days)
      AND NOT EXISTS (
        SELECT FROM outbox WHERE outbox.incident_id = incident.id AND outbox.state = '{DeliveryState.PENDING}'
      )
      AND NOT EXISTS (
        SELECT FROM action JOIN outbox ON outbox.action_id = action.id
        WHERE action.incident_id = incident.id AND outbox.state = '{DeliveryState.PENDING}'
      )
    ORDER BY changed_at LIMIT :limit FOR UPDATE SKIP LOCKED
    """  # noqa: S608  # constants
)
_OF_INCIDENTS = (
    "DELETE FROM outbox WHERE incident_id = ANY(CAST(:ids AS uuid[]))",
    "DELETE FROM outbox WHERE action_id IN (SELECT id FROM action WHERE incident_id = ANY(CAST(:ids AS uuid[])))",
    "DELETE FROM action WHERE incident_id = ANY(CAST(:ids AS uuid[]))",
    "DELETE FROM transition WHERE incident_id = ANY(CAST(:ids AS uuid[]))",
    "DELETE FROM incident WHERE id = ANY(CAST(:ids AS uuid[]))",
)
_DELIVERIES = sa.text(
    """
    DELETE FROM outbox WHERE id = ANY(ARRAY(
        SELECT id FROM outbox
        WHERE closed_at < now() - make_interval(days => :days)
          AND incident_id IS NULL AND action_id IS NULL
        ORDER BY closed_at LIMIT :limit
    ))
    """
)
_DEPLOYMENTS = sa.text(
    """
    DELETE FROM deployment AS old USING deployment AS newer
    WHERE newer.event_time >= :since AND newer.event_time < :before
      AND old.model_id = newer.model_id AND old.version = newer.version AND old.stage = newer.stage
      AND (old.event_time, old.id) < (newer.event_time, newer.id)
    """
)


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


def remove_empty_series(
    connection: sa.Connection, *, after: int, days: int, limit: int = SERIES_AT_ONCE
) -> tuple[int, int]:
    """Look at the *limit* series that follow *after* (an id); remove those that had nothing for *days*.

    Returns:
        How many were removed, and the id to go on after; 0: begin again.
    """
    # Of a series that has nothing Postgres thinks it has as much as others, and would read a table for one row of it.
    connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
    rows = connection.execute(_LOOK, {"after": after, "days": days, "limit": limit}).all()
    changed = [row.id for row in rows if row.marked != row.empty]
    if changed:
        connection.execute(_MARK, {"empty": [row.id for row in rows if row.empty], "changed": changed})
    removed = 0
    if over := [row.id for row in rows if row.over and row.empty]:
        # Locked first: what was written to one of them before is seen by the next statement, later writers wait.
        ids = connection.execute(_LOCK, {"ids": over}).scalars().all()
        for table in _FORGOTTEN:
            connection.execute(sa.delete(table).where(table.c.series_id == sa.func.any(list(ids))))
        removed = connection.execute(_REMOVE, {"ids": ids}).rowcount
    return removed, rows[-1].id if len(rows) == limit else 0


def drop_old_incidents(connection: sa.Connection, *, days: int, limit: int = INCIDENTS_AT_ONCE) -> int:
    """Delete incidents that were resolved *days* ago, with their steps, actions and deliveries; return how many."""
    ids = connection.execute(_RESOLVED, {"days": days, "limit": limit}).scalars().all()
    if ids:
        for statement in _OF_INCIDENTS:
            connection.execute(sa.text(statement), {"ids": [str(incident_id) for incident_id in ids]})
    return len(ids)


def drop_old_deliveries(connection: sa.Connection, *, days: int, limit: int = 5000) -> int:
    """Delete deliveries that were closed *days* ago and are of no incident, such as tests; return how many."""
    return connection.execute(_DELIVERIES, {"days": days, "limit": limit}).rowcount


def drop_old_deployments(connection: sa.Connection, *, since: int, before: int) -> int:
    """Delete deployment events that a later one in ``[since, before)`` (event time, ms) replaced; return how many.

    Where a version stood in each stage at *before* stays known, and all that happened since.
    """
    return connection.execute(_DEPLOYMENTS, {"since": since, "before": before}).rowcount
