"""Whether an action that waits for a person may be sent now: the rails that can have changed since; pure."""

from alerting.actions.evidence import RollbackEvidence, Situation
from alerting.actions.rails import switched_off
from alerting.actions.reasons import Refusal
from alerting.actions.rollback_targets import serving_period
from monitor.spec.actions import ActionMode
from monitor.types import ActionKind, ActionState


def approval_refusal(
    situation: Situation,
    evidence: RollbackEvidence,
    *,
    kind: ActionKind,
    from_version: str,
    to_version: str | None,
    mode: ActionMode,
) -> Refusal | None:
    """Return why an approved action is not sent; None when it may be.

    Its evidence may be as old as the approval may be, but a later window must not have removed it.

    Args:
        situation: Its `earlier` actions are those but this one.
        evidence: Of a rollback, as the windows show it now.
    """
    if refusal := switched_off(situation, kind, mode):
        return refusal
    if not mode.sends:
        return Refusal.MODE_OFF
    if situation.data_quality_open:
        return Refusal.DATA_QUALITY_OPEN
    if situation.common_cause:
        return Refusal.COMMON_CAUSE
    if situation.hour_spent:
        return Refusal.HOURLY_BUDGET_SPENT
    states = {action.state for action in situation.earlier if action.kind is kind}
    if ActionState.DISPATCHING in states:
        return Refusal.ALREADY_RUNNING
    if ActionState.UNKNOWN in states:
        return Refusal.RESULT_UNKNOWN
    return _rollback(situation, evidence, from_version, to_version) if kind is ActionKind.ROLLBACK else None


def _rollback(
    situation: Situation, evidence: RollbackEvidence, from_version: str, to_version: str | None
) -> Refusal | None:
    if serving_period(situation.history, from_version) is None:
        return Refusal.SUPERSEDED
    if evidence.fine is not None and evidence.worse is None:
        return Refusal.QUALITY_IS_FINE
    if evidence.shift is None and evidence.inputs is None and evidence.worse is None:
        return Refusal.NO_KEY
    target = next((target for target in evidence.targets if target.version == to_version), None)
    if target is None:
        return Refusal.NO_KNOWN_TARGET
    if target.blocked:
        return Refusal.TARGET_BLOCKED
    if target.flagged or target.shows_it:
        return Refusal.COMMON_CAUSE if target.serves else Refusal.TARGET_FLAGGED
    return None
