"""Turns decisions into outbox rows: one message per model, window end and receiver; one request per action."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid5

import sqlalchemy as sa

from alerting.actions.explanation import explanation
from alerting.actions.proposals import GrantedAction
from alerting.incidents.state import NAMESPACE, IncidentDecision, IncidentState
from alerting.notifications.message import Message, MessageAction, action_outcome, encode_message
from alerting.receivers.outgoing import DEFAULT_URLS
from monitor.spec.actions import ReceiverSpec, ReceiverType, Signed
from monitor.spec.model import ModelSpec
from monitor.stats.heavy_hitters import FrequentValues
from monitor.store.actions import ActionRow, action_by_id, newest_why
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.endpoints import EndpointSpec, ensure_endpoints
from monitor.store.outbox import Effect, append_effects
from monitor.store.unseen_values import unseen_values
from monitor.types import ActionKind, EffectKind, EndpointRole, ModelKey, Statistic, Tier, Urgency
from monitor.units import DAY_MILLIS, MINUTE_MILLIS

NOTIFICATION_LIFETIME_MILLIS = DAY_MILLIS
EVENT_TYPES = {ActionKind.RETRAINING: "model.retrain.requested", ActionKind.ROLLBACK: "model.rollback.requested"}


def unseen_values_to_list(
    connection: sa.Connection, applied: AppliedModel, decision: IncidentDecision, state: IncidentState
) -> dict[str, FrequentValues]:
    """Return, by column, the unseen values to list in the decision's message: of its window, of its findings."""
    columns = {finding.column for finding in state.findings if finding.statistic is Statistic.UNSEEN}
    if not (applied.spec.alerting.tell_values and columns):
        return {}
    return unseen_values(
        connection,
        model_id=applied.model_id,
        version=decision.version,
        since=decision.window_end - decision.length * MINUTE_MILLIS,
        until=decision.window_end,
        columns=columns,
    )


def receiver_endpoint(spec: ModelSpec, receiver: ReceiverSpec) -> EndpointSpec:
    """Return where a receiver of this model is reached."""
    endpoint = _endpoint(spec, EndpointRole.RECEIVERS, receiver.name, receiver.type, receiver)
    return replace(endpoint, url=receiver.url or DEFAULT_URLS.get(receiver.type), receiver=receiver)


def action_endpoint(spec: ModelSpec, kind: ActionKind) -> EndpointSpec:
    """Return where an action of this model is asked for."""
    return _endpoint(spec, EndpointRole.ACTIONS, kind.value, ReceiverType.WEBHOOK, spec.actions.of(kind))


def _endpoint(
    spec: ModelSpec, role: EndpointRole, local_name: str, receiver_type: ReceiverType, signed: Signed
) -> EndpointSpec:
    return EndpointSpec(
        name=f"{spec.key}/{role}/{local_name}",
        role=role,
        local_name=local_name,
        type=receiver_type,
        url=signed.url,
        secrets=signed.secrets,
    )


def endpoints_of(spec: ModelSpec) -> tuple[EndpointSpec, ...]:
    """Return every endpoint the spec names."""
    actions = [action_endpoint(spec, kind) for kind in ActionKind]
    return (
        *(receiver_endpoint(spec, receiver) for receiver in spec.alerting.queued_receivers),
        *(action for action in actions if action.url is not None),
    )


def message_action(row: ActionRow, *, model: ModelKey, why: str = "") -> MessageAction:
    """Return the action as a message shows it; *why*: it failed, expired, or has no known result."""
    return MessageAction(
        explanation=explanation(row, model=model),
        id=row.id,
        kind=row.kind.value,
        state=row.state.value,
        reason=row.reason,
        from_version=row.from_version,
        to_version=row.to_version,
        why=why,
    )


def notification_effect(
    body: Message,
    *,
    applied: AppliedModel,
    receiver: ReceiverSpec,
    endpoints: dict[str, int],
    subject: Sequence[str],
    incident_id: str | None,
    now_millis: int,
) -> Effect:
    """Return the row that sends *body* to one receiver.

    Args:
        subject: What makes the message this one: window end, incident ids with the numbers of their steps, action
            ids. The same subject gives the same id, also in a restored database.
    """
    name = receiver_endpoint(applied.spec, receiver).name
    identifier = str(uuid5(NAMESPACE, "\x1f".join(("notification", name, *subject))))
    return Effect(
        id=identifier,
        kind=EffectKind.NOTIFICATION,
        event_type=body.type,
        endpoint_id=endpoints[name],
        incident_id=incident_id,
        action_id=None,
        dedupe_key=f"notification:{identifier}",
        body=encode_message(body),
        not_after=now_millis + NOTIFICATION_LIFETIME_MILLIS,
        model_id=applied.model_id,
        receiver=receiver.name,
        sequence=body.incidents[0].sequence if body.incidents else None,
        urgency=Urgency.PAGE if Tier.of_word(body.tier) >= Tier.ALERT else Urgency.OTHER,
    )


def outcome_effects(
    body: Message,
    *,
    applied: AppliedModel,
    endpoints: dict[str, int],
    subject: Sequence[str],
    incident_id: str,
    now_millis: int,
) -> list[Effect]:
    """Return one row per receiver: an action was not carried out, or may not have been, and somebody has to decide."""
    return [
        notification_effect(
            body,
            applied=applied,
            receiver=receiver,
            endpoints=endpoints,
            subject=subject,
            incident_id=incident_id,
            now_millis=now_millis,
        )
        for receiver in applied.spec.alerting.queued_receivers
    ]


def action_effect(granted: GrantedAction, *, endpoint_id: int, event_type: str) -> Effect:
    """Return the row that sends the request; its id is the action's."""
    row = granted.row
    return Effect(
        id=row.id,
        kind=EffectKind.ACTION,
        event_type=event_type,
        endpoint_id=endpoint_id,
        incident_id=row.incident_id,
        action_id=row.id,
        dedupe_key=f"action:{row.id}",
        body=granted.body,
        not_after=granted.not_after,
        model_id=row.model_id,
        urgency=Urgency.ACTION,
    )


def notify_of_failed_action(connection: sa.Connection, action_id: str, *, event_type: str, now_millis: int) -> None:
    """Append one message per receiver, in the transaction that closed the action: a human is needed."""
    row = action_by_id(connection, action_id)
    models = {model.model_id: model for model in load_configuration(connection).models}
    applied = models.get(row.model_id)
    if applied is None:
        return
    body = action_outcome(
        model=applied.key,
        alerting=applied.spec.alerting,
        action=message_action(row, model=applied.key, why=newest_why(connection, action_id)),
        event_type=event_type,
        window_end=row.window_end,
        now_millis=now_millis,
    )
    endpoints = ensure_endpoints(connection, endpoints_of(applied.spec), model_id=applied.model_id)
    effects = outcome_effects(
        body,
        applied=applied,
        endpoints=endpoints,
        subject=(event_type, action_id),
        incident_id=row.incident_id,
        now_millis=now_millis,
    )
    append_effects(connection, effects, now_millis=now_millis)
