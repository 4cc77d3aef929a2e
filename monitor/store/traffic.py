"""How many events of a model come in, from the windows that were evaluated."""

import sqlalchemy as sa

from monitor.store.schema import evaluation, series
from monitor.types import ALL_SEGMENT

WINDOWS = 200


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
    found = connection.execute(query).scalar()
    return None if found is None else float(found)
