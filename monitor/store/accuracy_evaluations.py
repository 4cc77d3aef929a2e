"""Judged accuracy of windows, sums of performance panes, and the minutes that changed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from monitor.number_codec import ten_digits
from monitor.performance.error_detector import StepTruths
from monitor.performance.expected_accuracy import PerformanceCounts
from monitor.performance.verdict import JudgedAccuracy
from monitor.result_codec import encode_result, pack_result
from monitor.store.evaluations import ACCURACY_COLUMNS, stored_result
from monitor.store.schema import performance_due, performance_evaluation, performance_pane, performance_sum, series
from monitor.types import ALL_SEGMENT
from monitor.units import MINUTE_MILLIS

SUMMED_SPANS = (60, 10)  # minutes of `performance_sum`, the longest first
OUTPUT = ""  # models with several heads come later; the column is in every key already


@dataclass(frozen=True, slots=True, order=True)
class DueMinute:
    """A prediction minute (ms) of one series whose performance panes changed."""

    series_id: int
    minute: int


def lock_due_minutes(connection: sa.Connection, *, model_id: int, limit: int) -> tuple[DueMinute, ...]:
    """Lock and return minutes of a model that changed, oldest first, without those being changed right now."""
    query = (
        sa.select(performance_due.c.series_id, performance_due.c.minute)
        .where(performance_due.c.model_id == model_id)
        .order_by(performance_due.c.minute, performance_due.c.series_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return tuple(DueMinute(*row) for row in connection.execute(query))


def close_due_minutes(connection: sa.Connection, minutes: Sequence[DueMinute]) -> None:
    """Delete locked minutes whose windows are judged; a later change marks them again."""
    statement = sa.text(
        "DELETE FROM performance_due USING unnest(CAST(:series_ids AS integer[]), CAST(:minutes AS bigint[])) "
        "AS done (series_id, minute) "
        "WHERE performance_due.series_id = done.series_id AND performance_due.minute = done.minute"
    )
    if minutes:
        parameters = {
            "series_ids": [minute.series_id for minute in minutes],
            "minutes": [minute.minute for minute in minutes],
        }
        connection.execute(statement, parameters)


def truths_by_step(
    connection: sa.Connection, *, series_id: int, start: int, stop: int, step: int, by_age: bool = False
) -> tuple[StepTruths, ...]:
    """Return the sums of each *step* (ms) in ``[start, stop)``, whole steps, that has any, ascending.

    Longer steps are read from the longest sums that they are made of: a week of minutes are 121,000 panes.

    Args:
        by_age: With `StepTruths.ages`, which only the panes know.
    """
    span = None if by_age else next((span for span in SUMMED_SPANS if step % (span * MINUTE_MILLIS) == 0), None)
    source: sa.Table = performance_pane if span is None else performance_sum
    moment = source.c.minute if span is None else source.c.start
    of_span = () if span is None else (source.c.span == span,)
    at = (moment - moment % step).label("at")
    keys = [at, performance_pane.c.age_bucket] if by_age else [at]
    query = (
        sa.select(
            sa.cast(sa.func.sum(source.c.labelled), sa.BigInteger).label("labelled"),
            sa.cast(sa.func.sum(source.c.correct), sa.BigInteger).label("correct"),
            *keys,
        )
        .where(
            source.c.series_id == series_id,
            source.c.output == OUTPUT,
            *of_span,
            moment >= start,
            moment < stop,
        )
        .group_by(*keys)
        .order_by(*keys)
    )
    steps = groupby(connection.execute(query), key=attrgetter("at"))
    return tuple(_step_truths(at, list(rows), by_age=by_age) for at, rows in steps)


def _step_truths(at: int, rows: Sequence[sa.Row[Any]], *, by_age: bool) -> StepTruths:
    return StepTruths(
        start=at,
        labelled=sum(row.labelled for row in rows),
        correct=sum(row.correct for row in rows),
        ages=tuple((row.age_bucket, row.labelled) for row in rows) if by_age else (),
    )


@dataclass(frozen=True, slots=True)
class LastAccuracyEvaluation:
    """The newest revision of one window's performance, its result as canonical text, its age in seconds."""

    window_end: int
    revision: int
    counts: PerformanceCounts
    result: str
    age_seconds: float


