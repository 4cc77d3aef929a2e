"""Actions: retrainings and rollbacks that were asked for or refused with their reason, and every state they had."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.clock import to_datetime, to_millis
from monitor.store.rows import value_of
from monitor.store.schema import IS_OPEN, action, action_step, incident, model
from monitor.types import ActionKind, ActionState, Tier

_SENT = (
    ActionState.DISPATCHING,
    ActionState.ACCEPTED,
    ActionState.SUCCEEDED,
    ActionState.FAILED,
    ActionState.UNKNOWN,
    ActionState.EXPIRED,
)
_BUDGET_LOCK = 7_246_871  # of the hourly budget of all models, held until the transaction ends


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
    """An action as stored; *decided_at* and *expires_at* are wall-clock milliseconds.

    Attributes:
        request: The JSON that is or would be sent.
        expires_at: Until when people may approve it, where they must.
    """

    model_id: int
    attempt: int
    request: str
    decided_at: int
    expires_at: int | None = None


def insert_action(connection: sa.Connection, row: ActionRow, *, why: str = "") -> bool:
    """Insert the action and its first step unless its id is known; return whether it is new.

    The first step of one that waits has its reason, which newer evidence may replace; of others it is *why*.
    """
    stored = {
        "request": json.loads(row.request),
        "decided_at": to_datetime(row.decided_at),
        "expires_at": None if row.expires_at is None else to_datetime(row.expires_at),
    }
    statement = insert(action).values(asdict(row) | stored)
    inserted = connection.execute(statement.on_conflict_do_nothing().returning(action.c.id)).scalar()
    if inserted is not None:
        said = row.reason if row.state is ActionState.AWAITING_APPROVAL else why
        _append_step(connection, row.id, row.state, who=None, why=said)
    return inserted is not None


def set_action_state(
    connection: sa.Connection, action_id: str, state: ActionState, *, who: str | None = None, why: str = ""
) -> None:
    """Move one action to *state*; *who* did it (None: Driftline), and *why*."""
    statement = sa.update(action).where(action.c.id == action_id, action.c.state != state.value)
    if connection.execute(statement.values(state=state.value)).rowcount:
        _append_step(connection, action_id, state, who=who, why=why)


def _append_step(connection: sa.Connection, action_id: str, state: ActionState, *, who: str | None, why: str) -> None:
    connection.execute(sa.insert(action_step).values(action_id=action_id, state=state.value, who=who, why=why))


def newest_why(connection: sa.Connection, action_id: str) -> str:
    """Return why the action came to the state that it is in; empty where nothing was said of it."""
    steps = sa.select(action_step.c.why).where(action_step.c.action_id == action_id)
    return connection.execute(steps.order_by(action_step.c.id.desc()).limit(1)).scalar() or ""


def note_action(connection: sa.Connection, action_id: str, *, why: str) -> None:
    """Record as a step why an action is still in the state that it is in; repeated, it changes nothing."""
    state = action_by_id(connection, action_id, lock=True).state
    if newest_why(connection, action_id) != why:
        _append_step(connection, action_id, state, who=None, why=why)


def approved_by(connection: sa.Connection, action_id: str) -> str | None:
    """Return who approved an action; None: nobody, it was sent without."""
    sent = sa.and_(action_step.c.state == ActionState.DISPATCHING.value, action_step.c.who.is_not(None))
    query = sa.select(action_step.c.who).where(action_step.c.action_id == action_id, sent)
    return connection.execute(query.order_by(action_step.c.id).limit(1)).scalar()


def record_evidence(connection: sa.Connection, action_id: str, *, ground: str, evidence: str) -> bool:
    """Record as a step what the newest windows show of an action that waits; return whether it is new.

    Repeated, or of an action that waits no more, it changes nothing.
    """
    if action_by_id(connection, action_id, lock=True).state is not ActionState.AWAITING_APPROVAL:
        return False
    if newest_why(connection, action_id) == evidence:
        return False
    connection.execute(sa.update(action).where(action.c.id == action_id).values(reason=ground))
    _append_step(connection, action_id, ActionState.AWAITING_APPROVAL, who=None, why=evidence)
    return True


def replace_request(connection: sa.Connection, action_id: str, request: str) -> None:
    """Store what is really sent, where that differs from what was put to people: its deadline."""
    connection.execute(sa.update(action).where(action.c.id == action_id).values(request=json.loads(request)))


def action_by_id(connection: sa.Connection, action_id: str, *, lock: bool = False) -> ActionRow:
    """Return one action, which must exist; *lock*: nobody else moves it until the transaction ends."""
    query = sa.select(action).where(action.c.id == action_id)
    return action_of_row(connection.execute(query.with_for_update(key_share=True) if lock else query).one())


def granted_actions(connection: sa.Connection, model_id: int) -> tuple[ActionRow, ...]:
    """Return the model's actions that were not refused, oldest first."""
    rows = connection.execute(
        sa.select(action)
        .where(action.c.model_id == model_id, action.c.state != ActionState.REFUSED.value)
        .order_by(action.c.decided_at, action.c.id)
    )
    return tuple(action_of_row(row) for row in rows)


def expired_approvals(connection: sa.Connection, *, now_millis: int) -> tuple[str, ...]:
    """Return ids of actions that nobody approved in time; each is locked, and no one else's."""
    rows = connection.execute(
        sa.select(action.c.id)
        .where(action.c.state == ActionState.AWAITING_APPROVAL.value, action.c.expires_at < to_datetime(now_millis))
        .order_by(action.c.id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    return tuple(rows.scalars())


def sent_actions_since(connection: sa.Connection, *, since: int) -> int:
    """Return how many actions of all models were sent since then (wall-clock ms); others wait until we commit."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_BUDGET_LOCK)))
    query = (
        sa.select(sa.func.count())
        .select_from(action)
        .where(action.c.decided_at >= to_datetime(since), action.c.state.in_([state.value for state in _SENT]))
    )
    return int(connection.execute(query).scalar_one())


def other_models_bad(
    connection: sa.Connection, namespace: str, *, except_model: int, first_end: int, last_end: int
) -> int:
    """Return how many other models of a namespace have an open incident of tier alert that began in that time (ms)."""
    query = (
        sa.select(sa.func.count(sa.distinct(incident.c.model_id)))
        .join(model, model.c.id == incident.c.model_id)
        .where(
            model.c.namespace == namespace,
            model.c.id != except_model,
            IS_OPEN,
            incident.c.tier >= Tier.ALERT,
            incident.c.first_end.between(first_end, last_end),
        )
    )
    return int(connection.execute(query).scalar_one())


def action_of_row(row: sa.Row[*tuple[Any, ...]]) -> ActionRow:
    """Return the action that a row of its table holds."""
    return value_of(
        ActionRow,
        row,
        request=json.dumps(row.request, sort_keys=True),
        decided_at=to_millis(row.decided_at),
        expires_at=None if row.expires_at is None else to_millis(row.expires_at),
    )
