"""Pane rows as the evaluation reads them: what is where, the counts of given rows, sums of events."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.schema import pane
from monitor.types import MINUTE_MILLIS
from monitor.windows.sliding import PaneRow, Stretch, filled_from

LONGEST_SPAN_MILLIS = 60 * MINUTE_MILLIS


def pane_rows(connection: sa.Connection, *, series_id: int, start: int, stop: int) -> tuple[PaneRow, ...]:
    """Return the rows that may overlap ``[start, stop)`` without their counts, sorted by start.

    One statement, so one snapshot: a compaction going on is seen either wholly or not at all.
    """
    query = (
        sa.select(pane.c.id, pane.c.cells_id, pane.c.start, pane.c.span, pane.c.events, pane.c.sampled)
        .where(pane.c.series_id == series_id, pane.c.start > start - LONGEST_SPAN_MILLIS, pane.c.start < stop)
        .order_by(pane.c.start)
    )
    return tuple(PaneRow(*row) for row in connection.execute(query))


def pane_counts(connection: sa.Connection, row_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the encoded counts of the rows that still exist; a compaction may have replaced some."""
    query = sa.text("SELECT id, counts FROM pane WHERE id = ANY(:ids)")
    return {row.id: row.counts for row in connection.execute(query, {"ids": list(row_ids)})}


@dataclass(frozen=True, slots=True)
class SearchFrom:
    """Where to look for the next events: rows of a series that reach past *after* (ms)."""

    series_id: int
    after: int


def first_stretches(connection: sa.Connection, searches: Sequence[SearchFrom]) -> dict[SearchFrom, Stretch]:
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
        "series_ids": [each.series_id for each in searches],
        "afters": [each.after for each in searches],
        "longest": LONGEST_SPAN_MILLIS,
        "minute": MINUTE_MILLIS,
    }
    return {
        SearchFrom(row.series_id, row.after): Stretch(row.start, row.start + row.span * MINUTE_MILLIS)
        for row in connection.execute(query, parameters)
    }


def series_began(connection: sa.Connection, series_ids: Sequence[int]) -> dict[int, int]:
    """Return for each series with rows the moment (ms) from which it is complete."""
    found = first_stretches(connection, [SearchFrom(each, -1) for each in series_ids])
    return {search.series_id: filled_from(stretch.start) for search, stretch in found.items()}


@dataclass(frozen=True, slots=True)
class StepEvents:
    """Events of one series in one step of a scale."""

    start: int
    events: int


def events_by_step(
    connection: sa.Connection, *, series_id: int, start: int, stop: int, step: int
) -> tuple[StepEvents, ...]:
    """Return the events of each *step* (ms) in ``[start, stop)`` that has rows, ascending."""
    at = (pane.c.start - pane.c.start % step).label("at")
    query = (
        sa.select(at, sa.cast(sa.func.sum(pane.c.events), sa.BigInteger))
        .where(pane.c.series_id == series_id, pane.c.start >= start, pane.c.start < stop)
        .group_by(at)
        .order_by(at)
    )
    return tuple(StepEvents(*row) for row in connection.execute(query))
