"""How far the windows of each scale of a model are evaluated: one row per model and length, whatever its versions."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.schema import scale_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the windows of one length (minutes) are evaluated; window ends in ms.

    Attributes:
        evaluated_until: Every window with events that ends up to here was evaluated.
        final_until: Up to here they were revised once more after lateness had passed; -1: none was.
        judged_after: Windows that end up to here are before the scale's time, which the spec got later; None: none is.
    """

    length: int
    evaluated_until: int
    final_until: int
    judged_after: int | None = None


def read_progress(connection: sa.Connection, model_id: int) -> dict[int, Progress]:
    """Return the progress of each scale of a model by its length in minutes."""
    rows = connection.execute(sa.select(scale_progress).where(scale_progress.c.model_id == model_id))
    return {
        row.length: Progress(
            length=row.length,
            evaluated_until=row.evaluated_until,
            final_until=row.final_until,
            judged_after=row.judged_after,
        )
        for row in rows
    }


def write_progress(connection: sa.Connection, model_id: int, changed: Iterable[Progress]) -> None:
    """Store *changed*; the caller holds the model's lock."""
    rows = [
        {
            "model_id": model_id,
            "length": progress_row.length,
            "evaluated_until": progress_row.evaluated_until,
            "final_until": progress_row.final_until,
            "judged_after": progress_row.judged_after,
        }
        for progress_row in changed
    ]
    if not rows:
        return
    statement = insert(scale_progress)
    replaced = {name: statement.excluded[name] for name in ("evaluated_until", "final_until", "judged_after")}
    connection.execute(statement.on_conflict_do_update(index_elements=["model_id", "length"], set_=replaced), rows)


def rewind_progress(connection: sa.Connection, model_id: int, *, to: int) -> tuple[Progress, ...]:
    """Set every scale that is beyond *to* (ms) back to it; return what stood before. The caller holds the model's lock.

    Windows after it are evaluated again: where nothing else was counted in them, what is stored of them stays.
    """
    table = scale_progress
    beyond = (table.c.model_id == model_id, table.c.evaluated_until > to)
    before = tuple(
        progress_row
        for _, progress_row in sorted(read_progress(connection, model_id).items())
        if progress_row.evaluated_until > to
    )
    connection.execute(
        sa.update(table)
        .where(*beyond)
        .values(
            evaluated_until=to,
            final_until=sa.func.least(table.c.final_until, to),
            judged_after=sa.case((table.c.judged_after > to, to), else_=table.c.judged_after),
        )
    )
    return before
