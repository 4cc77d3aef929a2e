"""Revisions due: spans of event time whose counts changed after windows that read them were evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.schema import revision_due
from monitor.units import MINUTE_MILLIS


@dataclass(frozen=True, slots=True, order=True)
class DueSpan:
    """The minute of a series at *start* (ms) got events; *stop* is its own, or where the series seemed to begin before.

    Windows that reach back before their series began say so instead of judging: with an earlier beginning, those up to
    *stop* no longer do.
    """

    series_id: int
    start: int
    stop: int


def add_due(connection: sa.Connection, model_id: int, stretches: Sequence[DueSpan]) -> None:
    """Note *stretches*; one that waits already goes on waiting, as long as the longer of both."""
    if not stretches:
        return
    statement = sa.text(
        """
        INSERT INTO revision_due (model_id, series_id, start, stop)
        SELECT :model_id, series_id, start, stop
        FROM unnest(CAST(:series_ids AS integer[]), CAST(:starts AS bigint[]), CAST(:stops AS bigint[]))
            AS came (series_id, start, stop)
        ON CONFLICT (model_id, series_id, start)
        DO UPDATE SET stop = greatest(revision_due.stop, excluded.stop)
        WHERE revision_due.stop < excluded.stop
        """
    )
    stops = [stretch.stop for stretch in stretches]
    connection.execute(statement, {"model_id": model_id, **_keys(stretches), "stops": stops})


def read_due(
    connection: sa.Connection, model_id: int, *, crossed: int | None, after: DueSpan | None, limit: int
) -> tuple[DueSpan, ...]:
    """Return the stretches that wait no longer, and those before *crossed* (ms), which became final just now.

    Args:
        after: The last one of the page before, None: the first page; pages go by start, then by series.
    """
    table = revision_due.c
    now_due = table.due_at <= sa.func.clock_timestamp()
    conditions = [
        table.model_id == model_id,
        now_due if crossed is None else sa.or_(now_due, table.start < crossed),
    ]
    if after is not None:
        conditions.append(sa.tuple_(table.start, table.series_id) > sa.tuple_(after.start, after.series_id))
    query = (
        sa.select(table.series_id, table.start, table.stop)
        .where(*conditions)
        .order_by(table.start, table.series_id)
        .limit(limit)
    )
    return tuple(DueSpan(*row) for row in connection.execute(query))


def narrow_to_own_minute(connection: sa.Connection, model_id: int, stretches: Sequence[DueSpan]) -> None:
    """Cut *spans* down to their own minute: windows up to where the series seemed to begin are re-evaluated."""
    if not stretches:
        return
    statement = sa.text(
        """
        UPDATE revision_due SET stop = revision_due.start + :minute
        FROM unnest(CAST(:series_ids AS integer[]), CAST(:starts AS bigint[])) AS begun (series_id, start)
        WHERE model_id = :model_id AND revision_due.series_id = begun.series_id AND revision_due.start = begun.start
        """
    )
    connection.execute(statement, {"model_id": model_id, "minute": MINUTE_MILLIS, **_keys(stretches)})


def close_due(connection: sa.Connection, model_id: int, stretches: Sequence[DueSpan]) -> None:
    """Forget *stretches*, whose windows all hold what was counted."""
    if not stretches:
        return
    statement = sa.text(
        """
        DELETE FROM revision_due
        USING unnest(CAST(:series_ids AS integer[]), CAST(:starts AS bigint[])) AS done (series_id, start)
        WHERE model_id = :model_id AND revision_due.series_id = done.series_id AND revision_due.start = done.start
        """
    )
    connection.execute(statement, {"model_id": model_id, **_keys(stretches)})


def postpone_due(connection: sa.Connection, model_id: int, waiting: Sequence[tuple[DueSpan, float]]) -> None:
    """Let each stretch wait so many seconds from now."""
    if not waiting:
        return
    statement = sa.text(
        """
        UPDATE revision_due SET due_at = clock_timestamp() + make_interval(secs => came.seconds)
        FROM unnest(CAST(:series_ids AS integer[]), CAST(:starts AS bigint[]), CAST(:seconds AS double precision[]))
            AS came (series_id, start, seconds)
        WHERE model_id = :model_id AND revision_due.series_id = came.series_id AND revision_due.start = came.start
        """
    )
    keys = _keys([stretch for stretch, _ in waiting])
    connection.execute(statement, {"model_id": model_id, **keys, "seconds": [seconds for _, seconds in waiting]})


def _keys(stretches: Sequence[DueSpan]) -> dict[str, list[int]]:
    return {
        "series_ids": [stretch.series_id for stretch in stretches],
        "starts": [stretch.start for stretch in stretches],
    }
