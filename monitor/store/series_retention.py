"""Removes series of which nothing is left: versions and segments that came once, and ended with their retention.

A few series are looked at in each round, one after the other. What has nothing left is marked first and removed only
after the ledger, whose rows name series, can have none of it either. A worker that remembers such a series is refused
by the foreign key when it comes back, forgets it and makes a new one.
"""

import sqlalchemy as sa

from monitor.store.schema import evaluated_until, metadata, series

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
        # Locked first: whoever wrote to one of them before is seen by the next statement, whoever comes later waits.
        ids = connection.execute(_LOCK, {"ids": over}).scalars().all()
        for table in _FORGOTTEN:
            connection.execute(sa.delete(table).where(table.c.series_id == sa.func.any(list(ids))))
        removed = connection.execute(_REMOVE, {"ids": ids}).rowcount
    return removed, rows[-1].id if len(rows) == limit else 0
