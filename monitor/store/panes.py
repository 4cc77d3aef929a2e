"""Pane rows: appended, read with their counts, merged into longer spans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa

from monitor.arrays import AnyIntegers
from monitor.failpoint import reach
from monitor.store.schema import pane, series
from monitor.types import SeriesKey
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.count_cache import total
from monitor.windows.pane_codec import decode_counts, encode_counts
from monitor.windows.sliding import EventSpan, PaneRow, filled_from


@dataclass(frozen=True, slots=True, kw_only=True)
class PaneDelta:
    """What one flush adds to the minute at *start* (ms) of one series; *counts* in the order of its cells' layout."""

    series_id: int
    cells_id: int
    start: int
    events: int
    sampled: int
    counts: AnyIntegers


def append_panes(connection: psycopg.Connection, deltas: Iterable[PaneDelta]) -> None:
    """COPY *deltas* as rows of one minute."""
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY pane (series_id, cells_id, start, span, events, sampled, counts) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["int4", "int4", "int8", "int2", "int8", "int8", "bytea"])
        for delta in deltas:
            copy.write_row(
                (
                    delta.series_id,
                    delta.cells_id,
                    delta.start,
                    1,
                    delta.events,
                    delta.sampled,
                    encode_counts(delta.counts),
                )
            )


def pane_rows(connection: sa.Connection, *, series_id: int, start: int, stop: int) -> tuple[PaneRow, ...]:
    """Return the rows that may overlap ``[start, stop)`` without their counts, sorted by start.

    One statement, so one snapshot: a compaction going on is seen either wholly or not at all.
    """
    query = (
        sa.select(pane.c.id, pane.c.cells_id, pane.c.start, pane.c.span, pane.c.events, pane.c.sampled)
        .where(pane.c.series_id == series_id, pane.c.start > start - HOUR_MILLIS, pane.c.start < stop)
        .order_by(pane.c.start)
    )
    return tuple(PaneRow(*row) for row in connection.execute(query))


def pane_counts(connection: sa.Connection, row_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the encoded counts of the rows that still exist; a compaction may have replaced some."""
    query = sa.text("SELECT id, counts FROM pane WHERE id = ANY(:ids)")
    return {row.id: row.counts for row in connection.execute(query, {"ids": list(row_ids)})}


def version_panes(connection: sa.Connection, key: SeriesKey, *, start: int, stop: int) -> tuple[tuple[int, bytes], ...]:
    """Return cells id and encoded counts of the rows of *key* that lie wholly in ``[start, stop)`` (ms)."""
    query = (
        sa.select(pane.c.cells_id, pane.c.start, pane.c.span, pane.c.counts)
        .join(series, series.c.id == pane.c.series_id)
        .where(
            series.c.model_id == key.model_id,
            series.c.version == key.version,
            series.c.segment_tag == key.segment_tag,
            series.c.segment_value == key.segment_value,
            pane.c.start >= start,
            pane.c.start < stop,
        )
        .order_by(pane.c.start, pane.c.id)
    )
    rows = connection.execute(query)
    return tuple((row.cells_id, row.counts) for row in rows if row.start + row.span * MINUTE_MILLIS <= stop)


@dataclass(frozen=True, slots=True)
class SearchFrom:
    """Where to look for the next events: rows of a series that reach past *after* (ms)."""

    series_id: int
    after: int


def first_stretches(connection: sa.Connection, searches: Sequence[SearchFrom]) -> dict[SearchFrom, EventSpan]:
    """Return for each search the earliest row that reaches past its moment; absent when there is none."""
    if not searches:
        return {}
    query = sa.text(
        """
        SELECT wanted.series_id, wanted.after, found.start, found.span
        FROM unnest(CAST(:series_ids AS integer[]), CAST(:afters AS bigint[])) AS wanted (series_id, after)
        CROSS JOIN LATERAL (
            SELECT pane.start, pane.span FROM pane
            WHERE pane.series_id = wanted.series_id
              AND pane.start > wanted.after - :longest
              AND pane.start + pane.span * :minute > wanted.after
            ORDER BY pane.start LIMIT 1
        ) AS found
        """
    )
    parameters = {
        "series_ids": [search.series_id for search in searches],
        "afters": [search.after for search in searches],
        "longest": HOUR_MILLIS,
        "minute": MINUTE_MILLIS,
    }
    return {
        SearchFrom(row.series_id, row.after): EventSpan(row.start, row.start + row.span * MINUTE_MILLIS)
        for row in connection.execute(query, parameters)
    }


def series_began(connection: sa.Connection, series_ids: Sequence[int]) -> dict[int, int]:
    """Return for each series with rows the moment (ms) from which it is complete."""
    stretches = first_stretches(connection, [SearchFrom(series, -1) for series in series_ids])
    return {search.series_id: filled_from(stretch.start) for search, stretch in stretches.items()}


@dataclass(frozen=True, slots=True)
class SeriesRange:
    """Event time ``[since, before)`` (ms) of one series whose rows may be compacted."""

    series_id: int
    since: int
    before: int


@dataclass(frozen=True, slots=True)
class PaneBucket:
    """Rows of one series and cells that start in one aligned span; *rows* is how many there are."""

    series_id: int
    cells_id: int
    start: int
    rows: int


def buckets_to_merge(
    connection: sa.Connection, ranges: Sequence[SeriesRange], *, span: int, limit: int
) -> tuple[PaneBucket, ...]:
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
        "series_ids": [series_range.series_id for series_range in ranges],
        "sinces": [series_range.since // size * size for series_range in ranges],
        "befores": [series_range.before // size * size for series_range in ranges],
        "size": size,
        "span": span,
        "limit": limit,
    }
    return tuple(PaneBucket(*row) for row in connection.execute(query, parameters))


def merge_bucket(connection: sa.Connection, bucket: PaneBucket, *, span: int, size: int) -> int:
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
