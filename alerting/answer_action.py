"""What people decide about an action: approve, reject, record its result; one transaction under the model's lock."""

from dataclasses import dataclass, replace

import sqlalchemy as sa

from alerting.actions.approvals import approval_refusal
from alerting.actions.archive import model_facts
from alerting.actions.circumstances import Circumstances
from alerting.actions.evidence import RollbackEvidence
from alerting.actions.proposals import GrantedAction
from alerting.actions.reasons import REFUSALS, Refusal
from alerting.actions.requests import encode_request, request_with_deadline
from alerting.deployed_versions import DeployedVersions
from alerting.incidents.state import decode_state
from alerting.incidents.tracker import IncidentTracker, incident_rules, states_by_key
from alerting.notifications.outbox_rows import EVENT_TYPES, action_effect, action_endpoint, endpoints_of
from monitor.action_holds import hold_on
from monitor.clock import iso_utc
from monitor.errors import DriftlineError
from monitor.settings import Settings
from monitor.store.actions import ActionRow, action_by_id, granted_actions, replace_request, set_action_state
from monitor.store.configuration import AppliedModel, load_configuration
from monitor.store.database_clock import database_now_millis
from monitor.store.endpoints import ensure_endpoints
from monitor.store.incidents import incident_first_end, lock_model, newest_incidents
from monitor.store.outbox import append_effects
from monitor.types import ActionKind, ActionState
from monitor.units import millis

RESULTS = frozenset({ActionState.SUCCEEDED, ActionState.FAILED})
_SENT = (ActionState.ACCEPTED, ActionState.UNKNOWN, ActionState.DISPATCHING)


class ActionAnswerRefused(DriftlineError):
    """The answer cannot be: the message says what was expected, what was found and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Who answers, and why."""

    who: str
    why: str


def approve_action(
    connection: sa.Connection, action_id: str, answer: Answer, *, settings: Settings, now_millis: int | None = None
) -> ActionRow:
    """Send an action that waits for approval, if what can have changed since allows it; the caller commits.

    Raises:
        ActionAnswerRefused: It does not wait (any more), or a rail stands against it; it is left as it is.
    """
    row, applied = _locked(connection, action_id)
    _require_waiting(row)
    now = database_now_millis(connection) if now_millis is None else now_millis
    if row.expires_at is not None and now > row.expires_at:
        raise ActionAnswerRefused(
            f"action {row.id}: nobody approved it until {iso_utc(row.expires_at)}; it has expired"
        )
    _require_rails(connection, row, applied, settings=settings, now_millis=now)
    not_after = now + millis(applied.spec.actions.of(row.kind).deadline)
    body = encode_request(request_with_deadline(row.request, kind=row.kind, not_after=not_after))
    replace_request(connection, row.id, body.decode())
    set_action_state(connection, row.id, ActionState.DISPATCHING, who=answer.who, why=answer.why)
    sent = replace(row, state=ActionState.DISPATCHING, request=body.decode())
    endpoints = ensure_endpoints(connection, endpoints_of(applied.spec), model_id=applied.model_id)
    effect = action_effect(
        GrantedAction(row=sent, body=body, not_after=not_after),
        endpoint_id=endpoints[action_endpoint(applied.spec, row.kind).name],
        event_type=EVENT_TYPES[row.kind],
    )
    append_effects(connection, [effect], now_millis=now)
    return sent


def reject_action(connection: sa.Connection, action_id: str, answer: Answer) -> ActionRow:
    """Close an action that waits for approval: it is never sent; the caller commits.

    Raises:
        ActionAnswerRefused: It does not wait (any more), or no reason is given.
    """
    row, _ = _locked(connection, action_id)
    _require_waiting(row)
    if not answer.why.strip():
        raise ActionAnswerRefused(f"action {row.id}: expected a reason to reject it (--why TEXT), found none")
    set_action_state(connection, row.id, ActionState.REJECTED, who=answer.who, why=answer.why)
    return replace(row, state=ActionState.REJECTED)


def record_result(connection: sa.Connection, action_id: str, result: ActionState, answer: Answer) -> ActionRow:
    """Store what came of an action that was sent; the caller commits.

    Raises:
        ActionAnswerRefused: It was not sent, or its result is known already.
    """
    assert result in RESULTS
    row, _ = _locked(connection, action_id)
    if row.state not in _SENT:
        raise ActionAnswerRefused(
            f"action {row.id}: expected one that was sent and whose result is not known, found one that is "
            f"{row.state.replace('_', ' ')}"
        )
    set_action_state(connection, row.id, result, who=answer.who, why=answer.why)
    return replace(row, state=result)


def _locked(connection: sa.Connection, action_id: str) -> tuple[ActionRow, AppliedModel]:
    model_id = action_by_id(connection, action_id).model_id
    locked = lock_model(connection, model_id, wait=True)
    row = action_by_id(connection, action_id, lock=True)
    applied = next((model for model in load_configuration(connection).models if model.model_id == model_id), None)
    if not locked or applied is None:
        raise ActionAnswerRefused(
            f"action {action_id}: expected an applied model, found that it is not applied any more"
        )
    return row, applied


def _require_waiting(row: ActionRow) -> None:
    if row.state is not ActionState.AWAITING_APPROVAL:
        raise ActionAnswerRefused(
            f"action {row.id}: expected one that waits for approval, found one that is {row.state}: nobody can approve "
            "or reject it any more"
        )


def _require_rails(
    connection: sa.Connection, row: ActionRow, applied: AppliedModel, *, settings: Settings, now_millis: int
) -> None:
    states = [decode_state(stored.state) for stored in newest_incidents(connection, applied.model_id)]
    facts = model_facts(
        connection,
        applied,
        settings=settings,
        now_millis=now_millis,
        history=DeployedVersions(connection, applied, now=now_millis).history,
    )
    earlier = [action for action in granted_actions(connection, applied.model_id) if action.id != row.id]
    circumstances = Circumstances(
        facts=facts,
        tracker=IncidentTracker(
            model=applied.key,
            rules=incident_rules(applied.spec),
            now_millis=now_millis,
            states=states_by_key(states),
        ),
        earlier=earlier,
    )
    began = incident_first_end(connection, row.incident_id)
    situation = circumstances.situation(began=began, at=row.window_end)
    evidence = (
        circumstances.evidence(row.from_version, at=row.window_end, with_windows=True)
        if row.kind is ActionKind.ROLLBACK
        else RollbackEvidence()
    )
    refusal = approval_refusal(
        replace(situation, hour_spent=facts.actions_left() <= 0),
        evidence,
        kind=row.kind,
        from_version=row.from_version,
        to_version=row.to_version,
        mode=applied.spec.actions.of(row.kind).mode,
    )
    if refusal is not None:
        hold = hold_on(facts.holds, row.kind) if refusal is Refusal.ACTIONS_HELD else None
        by = "" if hold is None else f": {hold.words}"
        raise ActionAnswerRefused(f"action {row.id} is not sent ({refusal}): {REFUSALS[refusal]}{by}")
