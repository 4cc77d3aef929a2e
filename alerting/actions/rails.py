"""Rails that retraining and rollback share: switches, kinds, what is pending, cooldown and budgets; pure."""

from collections.abc import Sequence

from alerting.actions.evidence import PastAction, Proposal, Situation
from alerting.actions.reasons import LABELLED_GROUNDS, Refusal
from monitor.action_holds import hold_on
from monitor.spec.actions import ActionMode
from monitor.types import ActionKind, ActionState, IncidentKind

AT_WORK = frozenset({ActionState.DISPATCHING, ActionState.ACCEPTED, ActionState.UNKNOWN, ActionState.SUCCEEDED})
"""States of what was carried out, or may have been."""
_NOT_SENT = frozenset({ActionState.AWAITING_APPROVAL, ActionState.REJECTED, ActionState.SUPERSEDED})
_MAYBE_SENT = frozenset({ActionState.DRY_RUN, ActionState.EXPIRED})


def switched_off(situation: Situation, kind: ActionKind, mode: ActionMode) -> Refusal | None:
    """Return which switch stops actions of *kind*: the spec's, that of this process, or a hold."""
    if mode is ActionMode.OFF:
        return Refusal.MODE_OFF
    if not situation.actions_enabled:
        return Refusal.ACTIONS_DISABLED
    return Refusal.ACTIONS_HELD if hold_on(situation.holds, kind) is not None else None


def wrong_kind(situation: Situation, proposal: Proposal) -> Refusal | None:
    """Return why an incident of this kind, or a broken field, never acts."""
    if proposal.kind is IncidentKind.DATA_QUALITY:
        return Refusal.DATA_QUALITY_INCIDENT
    if proposal.kind not in (IncidentKind.DRIFT, IncidentKind.PERFORMANCE):
        return Refusal.KIND_NEVER_ACTS
    return Refusal.DATA_QUALITY_OPEN if situation.data_quality_open else None


def counted(earlier: Sequence[PastAction], kind: ActionKind, mode: ActionMode) -> list[PastAction]:
    """Return what holds the next one back: a dry run holds back dry runs, never the real thing."""
    dry_runs_count = mode is ActionMode.DRY_RUN
    return [
        action
        for action in earlier
        if action.kind is kind and (dry_runs_count or action.state is not ActionState.DRY_RUN)
    ]


def was_sent(action: PastAction) -> bool:
    """Return whether the action counts against cooldown and budgets; of a dry run: whether it would have.

    A retraining that was put to people counts whatever they answered, or each window would ask them again.
    """
    if action.kind is ActionKind.RETRAINING:
        return action.state is not ActionState.SUPERSEDED
    return action.state not in _NOT_SENT and (action.state not in _MAYBE_SENT or action.reason in LABELLED_GROUNDS)


def budget_refusal(
    earlier: Sequence[PastAction], situation: Situation, *, span: int, most: int, distance: int
) -> Refusal | None:
    """Return which budget is spent: *distance* to the last one, *most* of the model in *span*, that of all models."""
    ages = [situation.now_millis - action.decided_at for action in earlier if was_sent(action)]
    if any(age < distance for age in ages):
        return Refusal.COOLDOWN
    if sum(age < span for age in ages) >= most:
        return Refusal.BUDGET_SPENT
    return Refusal.HOURLY_BUDGET_SPENT if situation.hour_spent else None
