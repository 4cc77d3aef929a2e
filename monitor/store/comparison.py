"""What another version's newest conclusive window says, to compare a judged version with it."""

import sqlalchemy as sa

from monitor.findings import WindowResult
from monitor.store.schema import cells, evaluation, series
from monitor.store.stored_results import RESULT_COLUMNS, stored_result
from monitor.types import ALL_SEGMENT, SeriesKey, Verdict


def newest_conclusive_result(
    connection: sa.Connection, key: SeriesKey, *, length: int, first_end: int, last_end: int
) -> WindowResult | None:
    """Return what the newest conclusive window of *key* that ends in ``[first_end, last_end]`` was first judged.

    Args:
        length: Window length in minutes.
        first_end, last_end: Event times in milliseconds.
    """
    row = connection.execute(
        sa.select(*RESULT_COLUMNS)
        .join(series, series.c.id == evaluation.c.series_id)
        .outerjoin(cells, cells.c.id == evaluation.c.cells_id)
        .where(
            series.c.model_id == key.model_id,
            series.c.version == key.version,
            series.c.segment_tag == ALL_SEGMENT,
            series.c.segment_value == ALL_SEGMENT,
            evaluation.c.length == length,
            evaluation.c.window_end.between(first_end, last_end),
            evaluation.c.verdict != Verdict.INCONCLUSIVE.value,
        )
        .order_by(evaluation.c.window_end.desc(), evaluation.c.spec_version.desc(), evaluation.c.revision)
        .limit(1)
    ).one_or_none()
    return None if row is None else stored_result(row.packed, row.result, row.column_names)