def last_performances(
    connection: sa.Connection, *, series_id: int, length: int, ends: Collection[int]
) -> dict[int, LastAccuracyEvaluation]:
    """Return the newest revision of each judged window that ends at one of *ends*, by its end."""
    table = performance_evaluation
    age = sa.extract("epoch", sa.func.clock_timestamp() - table.c.evaluated_at)
    query = (
        sa.select(
            table.c.window_end,
            table.c.revision,
            table.c.sampled,
            table.c.labelled,
            table.c.correct,
            *ACCURACY_COLUMNS,
            age.label("age_seconds"),
        )
        .ext(distinct_on(table.c.window_end))
        .where(
            table.c.series_id == series_id,
            table.c.output == OUTPUT,
            table.c.length == length,
            table.c.window_end == sa.any_(sa.cast(sorted(ends), sa.ARRAY(sa.BigInteger))),
        )
        .order_by(table.c.window_end, table.c.revision.desc(), table.c.spec_version.desc())
    )
    return {
        row.window_end: LastAccuracyEvaluation(
            row.window_end,
            row.revision,
            PerformanceCounts(sampled=row.sampled, labelled=row.labelled, correct=row.correct),
            encode_result(stored_result(row.packed, row.result)).decode(),
            float(row.age_seconds),
        )
        for row in connection.execute(query)
    }


def newest_mature_end(connection: sa.Connection, *, series_id: int, length: int) -> int | None:
    """Return the end of the newest window of a scale that was ever mature."""
    table = performance_evaluation
    query = sa.select(sa.func.max(table.c.window_end)).where(
        table.c.series_id == series_id, table.c.output == OUTPUT, table.c.length == length, table.c.mature
    )
    return connection.execute(query).scalar()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccuracyEvaluation:
    """Judged accuracy of one window, ready to be stored."""

    series_id: int
    length: int
    window_end: int
    spec_version: int
    revision: int
    counts: PerformanceCounts
    mature: bool
    judged: JudgedAccuracy


def insert_performances(connection: sa.Connection, evaluations: Iterable[NewAccuracyEvaluation]) -> None:
    """Append *evaluations*; one that is stored already stays as it is."""
    rows = [
        {
            "series_id": row.series_id,
            "output": OUTPUT,
            "length": row.length,
            "window_end": row.window_end,
            "spec_version": row.spec_version,
            "revision": row.revision,
            "sampled": row.counts.sampled,
            "labelled": row.counts.labelled,
            "correct": row.counts.correct,
            "mature": row.mature,
            "accuracy": row.judged.accuracy,
            "low": ten_digits(row.judged.interval.low) if row.judged.interval else None,
            "high": ten_digits(row.judged.interval.high) if row.judged.interval else None,
            "verdict": row.judged.result.verdict.value,
            "packed": pack_result(row.judged.result, ()),
        }
        for row in evaluations
    ]
    if rows:
        connection.execute(insert(performance_evaluation).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalAccuracyEvaluation:
    """The last revision of one whole version's window that is mature: its counts, accuracy and interval."""

    version: str
    length: int
    window_end: int
    counts: PerformanceCounts
    accuracy: float | None
    low: float | None
    high: float | None


def final_performances(connection: sa.Connection, model_id: int) -> tuple[FinalAccuracyEvaluation, ...]:
    """Return the last revision of every window of whole versions, where it is mature; by version, length and end."""
    table = performance_evaluation
    newest = (
        sa.select(table, series.c.version)
        .ext(distinct_on(series.c.version, table.c.length, table.c.window_end))
        .join(series, series.c.id == table.c.series_id)
        .where(series.c.model_id == model_id, series.c.segment_tag == ALL_SEGMENT, table.c.output == OUTPUT)
        .order_by(
            series.c.version, table.c.length, table.c.window_end, table.c.revision.desc(), table.c.spec_version.desc()
        )
        .subquery()
    )
    query = sa.select(newest).where(newest.c.mature)
    query = query.order_by(newest.c.version, newest.c.length, newest.c.window_end)
    return tuple(
        FinalAccuracyEvaluation(
            version=row.version,
            length=row.length,
            window_end=row.window_end,
            counts=PerformanceCounts(sampled=row.sampled, labelled=row.labelled, correct=row.correct),
            accuracy=row.accuracy,
            low=row.low,
            high=row.high,
        )
        for row in connection.execute(query)
    )
