"""Holds of actions: placed and released by people, read at each decision and each delivery."""

from typing import Any

import sqlalchemy as sa

from monitor.action_holds import ActionHold, HoldScope
from monitor.clock import to_datetime, to_millis
from monitor.store.rows import value_of
from monitor.store.schema import action, hold, model
from monitor.types import ActionKind, ModelKey


def place_hold(
    connection: sa.Connection,
    scope: HoldScope,
    *,
    model_id: int | None,
    who: str,
    why: str,
    now_millis: int,
    until: int | None,
) -> tuple[ActionHold, tuple[ActionHold, ...]]:
    """Hold the actions in *scope* from now on; return the hold, and those of the very same scope that it replaces.

    No model is locked: a hold does not wait for an evaluation that is under way.

    Args:
        model_id: Of the scope's model, where it has one.
        until: Wall-clock ms; None: until it is released.
    """
    replaced = tuple(known for known in active_holds(connection, now_millis=now_millis) if known.scope == scope)
    release_holds(connection, replaced, who=who, why="replaced by another hold")
    placed = connection.execute(
        sa.insert(hold)
        .values(
            model_id=model_id,
            namespace=scope.namespace,
            kind=None if scope.kind is None else scope.kind.value,
            who=who,
            why=why,
            until=None if until is None else to_datetime(until),
        )
        .returning(hold.c.id)
    ).scalar_one()
    (fresh,) = _read(connection, hold.c.id == placed)
    return fresh, replaced


def release_holds(connection: sa.Connection, holds: tuple[ActionHold, ...], *, who: str, why: str) -> None:
    """Release *holds*; one that somebody released meanwhile stays as it is."""
    connection.execute(
        sa.update(hold)
        .where(hold.c.id.in_([released.id for released in holds]), hold.c.released_at.is_(None))
        .values(released_at=sa.func.clock_timestamp(), released_by=who, released_why=why)
    )


def active_holds(connection: sa.Connection, *, now_millis: int) -> tuple[ActionHold, ...]:
    """Return every hold that stops something now, oldest first."""
    return _read(connection, _active(now_millis))


def past_holds(connection: sa.Connection, *, now_millis: int, limit: int) -> tuple[ActionHold, ...]:
    """Return holds that were released or ended, newest first."""
    return _read(connection, ~_active(now_millis), newest=limit)


def holds_of_model(connection: sa.Connection, model_id: int, *, now_millis: int) -> tuple[ActionHold, ...]:
    """Return the holds that stop actions of one model now, those of its namespace and of all models too."""
    mine = sa.select(model.c.id).where(model.c.id == model_id, _covers()).correlate(hold).exists()
    return _read(connection, sa.and_(_active(now_millis), mine))


def held_action(of: sa.Column[Any], *, now_millis: int) -> sa.ColumnElement[bool]:
    """Return the condition that the action whose id the column *of* has is held now."""
    return (
        sa.select(action.c.id)
        .join(model, model.c.id == action.c.model_id)
        .join(hold, sa.and_(_covers(), _stops_kind()))
        .where(action.c.id == of, _active(now_millis))
        .correlate(of.table)
        .exists()
    )


def hold_of_action(connection: sa.Connection, action_id: str, *, now_millis: int) -> ActionHold | None:
    """Return the oldest hold that stops one action now."""
    mine = (
        sa.select(action.c.id)
        .join(model, model.c.id == action.c.model_id)
        .where(action.c.id == action_id, _covers(), _stops_kind())
        .correlate(hold)
        .exists()
    )
    return next(iter(_read(connection, sa.and_(_active(now_millis), mine))), None)


def _active(now_millis: int) -> sa.ColumnElement[bool]:
    not_over = sa.or_(hold.c.until.is_(None), hold.c.until > to_datetime(now_millis))
    return sa.and_(hold.c.released_at.is_(None), not_over)


def _covers() -> sa.ColumnElement[bool]:
    """Return the condition that a hold is of a model, its namespace or all."""
    everything = sa.and_(hold.c.model_id.is_(None), hold.c.namespace.is_(None))
    return sa.or_(hold.c.model_id == model.c.id, hold.c.namespace == model.c.namespace, everything)


def _stops_kind() -> sa.ColumnElement[bool]:
    return sa.or_(hold.c.kind.is_(None), hold.c.kind == action.c.kind)


def _read(
    connection: sa.Connection, condition: sa.ColumnElement[bool], *, newest: int | None = None
) -> tuple[ActionHold, ...]:
    query = (
        sa.select(hold, model.c.namespace.label("model_namespace"), model.c.name.label("model_name"))
        .outerjoin(model, model.c.id == hold.c.model_id)
        .where(condition)
    )
    order = (hold.c.since, hold.c.id) if newest is None else (hold.c.since.desc(), hold.c.id.desc())
    return tuple(_hold(row) for row in connection.execute(query.order_by(*order).limit(newest)))


def _hold(row: sa.Row[tuple[Any, ...]]) -> ActionHold:
    scope = HoldScope(
        model=None if row.model_id is None else ModelKey(row.model_namespace, row.model_name),
        namespace=row.namespace,
        kind=None if row.kind is None else ActionKind(row.kind),
    )
    return value_of(
        ActionHold,
        row,
        scope=scope,
        since=to_millis(row.since),
        until=None if row.until is None else to_millis(row.until),
        released_at=None if row.released_at is None else to_millis(row.released_at),
    )
