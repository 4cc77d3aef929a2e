"""Deletes what is past its retention: rows, empty series, resolved incidents with all of theirs."""

import sqlalchemy as sa

from monitor.store.schema import evaluated_until, metadata, series
from monitor.types import DeliveryState, IncidentStatus
from monitor.units import HOUR_MILLIS

ROWS_AT_ONCE = 5000

_OLD_DAYS = "< now() - make_interval(days => :days)"


def _oldest(table: str, *, old: str, by: str, key: str = "ctid") -> sa.TextClause:
    """Return what deletes up to `:limit` *old* rows of *table*, the oldest *by* a column, without those held locked."""
    return sa.text(
        f"DELETE FROM {table} WHERE {key} = ANY(ARRAY("  # noqa: S608  # constants
        f"SELECT {key} FROM {table} WHERE {old} ORDER BY {by} LIMIT :limit FOR UPDATE SKIP LOCKED))"
    )


# By event time: `:before` in ms. Rows that begin less than an hour before it may reach over it, whatever their span.
PANES = _oldest("pane", old=f"start <= :before - {HOUR_MILLIS}", by="start", key="id")
PERFORMANCE_SUMS = _oldest("performance_sum", old=f"start <= :before - {HOUR_MILLIS}", by="start")
UNSEEN_VALUES = _oldest("unseen_value", old=f"hour <= :before - {HOUR_MILLIS}", by="hour", key="id")
MARKS = _oldest(  # of panes, which no evaluation has read in all that time
    "pane_mark",
    old="oldest < :before AND (SELECT max(start) FROM unnest(starts) AS start) < :before",
    by="oldest",
    key="id",
)
PERFORMANCE_PANES = sa.text(  # and what they left to be judged
    """
    WITH old AS MATERIALIZED (
        SELECT ctid, series_id, minute FROM performance_pane WHERE minute < :before
        ORDER BY minute LIMIT :limit FOR UPDATE SKIP LOCKED
    ), judged_no_more AS (
        DELETE FROM performance_due USING (SELECT DISTINCT series_id, minute FROM old) AS old
        WHERE performance_due.series_id = old.series_id AND performance_due.minute = old.minute
    )
    DELETE FROM performance_pane WHERE ctid = ANY(ARRAY(SELECT ctid FROM old))
    """
)
JOINED = _oldest("joined", old="minute < :before", by="minute")  # no longer in the ledger, or a correction counts twice
STRAY_EVALUATIONS = tuple(  # in no week's partition
    _oldest(f"{table}_default", old="window_end < :before", by="window_end")
    for table in ("evaluation", "performance_evaluation")
)

# By the database's clock: `:days`.
TRUTHS = _oldest("truth", old=f"next_probe_at IS NULL AND first_seen_at {_OLD_DAYS}", by="first_seen_at")
FLUSHES = _oldest("flush", old=f"flushed_at {_OLD_DAYS}", by="flushed_at", key="id")
DELIVERIES = _oldest(  # of no incident, such as tests
    "outbox", old=f"closed_at {_OLD_DAYS} AND incident_id IS NULL AND action_id IS NULL", by="closed_at", key="id"
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
    WHERE status = '{IncidentStatus.RESOLVED}' AND changed_at {_OLD_DAYS}
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
_DEPLOYMENTS = sa.text(
    """
    DELETE FROM deployment AS old USING deployment AS newer
    WHERE newer.event_time >= :since AND newer.event_time < :before AND newer.assumed_since IS NULL
      AND old.model_id = newer.model_id AND old.version = newer.version AND old.stage = newer.stage
      AND (old.event_time, old.id) < (newer.event_time, newer.id)
    """
)


def drop_old(connection: sa.Connection, statement: sa.TextClause, *, limit: int = ROWS_AT_ONCE, **bound: int) -> int:
    """Delete up to *limit* rows by one of the statements above, whose bound is `before` or `days`; return how many."""
    return connection.execute(statement, {"limit": limit, **bound}).rowcount


def drop_old_dedup(connection: sa.Connection, *, horizon: int) -> int:
    """Delete hashes of records more than *horizon* offsets behind their partition's position; return how many rows."""
    return connection.execute(_DEDUP, {"horizon": horizon, "limit": ROWS_AT_ONCE}).rowcount


def remove_empty_series(connection: sa.Connection, *, after: int, days: int) -> tuple[int, int]:
    """Look at the next `SERIES_AT_ONCE` series after *after* (an id); remove those that had nothing for *days*.

    Returns:
        How many were removed, and the id to go on after; 0: begin again.
    """
    # Of a series that has nothing Postgres thinks it has as much as others, and would read a table for one row of it.
    connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
    rows = connection.execute(_LOOK, {"after": after, "days": days, "limit": SERIES_AT_ONCE}).all()
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
    return removed, rows[-1].id if len(rows) == SERIES_AT_ONCE else 0


def drop_old_incidents(connection: sa.Connection, *, days: int, limit: int = INCIDENTS_AT_ONCE) -> int:
    """Delete incidents that were resolved *days* ago, with their steps, actions and deliveries; return how many."""
    ids = connection.execute(_RESOLVED, {"days": days, "limit": limit}).scalars().all()
    if ids:
        for statement in _OF_INCIDENTS:
            connection.execute(sa.text(statement), {"ids": [str(incident_id) for incident_id in ids]})
    return len(ids)


def drop_old_deployments(connection: sa.Connection, *, since: int, before: int) -> int:
    """Delete deployment events that a later one in ``[since, before)`` (event time, ms) replaced; return how many.

    Where a version stood in each stage at *before* stays known, and all that happened since.
    """
    return connection.execute(_DEPLOYMENTS, {"since": since, "before": before}).rowcount
