"""When each model was last looked at by an alerter, what was in the way, and which alerters share the models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_millis
from monitor.store.schema import heartbeat, model, model_turn, spec
from monitor.types import ModelKey

ALERTER = "alerter"
_FORGET_SECONDS = 86_400  # a worker that has not been seen for so long left no word


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTurn:
    """The last look at one applied model.

    Attributes:
        turned_at: Wall-clock ms; None: never.
        seconds_ago: Since then; of one that was never looked at, since it was applied.
        failures: How many looks failed, ever.
        problem: Why the last one failed; None: it did not.
    """

    model_id: int
    key: ModelKey
    turned_at: int | None
    seconds_ago: float
    failures: int
    problem: str | None


def beat_alerter(connection: sa.Connection, worker: str, *, models_turned: int, oldest_due: int | None) -> None:
    """Note that *worker* is at work; forget those of yesterday."""
    values = {"at": sa.func.clock_timestamp(), "models_turned": models_turned, "oldest_due": oldest_due}
    statement = insert(heartbeat).values(role=ALERTER, worker=worker, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["role", "worker"], set_=values))
    connection.execute(
        sa.delete(heartbeat).where(heartbeat.c.role == ALERTER, _seconds_since(heartbeat.c.at) > _FORGET_SECONDS)
    )


def end_alerter(connection: sa.Connection, worker: str) -> None:
    """Note that *worker* ends: the others need not wait until its heartbeat is old."""
    connection.execute(sa.delete(heartbeat).where(heartbeat.c.role == ALERTER, heartbeat.c.worker == worker))


def alerters_at_work(connection: sa.Connection, *, within_seconds: float) -> tuple[str, ...]:
    """Return the alerters whose heartbeat is not older."""
    rows = connection.execute(
        sa.select(heartbeat.c.worker)
        .where(heartbeat.c.role == ALERTER, _seconds_since(heartbeat.c.at) <= within_seconds)
        .order_by(heartbeat.c.worker)
    )
    return tuple(rows.scalars())


def note_turns(connection: sa.Connection, turned: Sequence[int], failed: Mapping[int, tuple[int, str]]) -> None:
    """Note which models were looked at now, and of which that failed: how often since the last note, and why."""
    known = sa.select(model.c.id).where(model.c.id.in_([*turned, *failed])).with_for_update(key_share=True, read=True)
    still_there = set(connection.execute(known.order_by(model.c.id)).scalars())
    rows = [
        {"model_id": model_id, "times": failed.get(model_id, (0, ""))[0], "words": failed.get(model_id, (0, None))[1]}
        for model_id in sorted(still_there)
    ]
    if not rows:
        return
    fine = sa.bindparam("words", type_=sa.Text).is_(None)
    at = sa.case((fine, sa.func.clock_timestamp()), else_=None)
    statement = insert(model_turn).values(
        model_id=sa.bindparam("model_id"), turned_at=at, failures=sa.bindparam("times"), problem=sa.bindparam("words")
    )
    moved = statement.on_conflict_do_update(
        index_elements=[model_turn.c.model_id],
        set_={
            "turned_at": sa.func.coalesce(statement.excluded.turned_at, model_turn.c.turned_at),
            "failures": model_turn.c.failures + statement.excluded.failures,
            "problem": statement.excluded.problem,
        },
    )
    connection.execute(moved, rows)


def model_turns(connection: sa.Connection) -> tuple[ModelTurn, ...]:
    """Return the last look at every applied model, the longest ago first."""
    first = sa.func.min(spec.c.applied_at).label("at")
    applied = sa.select(spec.c.model_id, first).group_by(spec.c.model_id).subquery()
    since = sa.func.coalesce(model_turn.c.turned_at, applied.c.at)
    rows = connection.execute(
        sa.select(model.c.id, model.c.namespace, model.c.name, model_turn, _seconds_since(since).label("seconds_ago"))
        .join(applied, applied.c.model_id == model.c.id)
        .outerjoin(model_turn, model_turn.c.model_id == model.c.id)
        .order_by(since, model.c.id)
    )
    return tuple(
        ModelTurn(
            model_id=row.id,
            key=ModelKey(row.namespace, row.name),
            turned_at=None if row.turned_at is None else to_millis(row.turned_at),
            seconds_ago=float(row.seconds_ago),
            failures=row.failures or 0,
            problem=row.problem,
        )
        for row in rows
    )


def _seconds_since(moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.extract("epoch", sa.func.clock_timestamp() - moment)
