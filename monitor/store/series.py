"""Series rows: one per (model, version, segment) that was ever counted."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from monitor.store.schema import series
from monitor.types import ALL_SEGMENT, SeriesKey

AT_ONCE = 5000  # keys of one statement, which carries them as four arrays: its text never grows with their number


def ensure_series(connection: sa.Connection, keys: set[SeriesKey]) -> dict[SeriesKey, int]:
    """Return the id of each of *keys*, inserting those that are new."""
    found: dict[SeriesKey, int] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), AT_ONCE):
        rows = _as_rows(ordered[start : start + AT_ONCE])
        new = sa.select(*(rows.c[name] for name in _NAMES))
        connection.execute(insert(series).from_select(_NAMES, new).on_conflict_do_nothing())
        same = sa.and_(*(series.c[name] == rows.c[name] for name in _NAMES))
        wanted = sa.select(series.c.id, *(series.c[name] for name in _NAMES)).select_from(rows.join(series, same))
        found |= {SeriesKey(*key): series_id for series_id, *key in connection.execute(wanted)}
    return found


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
