"""Marks: what flushes added to a model's panes since its evaluation last looked; a queue, appended and deleted.

A flush appends one row per model in the transaction that appends the panes. Who has read a mark therefore sees its
panes in every later statement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
import sqlalchemy as sa

from monitor.store.schema import pane_mark, revision_due


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMark:
    """Panes of one model that a flush appends to: series id and start (ms) of each."""

    model_id: int
    panes: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class StoredMark:
    """One mark as read; `delete_marks` forgets it."""

    mark_id: int
    panes: tuple[tuple[int, int], ...]


def append_marks(connection: psycopg.Connection, marks: Iterable[NewMark]) -> None:
    """COPY *marks*, each a row."""
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY pane_mark (model_id, oldest, series_ids, starts) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["int4", "int8", "int4[]", "int8[]"])
        for mark in marks:
            series_ids, starts = zip(*mark.panes, strict=True)
            copy.write_row((mark.model_id, min(starts), list(series_ids), list(starts)))


def read_marks(connection: sa.Connection, model_id: int, *, limit: int) -> tuple[StoredMark, ...]:
    """Return the oldest *limit* marks of a model. Read them before any pane, under the model's lock."""
    query = (
        sa.select(pane_mark.c.id, pane_mark.c.series_ids, pane_mark.c.starts)
        .where(pane_mark.c.model_id == model_id)
        .order_by(pane_mark.c.id)
        .limit(limit)
    )
    return tuple(
        StoredMark(row.id, tuple(zip(row.series_ids, row.starts, strict=True))) for row in connection.execute(query)
    )


def delete_marks(connection: sa.Connection, marks: Sequence[StoredMark]) -> None:
    """Forget *marks*; what they mean for windows must be written in the same transaction."""
    if marks:
        statement = sa.text("DELETE FROM pane_mark WHERE id = ANY(:ids)")
        connection.execute(statement, {"ids": [mark.mark_id for mark in marks]})


def oldest_marked(connection: sa.Connection, model_id: int) -> int | None:
    """Return the earliest event time (ms) of a model that is marked, or due for a revision; None without any."""
    query = sa.select(
        sa.func.least(
            sa.select(sa.func.min(pane_mark.c.oldest)).where(pane_mark.c.model_id == model_id).scalar_subquery(),
            sa.select(sa.func.min(revision_due.c.start)).where(revision_due.c.model_id == model_id).scalar_subquery(),
        )
    )
    return connection.execute(query).scalar()
