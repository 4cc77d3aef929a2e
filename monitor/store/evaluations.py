"""Evaluated windows: appended, never changed; a window evaluated again is its next revision."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from monitor.errors import CorruptResultError
from monitor.result_codec import decode_result, pack_result, unpack_result
from monitor.results import WindowResult
from monitor.store.schema import cells, evaluation, performance_evaluation, series
from monitor.types import ALL_SEGMENT, Scale, Verdict
from monitor.windows.sliding import length_millis

# What a query selects, next to a join of `cells`, for `stored_result` to read.
RESULT_COLUMNS = (evaluation.c.packed, evaluation.c.result, cells.c.column_names)
ACCURACY_COLUMNS = (performance_evaluation.c.packed, performance_evaluation.c.result)


def stored_result(packed: bytes | None, text: str | None, names: Sequence[str] | None = None) -> WindowResult:
    """Return the result that a row holds, *names* being the `column_names` of its cells, if it has any.

    Raises:
        CorruptResultError: It holds none.
    """
    if packed is not None:
        return unpack_result(packed, () if names is None else names)
    if text is not None:
        return decode_result(text)
    raise CorruptResultError("stored result: expected packed bytes or the text of the version before, found neither")


def column_names(connection: sa.Connection, cells_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Return the names of the columns of each of these cells; empty for those that do not say them."""
    query = sa.select(cells.c.id, cells.c.column_names).where(cells.c.id == sa.func.any(sorted(cells_ids)))
    return {row.id: tuple(row.column_names or ()) for row in connection.execute(query)}


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
    names = column_names(connection, {row.cells_id for row in evaluations})
    rows = [
        {
            "series_id": row.series_id,
            "length": row.length,
            "window_end": row.window_end,
            "cells_id": row.cells_id,
            "spec_version": row.spec_version,
            "reference_id": row.reference_id,
            "revision": row.revision,
            "events": row.result.events,
            "previous_events": row.previous_events,
            "sampled": row.sampled,
            "step_sampled": row.step_sampled,
            "verdict": row.result.verdict.value,
            "packed": pack_result(row.result, names.get(row.cells_id, ())),
        }
        for row in evaluations
    ]
    connection.execute(insert(evaluation).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True, order=True)
class WindowKey:
    """One window of one series: length in minutes, end in ms."""

    series_id: int
    length: int
    end: int


@dataclass(frozen=True, slots=True)
class LastRevision:
    """The newest revision of one window: what it saw, and how old it is in wall-clock seconds.

    *conclusive*: some revision of the window was, this one or an earlier one.
    """

    revision: int
    events: int
    previous_events: int
    age_seconds: float
    conclusive: bool


def last_revisions(connection: sa.Connection, windows: Collection[WindowKey]) -> dict[WindowKey, LastRevision]:
    """Return the newest revision of each of *windows* that is stored."""
    if not windows:
        return {}
    query = sa.text(
        """
        SELECT DISTINCT ON (evaluation.series_id, evaluation.length, evaluation.window_end)
            evaluation.series_id, evaluation.length, evaluation.window_end, revision, events, previous_events,
            extract(epoch FROM clock_timestamp() - evaluated_at) AS age,
            bool_or(verdict <> :inconclusive)
                OVER (PARTITION BY evaluation.series_id, evaluation.length, evaluation.window_end) AS conclusive
        FROM unnest(CAST(:series_ids AS integer[]), CAST(:lengths AS integer[]), CAST(:ends AS bigint[]))
            AS wanted (series_id, length, window_end)
        JOIN evaluation USING (series_id, length, window_end)
        WHERE evaluation.window_end BETWEEN :first AND :last
        ORDER BY evaluation.series_id, evaluation.length, evaluation.window_end, revision DESC,
            spec_version DESC, cells_id DESC
        """
    )
    ends = [window.end for window in windows]
    parameters = {
        "inconclusive": Verdict.INCONCLUSIVE.value,
        "first": min(ends),  # so that only their weeks are looked at
        "last": max(ends),
        "series_ids": [window.series_id for window in windows],
        "lengths": [window.length for window in windows],
        "ends": ends,
    }
    return {
        WindowKey(row.series_id, row.length, row.window_end): LastRevision(
            row.revision, row.events, row.previous_events, float(row.age), row.conclusive
        )
        for row in connection.execute(query, parameters)
    }


def newest_conclusive_end(connection: sa.Connection, *, series_id: int, length: int, after: int) -> int | None:
    """Return the last window end after *after* (ms) with a conclusive revision; None without any."""
    e = evaluation.c
    query = sa.select(sa.func.max(e.window_end)).where(
        e.series_id == series_id,
        e.length == length,
        e.window_end > after,
        e.verdict != Verdict.INCONCLUSIVE.value,
    )
    return connection.execute(query).scalar()


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


def _newest(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Return a query of *columns* of the newest revision of each window end."""
    e = evaluation.c
    # Two of one revision: a spec or cells were applied between, and the later ones count.
    newest_first = (e.window_end, e.revision.desc(), e.spec_version.desc(), e.cells_id.desc())
    return sa.select(*columns).ext(distinct_on(e.window_end)).order_by(*newest_first)


def window_events(
    connection: sa.Connection, model_id: int, *, versions: Collection[str], scale: Scale, ends: Collection[int]
) -> dict[tuple[str, int], int]:
    """Return the events in windows of whole versions that end at one of *ends*, by version and end; none: not there.

    Only versions that were counted since the first of these windows began are looked at, however many there ever were.
    """
    if not versions or not ends:
        return {}
    e = evaluation.c
    query = (
        sa.select(series.c.version, e.window_end, sa.func.max(e.events))
        .join(series, series.c.id == e.series_id)
        .where(
            series.c.model_id == model_id,
            series.c.version == sa.any_(sa.cast(sorted(versions), sa.ARRAY(sa.Text))),
            series.c.segment_tag == ALL_SEGMENT,
            series.c.segment_value == ALL_SEGMENT,
            sa.or_(series.c.counted_until.is_(None), series.c.counted_until > min(ends) - length_millis(scale)),
            e.length == scale.length,
            e.window_end == sa.any_(sa.cast(sorted(ends), sa.ARRAY(sa.BigInteger))),
            e.window_end.between(min(ends), max(ends)),  # so that only their weeks are looked at
            e.events > 0,
        )
        .group_by(series.c.version, e.window_end)
    )
    return {(version, end): events for version, end, events in connection.execute(query)}
