"""The newest conclusive window of a version: what its events showed, and how its labelled predictions came out."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.results import WindowResult
from monitor.store.accuracy_evaluations import OUTPUT
from monitor.store.evaluations import ACCURACY_COLUMNS, RESULT_COLUMNS, stored_result
from monitor.store.schema import cells, evaluation, performance_evaluation, performance_pane, series
from monitor.types import ALL_SEGMENT, SeriesKey, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWindow:
    """One conclusive window of a whole version that ends at *end* (ms)."""

    end: int
    result: WindowResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccuracyWindow(StoredWindow):
    """One mature window and its counts: in the ledger, with a truth, right."""

    series_id: int
    sampled: int
    labelled: int
    correct: int


def newest_conclusive_window(
    connection: sa.Connection, key: SeriesKey, *, length: int, first_end: int, last_end: int
) -> StoredWindow | None:
    """Return the newest conclusive window of *key* that ends in ``[first_end, last_end]``, as it was last judged.

    One that was conclusive, and is not any more since it was judged again, is none.

    Args:
        length: Window length in minutes.
        first_end, last_end: Event times in milliseconds.
    """
    e, again = evaluation.c, evaluation.alias("again")
    taken_back = sa.exists().where(
        again.c.series_id == e.series_id,
        again.c.length == e.length,
        again.c.window_end == e.window_end,
        again.c.revision > e.revision,
    )
    row = connection.execute(
        sa.select(e.window_end, *RESULT_COLUMNS)
        .join(series, series.c.id == e.series_id)
        .outerjoin(cells, cells.c.id == e.cells_id)
        .where(
            *_of_series(key),
            e.length == length,
            e.window_end.between(first_end, last_end),
            e.verdict != Verdict.INCONCLUSIVE.value,
            ~taken_back,
        )
        .order_by(e.window_end.desc(), e.spec_version.desc(), e.revision.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return StoredWindow(end=row.window_end, result=stored_result(row.packed, row.result, row.column_names))


def mature_window(
    connection: sa.Connection, key: SeriesKey, *, length: int, first_end: int, last_end: int, oldest: bool = False
) -> StoredAccuracyWindow | None:
    """Return the newest mature window of *key* that ends in ``[first_end, last_end]``, with the truths known by now.

    Args:
        oldest: The oldest one instead.
    """
    p = performance_evaluation.c
    row = connection.execute(
        sa.select(p.series_id, p.window_end, p.sampled, p.labelled, p.correct, *ACCURACY_COLUMNS)
        .join(series, series.c.id == p.series_id)
        .where(
            *_of_series(key),
            p.output == OUTPUT,
            p.length == length,
            p.window_end.between(first_end, last_end),
            p.mature,
            p.verdict != Verdict.INCONCLUSIVE.value,
        )
        .order_by(p.window_end if oldest else p.window_end.desc(), p.revision.desc(), p.spec_version.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return StoredAccuracyWindow(
        end=row.window_end,
        result=stored_result(row.packed, row.result),
        series_id=row.series_id,
        sampled=row.sampled,
        labelled=row.labelled,
        correct=row.correct,
    )


def truths_by_age(connection: sa.Connection, *, series_id: int, start: int, stop: int) -> dict[int, int]:
    """Return how many truths the predictions of ``[start, stop)`` (ms) have by how long after them they were known."""
    pane = performance_pane.c
    query = (
        sa.select(pane.age_bucket, sa.cast(sa.func.sum(pane.labelled), sa.BigInteger).label("labelled"))
        .where(pane.series_id == series_id, pane.output == OUTPUT, pane.minute >= start, pane.minute < stop)
        .group_by(pane.age_bucket)
        .order_by(pane.age_bucket)
    )
    return {row.age_bucket: row.labelled for row in connection.execute(query)}


def _of_series(key: SeriesKey) -> tuple[sa.ColumnElement[bool], ...]:
    s = series.c
    return (
        s.model_id == key.model_id,
        s.version == key.version,
        s.segment_tag == ALL_SEGMENT,
        s.segment_value == ALL_SEGMENT,
    )
