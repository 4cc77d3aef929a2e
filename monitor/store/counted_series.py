"""Which series of a model have panes where: whole hours of event time, so that the rest need not be looked at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.store.schema import series
from monitor.types import SeriesKey


@dataclass(frozen=True, slots=True)
class CountedHours:
    """Hours ``[start, stop)`` (ms) that hold every pane of a series, None where that is not known."""

    start: int | None
    stop: int | None


@dataclass(frozen=True, slots=True)
class CountedSeries:
    """A series and its hours."""

    key: SeriesKey
    hours: CountedHours


def counted_series(connection: sa.Connection, series_ids: Collection[int]) -> dict[int, CountedSeries]:
    """Return these series by id."""
    if not series_ids:
        return {}
    wanted = sa.any_(sa.cast(sorted(series_ids), sa.ARRAY(sa.Integer)))
    return _by_id(connection, series.c.id == wanted)


def series_counted_after(connection: sa.Connection, model_id: int, after: int | None) -> dict[int, CountedSeries]:
    """Return the series of a model that may have panes after *after* (ms), in order of id; None: every one."""
    if after is None:
        return _by_id(connection, series.c.model_id == model_id)
    some = sa.or_(series.c.counted_until > after, series.c.counted_until.is_(None))
    return _by_id(connection, series.c.model_id == model_id, some)


def write_hours(connection: sa.Connection, changed: Mapping[int, CountedHours]) -> None:
    """Store the hours of each series; the caller holds the model's lock."""
    if not changed:
        return
    statement = sa.text(
        """
        UPDATE series SET counted_from = came.counted_from, counted_until = came.counted_until
        FROM unnest(CAST(:ids AS integer[]), CAST(:froms AS bigint[]), CAST(:untils AS bigint[]))
            AS came (id, counted_from, counted_until)
        WHERE series.id = came.id
        """
    )
    ids = sorted(changed)
    parameters = {
        "ids": ids,
        "froms": [changed[series_id].start for series_id in ids],
        "untils": [changed[series_id].stop for series_id in ids],
    }
    connection.execute(statement, parameters)


def _by_id(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> dict[int, CountedSeries]:
    rows = connection.execute(sa.select(series).where(*conditions).order_by(series.c.id))
    return {
        row.id: CountedSeries(
            SeriesKey(row.model_id, row.version, row.segment_tag, row.segment_value),
            CountedHours(row.counted_from, row.counted_until),
        )
        for row in rows
    }
