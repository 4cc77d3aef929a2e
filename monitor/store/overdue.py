"""Closes what was not sent within its deadline, with who held it; an action past its own is never sent."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from monitor.action_holds import ActionHold
from monitor.clock import to_datetime
from monitor.store.action_holds import hold_of_action
from monitor.store.outbox import Effect, effect_of, is_leased
from monitor.store.rows import value_of
from monitor.store.schema import outbox
from monitor.types import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueEffect:
    """A row whose deadline passed, with what became of its last attempt.

    Attributes:
        last_status: Of the HTTP answer; None: there was none.
        maybe_received: One of its attempts had no answer, or was cut off.
        hold: By which people hold the action whose request it is.
    """

    effect: Effect
    attempts: int
    last_status: int | None
    last_error: str | None
    maybe_received: bool
    hold: ActionHold | None


def expire_overdue(connection: sa.Connection, *, now_millis: int) -> tuple[OverdueEffect, ...]:
    """Close every unsent row past its deadline that nobody is sending; return them."""
    now = to_datetime(now_millis)
    overdue = (
        sa.select(outbox.c.id)
        .where(
            outbox.c.state == DeliveryState.PENDING.value,
            outbox.c.not_after < now,
            ~is_leased(now_millis),
        )
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == sa.func.any(sa.func.array(overdue.scalar_subquery())))  # an array: see `take_inbox`
        .values(
            state=DeliveryState.EXPIRED.value,
            closed_at=now,
            maybe_received=sa.or_(outbox.c.maybe_received, outbox.c.lease_until.is_not(None)),
        )
        .returning(outbox)
    ).all()
    return tuple(_overdue(connection, row, now_millis) for row in rows)


def _overdue(connection: sa.Connection, row: sa.Row[*tuple[Any, ...]], now_millis: int) -> OverdueEffect:
    held = None if row.action_id is None else hold_of_action(connection, str(row.action_id), now_millis=now_millis)
    return value_of(OverdueEffect, row, effect=effect_of(row), hold=held)
