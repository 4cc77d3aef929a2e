"""Evaluated windows, how far evaluation has come, and the lock under which a model is evaluated."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from monitor.findings import WindowResult
from monitor.packed_result import encode_result, pack_result
from monitor.store.schema import cells, evaluated_until, evaluation, series
from monitor.store.stored_results import column_names, stored_result
from monitor.types import Verdict


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one series' windows of one length are evaluated, and compared once more after lateness (ms)."""

    series_id: int
    length: int
    evaluated_until: int
    final_until: int | None


def read_progress(connection: sa.Connection, model_id: int) -> dict[tuple[int, int], Progress]:
    """Return the progress of every series of a model by (series id, length in minutes)."""
    query = (
        sa.select(evaluated_until)
        .join(series, series.c.id == evaluated_until.c.series_id)
        .where(series.c.model_id == model_id)
    )
    return {
        (row.series_id, row.length): Progress(row.series_id, row.length, row.window_end, row.final_until)
        for row in connection.execute(query)
    }


def write_progress(connection: sa.Connection, changed: Sequence[Progress]) -> None:
    """Store *changed*; the caller holds the model's lock."""
    if not changed:
        return
    statement = insert(evaluated_until)
    statement = statement.on_conflict_do_update(
        index_elements=["series_id", "length"],
        set_={"window_end": statement.excluded.window_end, "final_until": statement.excluded.final_until},
    )
    rows = [
        {
            "series_id": each.series_id,
            "length": each.length,
            "window_end": each.evaluated_until,
            "final_until": each.final_until,
        }
        for each in changed
    ]
    connection.execute(statement, rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvaluation:
    """One evaluated window, ready to be stored."""

    series_id: int
    length: int
    window_end: int
    cells_id: int
    spec_version: int
    reference_id: int
    revision: int
    previous_events: int
    sampled: int
    result: WindowResult
    step_sampled: int | None = None


def insert_evaluations(connection: sa.Connection, evaluations: Iterable[NewEvaluation]) -> None:
    """Append *evaluations*; one that is stored already stays as it is."""
    evaluations = tuple(evaluations)
    if not evaluations:
        return
    names = column_names(connection, {each.cells_id for each in evaluations})
    rows = [
        {
            "series_id": each.series_id,
            "length": each.length,
            "window_end": each.window_end,
            "cells_id": each.cells_id,
            "spec_version": each.spec_version,
            "reference_id": each.reference_id,
            "revision": each.revision,
            "events": each.result.events,
            "previous_events": each.previous_events,
            "sampled": each.sampled,
            "step_sampled": each.step_sampled,
            "verdict": each.result.verdict.value,
            "packed": pack_result(each.result, names.get(each.cells_id, ())),
        }
        for each in evaluations
    ]
    connection.execute(insert(evaluation).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True)
class LastRevision:
    """The newest revision of one window: what it saw, and how old it is in wall-clock seconds."""

    window_end: int
    revision: int
    events: int
    previous_events: int
    sampled: int
    age_seconds: float


def last_revisions(
    connection: sa.Connection, *, series_id: int, length: int, after: int, until: int
) -> dict[int, LastRevision]:
    """Return the newest revision of each stored window that ends in ``(after, until]``, by its end."""
    age = sa.extract("epoch", sa.func.clock_timestamp() - evaluation.c.evaluated_at)
    e = evaluation.c
    query = _newest(e.window_end, e.revision, e.events, e.previous_events, e.sampled, age).where(
        e.series_id == series_id, e.length == length, e.window_end > after, e.window_end <= until
    )
    return {
        row.window_end: LastRevision(row[0], row[1], row[2], row[3], row[4], float(row[5]))
        for row in connection.execute(query)
    }


def sampled_of(connection: sa.Connection, *, series_id: int, length: int, ends: Collection[int]) -> dict[int, int]:
    """Return how many predictions of each stored window that ends at one of *ends* are in the ledger, by its end."""
    e = evaluation.c
    wanted = sa.any_(sa.cast(sorted(ends), sa.ARRAY(sa.BigInteger)))
    query = _newest(e.window_end, e.sampled).where(e.series_id == series_id, e.length == length, e.window_end == wanted)
    return {row[0]: row[1] for row in connection.execute(query)}


def step_sampled_of(
    connection: sa.Connection, *, series_id: int, length: int, after: int, until: int
) -> dict[int, int]:
    """Return how many predictions of a window's last step are in the ledger, for windows that end in (after, until].

    Returns:
        By the window's end; without those that cannot say, for their step was compacted.
    """
    e = evaluation.c
    query = _newest(e.window_end, e.step_sampled).where(
        e.series_id == series_id, e.length == length, e.window_end > after, e.window_end <= until
    )
    return {end: sampled for end, sampled in connection.execute(query) if sampled is not None}


# Two of one revision: a spec or cells were applied between, and the later ones count.
_LATER = (evaluation.c.spec_version.desc(), evaluation.c.cells_id.desc())


def _newest(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Return a query of *columns* of the newest revision of each window end."""
    newest_first = (evaluation.c.window_end, evaluation.c.revision.desc(), *_LATER)
    return sa.select(*columns).ext(distinct_on(evaluation.c.window_end)).order_by(*newest_first)


@dataclass(frozen=True, slots=True)
class FinalEvaluation:
    """The last revision of one window, with its result as canonical text."""

    version: str
    segment_tag: str
    segment_value: str
    length: int
    window_end: int
    events: int
    verdict: Verdict
    result: str


def final_evaluations(connection: sa.Connection, model_id: int) -> tuple[FinalEvaluation, ...]:
    """Return the last revision of every window of a model, ordered by series, length and end."""
    newest = (
        sa.select(evaluation)
        .ext(distinct_on(evaluation.c.series_id, evaluation.c.length, evaluation.c.window_end))
        .join(series, series.c.id == evaluation.c.series_id)
        .where(series.c.model_id == model_id)
        .order_by(
            evaluation.c.series_id,
            evaluation.c.length,
            evaluation.c.window_end,
            evaluation.c.revision.desc(),
            *_LATER,
        )
        .subquery()
    )
    query = (
        sa.select(
            series.c.version,
            series.c.segment_tag,
            series.c.segment_value,
            newest.c.length,
            newest.c.window_end,
            newest.c.events,
            newest.c.verdict,
            newest.c.packed,
            newest.c.result,
            cells.c.column_names,
        )
        .join(series, series.c.id == newest.c.series_id)
        .outerjoin(cells, cells.c.id == newest.c.cells_id)
        .order_by(series.c.version, series.c.segment_tag, series.c.segment_value, newest.c.length, newest.c.window_end)
    )
    return tuple(
        FinalEvaluation(
            *row[:6],
            Verdict(row.verdict),
            encode_result(stored_result(row.packed, row.result, row.column_names)).decode(),
        )
        for row in connection.execute(query)
    )
