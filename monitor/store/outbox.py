"""The outbox: effects committed with their decision, leased, sent, closed with the lease's epoch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime, to_millis
from monitor.store.rows import value_of
from monitor.store.schema import action, endpoint, model, outbox
from monitor.types import DeliveryState, EffectKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A row to be sent; *not_after* is wall-clock milliseconds."""

    id: str
    kind: EffectKind
    event_type: str
    endpoint_id: int
    incident_id: str | None
    action_id: str | None
    dedupe_key: str
    body: bytes
    not_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A leased row and where it goes; only the holder of *epoch* may close it."""

    effect: Effect
    endpoint_name: str
    endpoint_type: str
    url: str | None
    secret_env: str | None
    epoch: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueEffect:
    """A row whose deadline passed, with what became of its last attempt.

    Attributes:
        last_status: Of the HTTP answer; None: there was none.
        model_held: It is the request of an action of a model whose switch holds its actions.
    """

    effect: Effect
    attempts: int
    last_status: int | None
    last_error: str | None
    model_held: bool


def append_effects(connection: sa.Connection, effects: Sequence[Effect], *, now_millis: int) -> None:
    """Append the effects, due at once; one whose dedupe key is known is the same decision and not written again."""
    for effect in effects:
        moments = {"next_attempt_at": to_datetime(now_millis), "not_after": to_datetime(effect.not_after)}
        statement = insert(outbox).values(asdict(effect) | moments)
        connection.execute(statement.on_conflict_do_nothing())


_OF_HELD_MODEL = (
    sa.select(action.c.id)
    .join(model, model.c.id == action.c.model_id)
    .where(action.c.id == outbox.c.action_id, model.c.held)
    .correlate(outbox)
    .exists()
)


def _due(now_millis: int, *, actions_enabled: bool) -> sa.ColumnElement[bool]:
    """The kill switches count at each attempt: an action that waits for its next one is held until its deadline."""
    now = to_datetime(now_millis)
    may_act = ~_OF_HELD_MODEL if actions_enabled else sa.false()
    return sa.and_(
        outbox.c.state == DeliveryState.PENDING.value,
        outbox.c.next_attempt_at <= now,
        sa.or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < now),
        outbox.c.not_after >= now,
        sa.or_(outbox.c.kind != EffectKind.ACTION.value, may_act),
    )


def _answering(now_millis: int) -> sa.ColumnElement[bool]:
    return sa.or_(endpoint.c.broken_until.is_(None), endpoint.c.broken_until <= to_datetime(now_millis))


def due_endpoints(connection: sa.Connection, *, now_millis: int, actions_enabled: bool = True) -> tuple[int, ...]:
    """Return the endpoints with something to send now and a closed breaker."""
    rows = connection.execute(
        sa.select(outbox.c.endpoint_id)
        .join(endpoint, endpoint.c.id == outbox.c.endpoint_id)
        .where(_due(now_millis, actions_enabled=actions_enabled), _answering(now_millis))
        .distinct()
        .order_by(outbox.c.endpoint_id)
    )
    return tuple(rows.scalars())


def take_lease(
    connection: sa.Connection,
    endpoint_id: int,
    *,
    owner: str,
    now_millis: int,
    lease_millis: int,
    actions_enabled: bool = True,
) -> Lease | None:
    """Lease the endpoint's next due row; None when there is none, or one is under way anywhere.

    The endpoint's row is locked meanwhile, so that at most one delivery per endpoint is under way among all alerters.
    """
    place = connection.execute(
        sa.select(endpoint)
        .where(endpoint.c.id == endpoint_id, _answering(now_millis))
        .with_for_update(key_share=True, skip_locked=True)
    ).one_or_none()
    if place is None or _is_under_way(connection, endpoint_id, now_millis):
        return None
    row = connection.execute(
        sa.select(outbox)
        .where(outbox.c.endpoint_id == endpoint_id, _due(now_millis, actions_enabled=actions_enabled))
        .order_by(outbox.c.next_attempt_at, outbox.c.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    leased = connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == row.id)
        .values(
            lease_owner=owner,
            lease_epoch=outbox.c.lease_epoch + 1,
            lease_until=to_datetime(now_millis + lease_millis),
            attempts=outbox.c.attempts + 1,
        )
        .returning(outbox.c.lease_epoch, outbox.c.attempts)
    ).one()
    return Lease(
        effect=_effect(row),
        endpoint_name=place.name,
        endpoint_type=place.type,
        url=place.url,
        secret_env=place.secret_env,
        epoch=leased.lease_epoch,
        attempt=leased.attempts,
    )


def _is_under_way(connection: sa.Connection, endpoint_id: int, now_millis: int) -> bool:
    leased = sa.select(outbox.c.id).where(
        outbox.c.endpoint_id == endpoint_id,
        outbox.c.state == DeliveryState.PENDING.value,
        outbox.c.lease_until >= to_datetime(now_millis),
    )
    return connection.execute(leased.limit(1)).one_or_none() is not None


def close_lease(
    connection: sa.Connection,
    lease: Lease,
    *,
    state: DeliveryState,
    status: int | None,
    error: str | None,
    now_millis: int,
    next_attempt_at: int | None = None,
) -> bool:
    """Write what became of the attempt; False when the lease is no longer ours and nothing was written."""
    values: dict[str, object] = {
        "state": state.value,
        "last_status": status,
        "last_error": error,
        "lease_owner": None,
        "lease_until": None,
    }
    if next_attempt_at is not None:
        values["next_attempt_at"] = to_datetime(next_attempt_at)
    if state is not DeliveryState.PENDING:
        values["closed_at"] = to_datetime(now_millis)
    changed = connection.execute(
        sa.update(outbox)
        .where(
            outbox.c.id == lease.effect.id,
            outbox.c.lease_epoch == lease.epoch,
            outbox.c.state == DeliveryState.PENDING.value,
        )
        .values(**values)
    )
    return changed.rowcount == 1


def expire_overdue(connection: sa.Connection, *, now_millis: int) -> tuple[OverdueEffect, ...]:
    """Close every unsent row past its deadline that nobody is sending; return them."""
    now = to_datetime(now_millis)
    overdue = (
        sa.select(outbox.c.id)
        .where(
            outbox.c.state == DeliveryState.PENDING.value,
            outbox.c.not_after < now,
            sa.or_(outbox.c.lease_until.is_(None), outbox.c.lease_until < now),
        )
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(
        sa.update(outbox)
        .where(outbox.c.id == sa.func.any(sa.func.array(overdue.scalar_subquery())))  # an array: see `take_inbox`
        .values(state=DeliveryState.EXPIRED.value, closed_at=now)
        .returning(outbox, _OF_HELD_MODEL.label("model_held"))
    )
    return tuple(value_of(OverdueEffect, row, effect=_effect(row)) for row in rows)


def _effect(row: sa.Row[*tuple[Any, ...]]) -> Effect:
    return value_of(Effect, row, not_after=to_millis(row.not_after))
