"""Which values the unseen slots held: appended by each flush, merged by maintain, read for the text of incidents.

Nothing is decided by them. A row is never updated by a flush, so nothing is contended, as with panes; the summaries
add up exactly in their totals and within `frequent_values`' bound in their counts, in any order.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.stats.heavy_hitters import FrequentValues, merged_values
from monitor.store.schema import series, unseen_value
from monitor.types import ALL_SEGMENT
from monitor.units import HOUR_MILLIS

VALUES_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenDelta:
    """What one flush adds: at most `VALUES_NAMED` values of a column in the hour that starts at *hour* (ms)."""

    series_id: int
    column: str
    hour: int
    values: FrequentValues


def append_unseen(connection: sa.Connection, deltas: Iterable[UnseenDelta]) -> None:
    """Append *deltas*."""
    rows = [
        {
            "series_id": delta.series_id,
            "column_name": delta.column,
            "hour": delta.hour,
            "counts": [list(pair) for pair in delta.values.counts],
            "other": delta.values.other,
        }
        for delta in deltas
    ]
    if rows:
        connection.execute(sa.insert(unseen_value), rows)


def merge_unseen(connection: sa.Connection, *, limit: int) -> int:
    """Merge the rows of at most *limit* (series, column, hour) that flushes appended to; return how many of these.

    Rows that another process works on are left out and follow next time. The caller commits.
    """
    wanted = (
        sa.select(unseen_value.c.series_id, unseen_value.c.column_name, unseen_value.c.hour)
        .where(sa.not_(unseen_value.c.merged))
        .distinct()
        .order_by(unseen_value.c.series_id, unseen_value.c.column_name, unseen_value.c.hour)
        .limit(limit)
    )
    keys = connection.execute(wanted).all()
    return sum(_merge(connection, *key) for key in keys)


def unseen_values(
    connection: sa.Connection,
    *,
    model_id: int,
    version: str,
    since: int,
    until: int,
    columns: Collection[str] | None = None,
) -> dict[str, FrequentValues]:
    """Return by column what was unseen of a version in the hours that overlap ``[since, until)`` (ms).

    Args:
        columns: Only these; None: all that have any.
    """
    query = (
        sa.select(unseen_value.c.column_name, unseen_value.c.counts, unseen_value.c.other)
        .join(series, series.c.id == unseen_value.c.series_id)
        .where(
            series.c.model_id == model_id,
            series.c.version == version,
            series.c.segment_tag == ALL_SEGMENT,
            unseen_value.c.hour > since - HOUR_MILLIS,
            unseen_value.c.hour < until,
        )
        .order_by(unseen_value.c.id)
    )
    if columns is not None:
        query = query.where(unseen_value.c.column_name.in_(columns))
    parts: dict[str, list[FrequentValues]] = {}
    for row in connection.execute(query):
        parts.setdefault(row.column_name, []).append(_values(row.counts, row.other))
    return {column: merged_values(values, capacity=VALUES_NAMED) for column, values in sorted(parts.items())}


def _merge(connection: sa.Connection, series_id: int, column: str, hour: int) -> int:
    query = (
        sa.select(unseen_value.c.id, unseen_value.c.counts, unseen_value.c.other, unseen_value.c.merged)
        .where(
            unseen_value.c.series_id == series_id,
            unseen_value.c.hour == hour,
            unseen_value.c.column_name == column,
        )
        .order_by(unseen_value.c.id)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    if all(row.merged for row in rows):
        return 0
    merged = merged_values((_values(row.counts, row.other) for row in rows), capacity=VALUES_NAMED)
    ids = [row.id for row in rows]
    connection.execute(sa.delete(unseen_value).where(unseen_value.c.id == sa.func.any(ids)))
    connection.execute(
        sa.insert(unseen_value).values(
            series_id=series_id,
            column_name=column,
            hour=hour,
            counts=[list(pair) for pair in merged.counts],
            other=merged.other,
            merged=True,
        )
    )
    return 1


def _values(counts: list[tuple[str, int]], other: int) -> FrequentValues:
    return FrequentValues(counts=tuple((value, count) for value, count in counts), other=other)
