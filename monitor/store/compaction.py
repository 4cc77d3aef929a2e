"""Replaces pane rows by their sum: one row per series, cells and aligned span."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.failpoint import reach
from monitor.store.schema import pane
from monitor.types import MINUTE_MILLIS
from monitor.windows.count_cache import total
from monitor.windows.pane_codec import decode_counts, encode_counts


@dataclass(frozen=True, slots=True)
class SeriesRange:
    """Event time ``[since, before)`` (ms) of one series whose rows may be compacted."""

    series_id: int
    since: int
    before: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """Rows of one series and cells that start in one aligned span; *rows* is how many there are."""

    series_id: int
    cells_id: int
    start: int
    rows: int


def buckets_to_merge(
    connection: sa.Connection, ranges: Sequence[SeriesRange], *, span: int, limit: int
) -> tuple[Bucket, ...]:
    """Return aligned spans of *span* minutes that lie wholly in their range and have several rows, oldest first."""
    query = sa.text(
        """
        SELECT wanted.series_id, pane.cells_id, pane.start - pane.start % :size AS bucket, count(*)
        FROM unnest(CAST(:series_ids AS integer[]), CAST(:sinces AS bigint[]), CAST(:befores AS bigint[]))
            AS wanted (series_id, since, before)
        JOIN pane ON pane.series_id = wanted.series_id AND pane.start >= wanted.since AND pane.start < wanted.before
        WHERE pane.span <= :span
        GROUP BY wanted.series_id, pane.cells_id, bucket HAVING count(*) > 1
        ORDER BY bucket, wanted.series_id LIMIT :limit
        """
    )
    size = span * MINUTE_MILLIS
    parameters = {
        "series_ids": [each.series_id for each in ranges],
        "sinces": [each.since // size * size for each in ranges],
        "befores": [each.before // size * size for each in ranges],
        "size": size,
        "span": span,
        "limit": limit,
    }
    return tuple(Bucket(*row) for row in connection.execute(query, parameters))


def merge_bucket(connection: sa.Connection, bucket: Bucket, *, span: int, size: int) -> int:
    """Replace the rows of *bucket* (vectors of *size* counts) by their sum; return how many were replaced.

    Rows another process works on are left out: the sum of the others is right by itself, and they follow next time.
    A row that a later, longer span already covers is not in the bucket. The caller commits.
    """
    stop = bucket.start + span * MINUTE_MILLIS
    query = (
        sa.select(pane.c.id, pane.c.events, pane.c.sampled, pane.c.counts)
        .where(
            pane.c.series_id == bucket.series_id,
            pane.c.cells_id == bucket.cells_id,
            pane.c.start >= bucket.start,
            pane.c.start < stop,
            pane.c.span <= span,
        )
        .order_by(pane.c.id)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).all()
    if len(rows) < 2:
        return 0
    merged = total((decode_counts(row.counts, size=size) for row in rows), size=size)
    connection.execute(sa.delete(pane).where(pane.c.id == sa.func.any([row.id for row in rows])))
    reach("compaction.rows_deleted")
    connection.execute(
        sa.insert(pane).values(
            series_id=bucket.series_id,
            cells_id=bucket.cells_id,
            start=bucket.start,
            span=span,
            events=sum(row.events for row in rows),
            sampled=sum(row.sampled for row in rows),
            counts=encode_counts(merged),
        )
    )
    return len(rows)
