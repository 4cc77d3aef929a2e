"""Series, one per (model, version, segment) that was ever counted: their ids, the hours they have panes in, traffic."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from monitor.store.schema import evaluation, series
from monitor.types import ALL_SEGMENT, SeriesKey

AT_ONCE = 5000  # keys of one statement, which carries them as four arrays: its text never grows with their number

WINDOWS = 200


def ensure_series(connection: sa.Connection, keys: set[SeriesKey]) -> dict[SeriesKey, int]:
    """Return the id of each of *keys*, inserting those that are new."""
    ids: dict[SeriesKey, int] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), AT_ONCE):
        rows = _as_rows(ordered[start : start + AT_ONCE])
        new = sa.select(*(rows.c[name] for name in _NAMES))
        connection.execute(insert(series).from_select(_NAMES, new).on_conflict_do_nothing())
        same = sa.and_(*(series.c[name] == rows.c[name] for name in _NAMES))
        wanted = sa.select(series.c.id, *(series.c[name] for name in _NAMES)).select_from(rows.join(series, same))
        ids |= {SeriesKey(*key): series_id for series_id, *key in connection.execute(wanted)}
    return ids


_NAMES = ("model_id", "version", "segment_tag", "segment_value")


def _as_rows(keys: list[SeriesKey]) -> sa.TableValuedAlias:
    arrays = [
        sa.bindparam(None, [getattr(key, name) for key in keys], type_=ARRAY(series.c[name].type)) for name in _NAMES
    ]
    columns = [sa.column(name, series.c[name].type) for name in _NAMES]
    return sa.func.unnest(*arrays).table_valued(*columns, name="wanted").render_derived()


def series_of_model(connection: sa.Connection, model_id: int) -> dict[int, SeriesKey]:
    """Return every series of one model by its id."""
    rows = connection.execute(sa.select(series).where(series.c.model_id == model_id).order_by(series.c.id))
    return {r.id: SeriesKey(r.model_id, r.version, r.segment_tag, r.segment_value) for r in rows}


def whole_series(connection: sa.Connection, model_id: int) -> dict[int, str]:
    """Return the version of each series over all segments by its id."""
    return {
        series_id: key.version
        for series_id, key in series_of_model(connection, model_id).items()
        if (key.segment_tag, key.segment_value) == (ALL_SEGMENT, ALL_SEGMENT)
    }


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


def recent_events_per_minute(connection: sa.Connection, model_id: int) -> float | None:
    """Return the average traffic of the model's busiest version over its newest windows; None before the first.

    Windows of the shortest scale are taken, for they are full soonest.
    """
    whole = (
        series.c.model_id == model_id,
        series.c.segment_tag == ALL_SEGMENT,
        evaluation.c.revision == 0,
    )
    joined = evaluation.join(series, series.c.id == evaluation.c.series_id)
    shortest = sa.select(sa.func.min(evaluation.c.length)).select_from(joined).where(*whole).scalar_subquery()
    newest = (
        sa.select(
            evaluation.c.series_id,
            evaluation.c.events,
            evaluation.c.length,
            sa.func.row_number()
            .over(partition_by=evaluation.c.series_id, order_by=evaluation.c.window_end.desc())
            .label("age"),
        )
        .select_from(joined)
        .where(*whole, evaluation.c.length == shortest)
        .subquery()
    )
    pace = sa.func.avg(newest.c.events * 1.0 / newest.c.length).label("pace")
    query = sa.select(pace).where(newest.c.age <= WINDOWS).group_by(newest.c.series_id).order_by(sa.desc(pace)).limit(1)
    fastest = connection.execute(query).scalar()
    return None if fastest is None else float(fastest)
