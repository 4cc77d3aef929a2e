"""Actions: retrainings and rollbacks that were asked for, and those that were refused with their reason."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime, to_millis
from monitor.store.rows import value_of
from monitor.store.schema import action
from monitor.types import ActionKind, ActionState


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentAction:
    """Something that was asked of another system, or refused with its reason."""

    id: str
    incident_id: str
    kind: ActionKind
    state: ActionState
    reason: str
    from_version: str
    to_version: str | None
    window_end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow(IncidentAction):
    """An action as stored; *decided_at* is wall-clock milliseconds, *request* the JSON that is or would be sent."""

    model_id: int
    attempt: int
    request: str
    decided_at: int


def insert_action(connection: sa.Connection, row: ActionRow) -> bool:
    """Insert the action unless its id is known; return whether it is new."""
    stored = {"request": json.loads(row.request), "decided_at": to_datetime(row.decided_at)}
    statement = insert(action).values(asdict(row) | stored)
    inserted = connection.execute(statement.on_conflict_do_nothing().returning(action.c.id))
    return inserted.scalar() is not None


def set_action_state(connection: sa.Connection, action_id: str, state: ActionState) -> None:
    """Move one action to *state*."""
    connection.execute(sa.update(action).where(action.c.id == action_id).values(state=state.value))


def action_by_id(connection: sa.Connection, action_id: str) -> ActionRow:
    """Return one action, which must exist."""
    return _row(connection.execute(sa.select(action).where(action.c.id == action_id)).one())


def granted_actions(connection: sa.Connection, model_id: int) -> tuple[ActionRow, ...]:
    """Return the model's actions that were not refused, oldest first."""
    rows = connection.execute(
        sa.select(action)
        .where(action.c.model_id == model_id, action.c.state != ActionState.REFUSED.value)
        .order_by(action.c.decided_at, action.c.id)
    )
    return tuple(_row(row) for row in rows)


def _row(row: sa.Row[*tuple[Any, ...]]) -> ActionRow:
    return value_of(
        ActionRow, row, request=json.dumps(row.request, sort_keys=True), decided_at=to_millis(row.decided_at)
    )
