"""Tells a model's receivers that an action was not carried out: a human has to."""

import sqlalchemy as sa

from alerting.announce import action_told, endpoints_of, notifications
from alerting.message import action_outcome
from monitor.store.actions import action_by_id
from monitor.store.configuration import load_configuration
from monitor.store.endpoints import ensure_endpoints
from monitor.store.outbox import append_effects


def tell_of_failed_action(connection: sa.Connection, action_id: str, *, event_type: str, now_millis: int) -> None:
    """Append one message per receiver in the same transaction that closed the action."""
    row = action_by_id(connection, action_id)
    models = {each.model_id: each for each in load_configuration(connection).models}
    applied = models.get(row.model_id)
    if applied is None:
        return
    body = action_outcome(
        model=applied.key,
        alerting=applied.spec.alerting,
        action=action_told(row),
        event_type=event_type,
        window_end=row.window_end,
        now_millis=now_millis,
    )
    endpoints = ensure_endpoints(connection, endpoints_of(applied.spec))
    effects = notifications(
        body, spec=applied.spec, endpoints=endpoints, subject=(event_type, action_id), now_millis=now_millis
    )
    append_effects(connection, effects, now_millis=now_millis)
