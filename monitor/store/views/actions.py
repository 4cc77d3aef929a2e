"""Actions as people look at them: each with its model and every state that it had."""

from dataclasses import dataclass

import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.store.actions import ActionRow, action_of_row
from monitor.store.rows import value_of
from monitor.store.schema import action, action_step, model
from monitor.types import ActionState, ModelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStep:
    """One state of an action since *at* (wall-clock ms); *who* brought it there, None: Driftline."""

    state: ActionState
    who: str | None
    why: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStory:
    """One action, and its states in order.

    Attributes:
        newest_evidence: What the newest windows showed while it waited for a person; else its reason.
    """

    model: ModelKey
    action: ActionRow
    newest_evidence: str
    steps: tuple[ActionStep, ...]


def list_actions(connection: sa.Connection, *, waiting: bool, refused: bool, limit: int) -> tuple[ActionStory, ...]:
    """Return actions, newest first; *waiting*: only those that wait for approval; else *refused* ones too."""
    query = _stories().order_by(action.c.decided_at.desc(), action.c.id).limit(limit)
    if waiting:
        query = query.where(action.c.state == ActionState.AWAITING_APPROVAL.value)
    elif not refused:
        query = query.where(action.c.state != ActionState.REFUSED.value)
    return tuple(_story(connection, row) for row in connection.execute(query))


def action_stories(connection: sa.Connection, *, id_prefix: str) -> tuple[ActionStory, ...]:
    """Return every action whose id begins with *id_prefix*, oldest first."""
    query = _stories().where(sa.cast(action.c.id, sa.Text).startswith(id_prefix, autoescape=True))
    rows = connection.execute(query.order_by(action.c.decided_at, action.c.id)).all()
    return tuple(_story(connection, row) for row in rows)


def _stories() -> sa.Select[tuple[object, ...]]:
    return sa.select(action, model.c.namespace, model.c.name).join(model, model.c.id == action.c.model_id)


def _story(connection: sa.Connection, row: sa.Row[tuple[object, ...]]) -> ActionStory:
    steps = connection.execute(
        sa.select(action_step).where(action_step.c.action_id == row.id).order_by(action_step.c.id)
    )
    story = tuple(value_of(ActionStep, step, at=to_millis(step.at)) for step in steps)
    waited = [step.why for step in story if step.state is ActionState.AWAITING_APPROVAL and step.why]
    return ActionStory(
        model=ModelKey(row.namespace, row.name),
        action=action_of_row(row),
        newest_evidence=waited[-1] if waited else row.reason,
        steps=story,
    )
