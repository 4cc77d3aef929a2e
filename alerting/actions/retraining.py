"""Whether a retraining may be asked for: not where a rollback cures, once an incident, then ever more rarely; pure."""

from alerting.actions.evidence import Decisions, PastAction, Proposal, RollbackEvidence, Situation
from alerting.actions.rails import budget_refusal, counted, switched_off, wrong_kind
from alerting.actions.reasons import Ground, Refusal, strength
from alerting.actions.rollback_targets import serving_since
from monitor.deployments import periods, replaced_versions
from monitor.spec.actions import RetrainingSpec
from monitor.types import ActionKind, ActionState, Stage, Tier
from monitor.units import DAY_MILLIS, millis

MONTH_MILLIS = 30 * DAY_MILLIS
STANDS_FOR_LONG_MILLIS = 14 * DAY_MILLIS
"""An incident that is open so long although a retraining was asked for is perhaps the new normal."""
GROWTH = 7
"""How much longer than the last the next distance between two requests of one incident is."""

_OVER = frozenset(
    {
        ActionState.FAILED,
        ActionState.EXPIRED,
        ActionState.REJECTED,
        ActionState.SUCCEEDED,
        ActionState.SUPERSEDED,
    }
)
_RESULT_NEVER_COMES = frozenset({ActionState.ACCEPTED, ActionState.DRY_RUN})
_PENDING = {
    ActionState.DISPATCHING: Refusal.ALREADY_RUNNING,
    ActionState.AWAITING_APPROVAL: Refusal.AWAITING_APPROVAL,
}


def retraining_refusal(
    situation: Situation,
    proposal: Proposal,
    evidence: RollbackEvidence,
    *,
    rules: RetrainingSpec,
    rollback_asked: bool = False,
) -> Refusal | None:
    """Return why no retraining may be requested, None when it may.

    Args:
        evidence: Of the version; what its windows show is needed only where a rollback of it was rejected.
        rollback_asked: A rollback of the version was granted just now.
    """
    if refusal := switched_off(situation, ActionKind.RETRAINING, rules.mode) or wrong_kind(situation, proposal):
        return refusal
    if proposal.tier < Tier.ALERT:
        return Refusal.TIER_BELOW_ALERT
    if situation.common_cause:
        return Refusal.COMMON_CAUSE
    if not proposal.fresh:
        return Refusal.STALE
    if proposal.version in replaced_versions(situation.history):
        return Refusal.SUPERSEDED
    if rollback_asked or _rollback_cures(situation, proposal, evidence):
        return Refusal.ROLLBACK_IS_THE_CURE
    if _shift_accepted(situation, proposal, evidence):
        return Refusal.SHIFT_ACCEPTED
    earlier = counted(situation.earlier, ActionKind.RETRAINING, rules.mode)
    own = sum(action.incident_id == proposal.incident_id for action in earlier)
    stands_for_long = proposal.window_end - proposal.opened_end >= STANDS_FOR_LONG_MILLIS
    if own and stands_for_long:
        return Refusal.ADOPT_REFERENCE
    if refusal := next((_PENDING[action.state] for action in earlier if action.state in _PENDING), None):
        return refusal
    distance = _distance(own, cooldown=millis(rules.cooldown))
    if refusal := budget_refusal(
        earlier, situation, span=MONTH_MILLIS, most=rules.max_per_month, distance=max(distance, millis(rules.cooldown))
    ):
        return refusal
    if all(_result_known(action, situation) for action in earlier):
        return None
    # Of another incident, and perhaps never known: this one must not wait for it in silence.
    return Refusal.ADOPT_REFERENCE if stands_for_long else Refusal.RESULT_UNKNOWN


def _distance(own: int, *, cooldown: int) -> int:
    """Return the least time (ms) after the last of *own* requests of this incident: 24 h, then 7 d, then 30 d."""
    return min(cooldown * GROWTH ** (own - 1), MONTH_MILLIS) if own else 0


def rejected_rollbacks(situation: Situation, version: str) -> list[PastAction]:
    """Return the rollbacks of *version* that people rejected since it serves without a break."""
    since = serving_since(situation.history, version)
    return [
        action
        for action in situation.earlier
        if action.kind is ActionKind.ROLLBACK
        and action.from_version == version
        and action.state is ActionState.REJECTED
        and action.window_end >= since
    ]


def _rollback_cures(situation: Situation, proposal: Proposal, evidence: RollbackEvidence) -> bool:
    """Return whether going back is, or may be, the cure; what a person has rejected is not."""
    if any(
        action.kind is ActionKind.ROLLBACK
        and action.from_version == proposal.version
        and action.state in (ActionState.DISPATCHING, ActionState.AWAITING_APPROVAL)
        for action in situation.earlier
    ):
        return True
    return evidence.version_bound and not rejected_rollbacks(situation, proposal.version)


def _shift_accepted(situation: Situation, proposal: Proposal, evidence: RollbackEvidence) -> bool:
    """Return whether what asks is the shift for which a person rejected going back: there is nothing to cure.

    Worse labels and drifting inputs are something else, and so is another shift later, beyond the look-back.
    """
    if not evidence.prediction_alone or evidence.worse is not None:
        return False
    return any(
        (evidence.version_bound or action.incident_id == proposal.incident_id)
        and (evidence.fine is not None or _accepts_shift(action, evidence.decisions))
        for action in rejected_rollbacks(situation, proposal.version)
    )


def _accepts_shift(action: PastAction, decisions: Decisions) -> bool:
    """Return whether what was rejected was about a shift and not about labels, and the decisions are as they were."""
    of_shift = strength(action.reason) == 0 or action.reason == Ground.CRITICAL_ALONE
    return of_shift and not (action.reason == Ground.RECALIBRATED and decisions is Decisions.CHANGED)


def _result_known(action: PastAction, situation: Situation) -> bool:
    """Return whether it is known what came of a request, or whether that no longer matters."""
    if action.state in _OVER:
        return True
    if situation.adopted_at is not None and situation.adopted_at > action.decided_at:
        return True
    if _new_version_since(situation, action.decided_at):
        return True
    return action.state in _RESULT_NEVER_COMES and action.incident_id not in situation.open_incidents


def _new_version_since(situation: Situation, moment: int) -> bool:
    first_served: dict[str, int] = {}
    for period in periods(situation.history):
        if period.stage in (Stage.CANARY, Stage.PRODUCTION):
            first_served.setdefault(period.version, period.start)
    return any(start > moment for start in first_served.values())
