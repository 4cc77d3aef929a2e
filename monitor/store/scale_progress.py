"""How far the windows of each scale of a model are evaluated: one row per model and length, whatever its versions."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.rows import values_of
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
    return {progress.length: progress for progress in values_of(Progress, rows)}


def write_progress(connection: sa.Connection, model_id: int, changed: Iterable[Progress]) -> None:
    """Store *changed*; the caller holds the model's lock."""
    rows = [{"model_id": model_id, **asdict(progress)} for progress in changed]
    if not rows:
        return
    statement = insert(scale_progress)
    replaced = {name: statement.excluded[name] for name in ("evaluated_until", "final_until", "judged_after")}
    connection.execute(statement.on_conflict_do_update(index_elements=["model_id", "length"], set_=replaced), rows)


def rewind_progress(connection: sa.Connection, model_id: int, *, to: int) -> None:
    """Set every scale that is beyond *to* (ms) back to it; the caller holds the model's lock.

    Windows after it are evaluated again: where nothing else was counted in them, what is stored of them stays.
    """
    table = scale_progress
    connection.execute(
        sa.update(table)
        .where(table.c.model_id == model_id, table.c.evaluated_until > to)
        .values(
            evaluated_until=to,
            final_until=sa.func.least(table.c.final_until, to),
            judged_after=sa.case((table.c.judged_after > to, to), else_=table.c.judged_after),
        )
    )
