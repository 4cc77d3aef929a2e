"""What another version's newest conclusive window says, to compare a judged version with it."""

import sqlalchemy as sa

from monitor.findings import WindowResult, decode_result
from monitor.store.schema import evaluation, series
from monitor.types import ALL_SEGMENT, SeriesKey, Verdict


def newest_conclusive_result(
    connection: sa.Connection, key: SeriesKey, *, length: int, first_end: int, last_end: int
) -> WindowResult | None:
    """Return the newest conclusive first evaluation of *key* whose window ends in ``[first_end, last_end]``.

    Args:
        length: Window length in minutes.
        first_end, last_end: Event times in milliseconds.
    """
    encoded = connection.execute(
        sa.select(evaluation.c.result)
        .join(series, series.c.id == evaluation.c.series_id)
        .where(
            series.c.model_id == key.model_id,
            series.c.version == key.version,
            series.c.segment_tag == ALL_SEGMENT,
            series.c.segment_value == ALL_SEGMENT,
            evaluation.c.length == length,
            evaluation.c.window_end.between(first_end, last_end),
            evaluation.c.revision == 0,
            evaluation.c.verdict != Verdict.INCONCLUSIVE.value,
        )
        .order_by(evaluation.c.window_end.desc(), evaluation.c.spec_version.desc())
        .limit(1)
    ).scalar()
    return None if encoded is None else decode_result(encoded)
