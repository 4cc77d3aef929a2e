"""Messages of the outbox that wait: what a newer one takes the place of, and which wait for too long."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import sqlalchemy as sa

from monitor.clock import to_datetime, to_millis
from monitor.store.outbox import Effect, effect_of
from monitor.store.schema import outbox
from monitor.types import DeliveryState, EffectKind


def waiting_messages(connection: sa.Connection, endpoint_ids: Collection[int]) -> tuple[Effect, ...]:
    """Return the messages to these endpoints that were not delivered so far, under way or not, newest first.

    Each with the time since when its receiver misses something.
    """
    rows = connection.execute(
        sa.select(outbox)
        .where(
            outbox.c.endpoint_id.in_(endpoint_ids),
            outbox.c.state == DeliveryState.PENDING.value,
            outbox.c.kind == EffectKind.NOTIFICATION.value,
        )
        .order_by(outbox.c.created_at.desc())
    )
    return tuple(
        replace(effect_of(row), undelivered_since=to_millis(row.undelivered_since or row.created_at)) for row in rows
    )


def take_long_undelivered(connection: sa.Connection, *, before_millis: int, now_millis: int) -> tuple[Effect, ...]:
    """Return the messages whose receiver misses something since before then; it counts from now on."""
    rows = connection.execute(
        sa.update(outbox)
        .where(
            outbox.c.state == DeliveryState.PENDING.value,
            outbox.c.kind == EffectKind.NOTIFICATION.value,
            outbox.c.undelivered_since < to_datetime(before_millis),
        )
        .values(undelivered_since=to_datetime(now_millis))
        .returning(outbox)
    )
    return tuple(effect_of(row) for row in rows)


def supersede(connection: sa.Connection, ids: Sequence[str], *, now_millis: int) -> None:
    """Let the rows never be sent again: a newer one has what they say.

    One that is under way keeps its lease, and nothing else is sent to its endpoint until that ends.
    """
    if ids:
        connection.execute(
            sa.update(outbox)
            .where(outbox.c.id.in_(ids), outbox.c.state == DeliveryState.PENDING.value)
            .values(state=DeliveryState.SUPERSEDED.value, closed_at=to_datetime(now_millis))
        )
