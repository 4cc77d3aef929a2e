"""The guard: which actions an incident may ask for now, each granted or refused with its reason; pure.

The rails are in `rails` (what both share), `rollback` and `retraining`; what they look at is in `evidence`.
"""

from alerting.actions.evidence import GuardAnswer, Proposal, RollbackEvidence, Situation
from alerting.actions.reasons import Refusal
from alerting.actions.retraining import retraining_refusal
from alerting.actions.rollback import asked_before, shown_rollback
from alerting.actions.waiting import newest_shown
from monitor.spec.actions import ActionMode, ActionsSpec
from monitor.types import ActionKind, Tier


def guard_answers(
    situation: Situation, proposal: Proposal, evidence: RollbackEvidence, *, actions: ActionsSpec
) -> tuple[GuardAnswer, ...]:
    """Return an answer for each action that the tier asks for: rollback when critical, retraining from alert on.

    The rollback comes first: it is the quicker cure, and where it is granted nothing is retrained.
    """
    answers = []
    if proposal.tier >= Tier.CRITICAL:
        answers.append(_rollback(situation, proposal, evidence, actions=actions))
    if proposal.tier >= Tier.ALERT:
        refusal = retraining_refusal(
            situation,
            proposal,
            evidence,
            rules=actions.retraining,
            rollback_asked=any(answer.refusal is None for answer in answers),
        )
        needs_approval = refusal is None and actions.retraining.mode is ActionMode.APPROVE
        answers.append(GuardAnswer(kind=ActionKind.RETRAINING, refusal=refusal, needs_approval=needs_approval))
    return tuple(answers)


def _rollback(
    situation: Situation, proposal: Proposal, evidence: RollbackEvidence, *, actions: ActionsSpec
) -> GuardAnswer:
    shown = shown_rollback(situation, proposal, evidence, rules=actions.rollback)
    refusal = shown if isinstance(shown, Refusal) else asked_before(situation, proposal, shown, rules=actions.rollback)
    if isinstance(shown, Refusal) or refusal is not None:
        newest = newest_shown(situation, proposal, shown, evidence)
        return GuardAnswer(kind=ActionKind.ROLLBACK, refusal=refusal, newest=newest)
    return GuardAnswer(
        kind=ActionKind.ROLLBACK,
        to_version=shown.to_version,
        ground=shown.ground,
        needs_approval=shown.needs_approval or actions.rollback.mode is ActionMode.APPROVE,
    )
