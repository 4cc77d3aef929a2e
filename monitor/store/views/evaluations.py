"""Evaluated windows as people look them up: the newest revision of each, newest windows first."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.results import WindowResult
from monitor.store.evaluations import RESULT_COLUMNS, stored_result
from monitor.store.rows import value_of
from monitor.store.schema import cells, evaluation, model, series
from monitor.types import ALL_SEGMENT, ModelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvaluation:
    """One window with everything that was decided of it; *length* in minutes, *window_end* in ms."""

    version: str
    segment_tag: str
    segment_value: str
    length: int
    window_end: int
    spec_version: int
    revision: int
    result: WindowResult


def known_models(connection: sa.Connection) -> tuple[ModelKey, ...]:
    """Return every applied model, by namespace and name."""
    rows = connection.execute(sa.select(model.c.namespace, model.c.name).order_by(model.c.namespace, model.c.name))
    return tuple(ModelKey(row.namespace, row.name) for row in rows)


def shown_evaluations(
    connection: sa.Connection,
    key: ModelKey,
    *,
    version: str | None = None,
    segment: tuple[str, str] = (ALL_SEGMENT, ALL_SEGMENT),
    length: int | None = None,
    window_end: int | None = None,
    limit: int,
) -> tuple[ShownEvaluation, ...]:
    """Return the newest revisions of a model's windows, newest end first, then by version and length.

    Args:
        version: Of one version only.
        segment: Tag and value of the series; without them the series over all events.
        length: Of windows of so many minutes only.
        window_end: Of windows that end then (ms) only.
        limit: At most so many.
    """
    newer = evaluation.alias()
    superseded = sa.exists().where(
        newer.c.series_id == evaluation.c.series_id,
        newer.c.length == evaluation.c.length,
        newer.c.window_end == evaluation.c.window_end,
        sa.tuple_(newer.c.revision, newer.c.spec_version, newer.c.cells_id)
        > sa.tuple_(evaluation.c.revision, evaluation.c.spec_version, evaluation.c.cells_id),
    )
    query = (
        sa.select(
            series.c.version,
            series.c.segment_tag,
            series.c.segment_value,
            evaluation.c.length,
            evaluation.c.window_end,
            evaluation.c.spec_version,
            evaluation.c.revision,
            *RESULT_COLUMNS,
        )
        .join(series, series.c.id == evaluation.c.series_id)
        .join(model, model.c.id == series.c.model_id)
        .outerjoin(cells, cells.c.id == evaluation.c.cells_id)
        .where(
            model.c.namespace == key.namespace,
            model.c.name == key.name,
            series.c.segment_tag == segment[0],
            series.c.segment_value == segment[1],
            ~superseded,
        )
        .order_by(evaluation.c.window_end.desc(), series.c.version, evaluation.c.length)
        .limit(limit)
    )
    for column, wanted in (
        (series.c.version, version),
        (evaluation.c.length, length),
        (evaluation.c.window_end, window_end),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    return tuple(
        value_of(ShownEvaluation, row, result=stored_result(row.packed, row.result, row.column_names))
        for row in connection.execute(query)
    )
