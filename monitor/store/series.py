"""Series rows: one per (model, version, segment) that was ever counted."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.schema import series
from monitor.types import ALL_SEGMENT, SeriesKey


def ensure_series(connection: sa.Connection, keys: set[SeriesKey]) -> dict[SeriesKey, int]:
    """Return the id of each of *keys*, inserting those that are new."""
    if not keys:
        return {}
    rows = [
        {"model_id": k.model_id, "version": k.version, "segment_tag": k.segment_tag, "segment_value": k.segment_value}
        for k in sorted(keys)
    ]
    connection.execute(insert(series).values(rows).on_conflict_do_nothing())
    wanted = sa.select(series).where(
        sa.tuple_(series.c.model_id, series.c.version, series.c.segment_tag, series.c.segment_value).in_(
            [tuple(each.values()) for each in rows]
        )
    )
    return {SeriesKey(r.model_id, r.version, r.segment_tag, r.segment_value): r.id for r in connection.execute(wanted)}


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
