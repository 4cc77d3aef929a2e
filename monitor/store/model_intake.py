"""How each model's records fare in each partition: its recent bad ones, and since when it stands still there.

A model that sends too many bad records, or whose rows the database refuses, stops in that partition; every other model
goes on. Written by the flush that decides it, in its transaction; taken back by `resume_model` only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.store.schema import input_offset, model, model_intake
from monitor.types import ModelKey, PartitionKey, TopicRole
from monitor.windows.blind import BlindSpan

UNTIL_END = -1  # forgiven until the end of the partition, which the next claim puts in
_WRITTEN = ("recent_bad", "forgiven_until", "stopped_reason", "blind_since", "blind_until")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRow:
    """One model in one partition.

    Attributes:
        recent_bad: Which of its last thousand records there were bad, as `consumers.admission` encodes them.
        forgiven_until: Bad records before this offset do not speak against it.
        stopped_reason: Why its records are dead letters from then on; None: they are counted.
        blind_since, blind_until: Event times (ms) between which its records are missing; None: not, or not yet.
    """

    key: PartitionKey
    model_id: int
    recent_bad: bytes | None = None
    forgiven_until: int = 0
    stopped_reason: str | None = None
    blind_since: int | None = None
    blind_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedModel:
    """A model that stands still in one partition, since a moment by the database's clock (ISO)."""

    model_id: int
    model: ModelKey
    source: PartitionKey
    reason: str
    stopped_at: str


def load_intake(connection: sa.Connection, key: PartitionKey) -> tuple[IntakeRow, ...]:
    """Return every model of which the partition remembers something."""
    rows = connection.execute(sa.select(model_intake).where(_of(key)))
    return tuple(
        IntakeRow(key=key, model_id=row.model_id, **{name: getattr(row, name) for name in _WRITTEN}) for row in rows
    )


def save_intake(connection: sa.Connection, rows: Sequence[IntakeRow]) -> None:
    """Write *rows*; the caller holds their partitions and has moved them in the same transaction.

    Rows of a model that was removed meanwhile are left out: its stop may be remembered longer than the model.
    """
    if not rows:
        return
    known = sa.select(model.c.id).where(model.c.id == sa.func.any([row.model_id for row in rows]))
    model_ids = set(connection.execute(known.with_for_update(read=True, key_share=True)).scalars())
    rows = [row for row in rows if row.model_id in model_ids]
    if not rows:
        return
    new = insert(model_intake)
    now = sa.func.clock_timestamp()
    written = {name: new.excluded[name] for name in _WRITTEN}
    stopped_at = sa.case((new.excluded.stopped_reason.is_not(None), sa.func.coalesce(model_intake.c.stopped_at, now)))
    statement = new.values(stopped_at=sa.case((sa.bindparam("is_stopped", type_=sa.Boolean), now)))
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["topic", "partition", "model_id"], set_={**written, "stopped_at": stopped_at}
        ),
        [
            {
                "topic": row.key.topic,
                "partition": row.key.partition,
                "model_id": row.model_id,
                **{name: getattr(row, name) for name in _WRITTEN},
                "is_stopped": row.stopped_reason is not None,
            }
            for row in sorted(rows, key=lambda row: (row.key, row.model_id))
        ],
    )


def stopped_models(connection: sa.Connection, *, model_id: int | None = None) -> tuple[StoppedModel, ...]:
    """Return where models stand still, by model and partition; of one model if given."""
    query = (
        sa.select(model_intake, model.c.namespace, model.c.name)
        .join(model, model.c.id == model_intake.c.model_id)
        .where(model_intake.c.stopped_reason.is_not(None))
        .order_by(model.c.namespace, model.c.name, model_intake.c.topic, model_intake.c.partition)
    )
    if model_id is not None:
        query = query.where(model_intake.c.model_id == model_id)
    return tuple(
        StoppedModel(
            model_id=row.model_id,
            model=ModelKey(row.namespace, row.name),
            source=PartitionKey(row.topic, row.partition),
            reason=row.stopped_reason,
            stopped_at=row.stopped_at.isoformat(),
        )
        for row in connection.execute(query)
    )


def resume_model(connection: sa.Connection, model_id: int) -> tuple[StoppedModel, ...]:
    """Count the model's records again wherever it stands still, from the next one on; return where that was.

    The workers notice within seconds. Bad records that are in the topic by then do not stop it again.
    """
    stopped = stopped_models(connection, model_id=model_id)
    newest = (
        sa.select(input_offset.c.max_event_time)
        .where(input_offset.c.topic == model_intake.c.topic, input_offset.c.partition == model_intake.c.partition)
        .scalar_subquery()
    )
    connection.execute(
        sa.update(model_intake)
        .where(model_intake.c.model_id == model_id, model_intake.c.stopped_reason.is_not(None))
        .values(
            stopped_reason=None,
            stopped_at=None,
            recent_bad=None,
            forgiven_until=UNTIL_END,
            blind_until=sa.func.coalesce(newest, model_intake.c.blind_since),
        )
    )
    return stopped


def blind_spans(connection: sa.Connection, model_id: int) -> tuple[BlindSpan, ...]:
    """Return of which event times predictions of the model are missing, because it stood still in a partition.

    Read it after the watermark: what lies under that is complete, or blind.
    """
    rows = connection.execute(
        sa.select(model_intake.c.blind_since, model_intake.c.blind_until)
        .join(
            input_offset,
            sa.and_(
                input_offset.c.topic == model_intake.c.topic,
                input_offset.c.partition == model_intake.c.partition,
                input_offset.c.role == TopicRole.PREDICTIONS.value,
            ),
        )
        .where(model_intake.c.model_id == model_id, model_intake.c.blind_since.is_not(None))
        .order_by(model_intake.c.blind_since, model_intake.c.blind_until)
    )
    return tuple(BlindSpan(since, until) for since, until in rows)


def forget_intake(connection: sa.Connection, key: PartitionKey) -> None:
    """Forget the recent records of a partition that is read from one of its ends; who stands still there still does."""
    connection.execute(sa.delete(model_intake).where(_of(key), model_intake.c.stopped_reason.is_(None)))


def _of(key: PartitionKey) -> sa.ColumnElement[bool]:
    return sa.and_(model_intake.c.topic == key.topic, model_intake.c.partition == key.partition)
