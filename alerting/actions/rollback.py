"""Whether a rollback may be asked for, and to which version: every rail in its order, refusals with reasons; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.actions.evidence import (
    Comparison,
    Decisions,
    PastAction,
    Proposal,
    RollbackEvidence,
    Sighting,
    Situation,
    TargetEvidence,
)
from alerting.actions.rails import AT_WORK, budget_refusal, counted, switched_off, wrong_kind
from alerting.actions.reasons import LABELLED_GROUNDS, Ground, Refusal, strength
from alerting.actions.rollback_targets import ever_deployed, serving_period
from monitor.deployments import DeploymentEvent, Period
from monitor.spec.actions import RollbackSpec
from monitor.types import ActionKind, ActionState, Tier
from monitor.units import DAY_MILLIS, millis

_NEXT_MAY_DO = frozenset(
    {
        Refusal.TARGET_BLOCKED,
        Refusal.TARGET_FLAGGED,
        Refusal.TARGET_TOO_OLD,
        Refusal.TARGET_SCHEMA,
        Refusal.TARGET_BLIND,
    }
)
"""What is wrong with one target and says nothing against the one before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackGrant:
    """A rollback that may be asked for; *needs_approval*: the evidence is not enough without a person."""

    to_version: str
    ground: Ground
    needs_approval: bool


def refusal_before_evidence(situation: Situation, proposal: Proposal, *, rules: RollbackSpec) -> Refusal | None:
    """Return why no rollback is considered whatever the windows show: the rails that cost no query."""
    if refusal := switched_off(situation, ActionKind.ROLLBACK, rules.mode) or wrong_kind(situation, proposal):
        return refusal
    if proposal.tier < Tier.CRITICAL:
        return Refusal.TIER_BELOW_CRITICAL
    if refusal := _no_change_of_version(situation, proposal, rules=rules):
        # What is so of any history says more: a backtest has none.
        return Refusal.INPUT_DRIFT_ONLY if proposal.inputs_alone and rules.keys == 2 else refusal
    judged = serving_period(situation.history, proposal.version)
    assert judged is not None, "just asked"
    of_promotion = _of_promotion(situation, judged, rules)
    if any(action.state in AT_WORK for action in of_promotion) or any(
        action.state is ActionState.DRY_RUN and action.reason in LABELLED_GROUNDS for action in of_promotion
    ):
        return Refusal.PROMOTION_ALREADY_ROLLED_BACK
    return Refusal.COMMON_CAUSE if situation.common_cause else None


def rollback_decision(
    situation: Situation, proposal: Proposal, evidence: RollbackEvidence, *, rules: RollbackSpec
) -> Refusal | RollbackGrant:
    """Return the rollback that may be asked for, or why none may."""
    shown = shown_rollback(situation, proposal, evidence, rules=rules)
    if isinstance(shown, Refusal):
        return shown
    return asked_before(situation, proposal, shown, rules=rules) or shown


def shown_rollback(
    situation: Situation, proposal: Proposal, evidence: RollbackEvidence, *, rules: RollbackSpec
) -> Refusal | RollbackGrant:
    """Return what the windows are enough for, whatever was asked for before."""
    if refusal := refusal_before_evidence(situation, proposal, rules=rules):
        return refusal
    keys = _keys_now(evidence, rules=rules, now_millis=situation.now_millis)
    if isinstance(keys, Refusal):
        return keys
    if evidence.seen is None or not evidence.seen.fresh_at(situation.now_millis):
        return Refusal.VERSION_SILENT
    if evidence.fine is not None and not keys.worse:
        return Refusal.QUALITY_IS_FINE
    target = _target(evidence, keys, rules=rules, now_millis=situation.now_millis)
    if isinstance(target, Refusal):
        return target
    ground = _ground(evidence, keys, target, rules=rules, now_millis=situation.now_millis)
    if isinstance(ground, Refusal):
        return ground
    return RollbackGrant(to_version=target.version, ground=ground, needs_approval=ground not in LABELLED_GROUNDS)


def _no_change_of_version(situation: Situation, proposal: Proposal, *, rules: RollbackSpec) -> Refusal | None:
    judged = serving_period(situation.history, proposal.version)
    if judged is None:
        return Refusal.SUPERSEDED if ever_deployed(situation.history, proposal.version) else Refusal.NO_VERSION_CHANGE
    lately = came_lately(situation.history, judged, at=proposal.window_end, look_back=millis(rules.look_back))
    return None if lately else Refusal.NO_VERSION_CHANGE


def came_lately(history: Sequence[DeploymentEvent], judged: Period, *, at: int, look_back: int) -> bool:
    """Return whether *judged* is a change of version that can be the cause; a model's first version is none."""
    predecessor = any(event.version != judged.version and event.event_time < judged.start for event in history)
    return predecessor and at - judged.start <= look_back


@dataclass(frozen=True, slots=True)
class _Keys:
    """Which keys are shown by windows that are fresh now: a shift that came with the version, worse quality."""

    shift: bool
    worse: bool


def _keys_now(evidence: RollbackEvidence, *, rules: RollbackSpec, now_millis: int) -> _Keys | Refusal:
    def fresh(*sightings: Sighting | None) -> bool:
        return any(sighting is not None and sighting.fresh_at(now_millis) for sighting in sightings)

    shown = [sighting for sighting in (evidence.shift, evidence.inputs, evidence.worse) if sighting is not None]
    if not shown:
        return Refusal.INPUT_DRIFT_ONLY if evidence.inputs_critical else Refusal.NO_KEY
    if not fresh(*shown):
        return Refusal.STALE
    # The version before would see the same inputs: without anything else, going back cures nothing.
    if rules.keys == 2 and not fresh(evidence.shift, evidence.worse):
        return Refusal.INPUT_DRIFT_ONLY
    return _Keys(shift=fresh(evidence.shift, evidence.inputs), worse=fresh(evidence.worse))


def _target(
    evidence: RollbackEvidence, keys: _Keys, *, rules: RollbackSpec, now_millis: int
) -> TargetEvidence | Refusal:
    first: Refusal | None = None
    for target in evidence.targets:
        refusal = _target_refusal(target, evidence, keys, rules=rules, now_millis=now_millis)
        if refusal is None:
            return target
        if refusal not in _NEXT_MAY_DO:
            return refusal
        first = first or refusal
    return first or Refusal.NO_KNOWN_TARGET


def _target_refusal(
    target: TargetEvidence, evidence: RollbackEvidence, keys: _Keys, *, rules: RollbackSpec, now_millis: int
) -> Refusal | None:
    if target.blocked:
        return Refusal.TARGET_BLOCKED
    if target.flagged or target.shows_it:
        return Refusal.COMMON_CAUSE if target.serves else Refusal.TARGET_FLAGGED
    if now_millis - target.served_until > millis(rules.max_target_age):
        return Refusal.TARGET_TOO_OLD
    if not (target.same_schema or rules.allow_schema_change):
        return Refusal.TARGET_SCHEMA
    if target.seen is None or (target.serves and not target.seen.fresh_at(now_millis)):
        return Refusal.TARGET_BLIND
    if evidence.inputs_moved and not target.serves:
        return Refusal.INPUTS_MOVED
    if keys.worse and target.quality is Comparison.NOT_BETTER:
        return Refusal.TARGET_NOT_BETTER
    return None


def _ground(
    evidence: RollbackEvidence, keys: _Keys, target: TargetEvidence, *, rules: RollbackSpec, now_millis: int
) -> Ground | Refusal:
    if rules.keys == 1:
        return Ground.CRITICAL_ALONE
    if not keys.worse:
        return Ground.RECALIBRATED if evidence.decisions is Decisions.SAME else Ground.SHIFT_WITHOUT_LABELS
    if target.quality is not Comparison.BETTER:
        return Ground.QUALITY_NOT_COMPARED if keys.shift else Refusal.TARGET_NOT_BETTER
    if target.serves:
        return _ground_side_by_side(keys, target, rules=rules, now_millis=now_millis)
    if not keys.shift:
        return Ground.QUALITY_WITHOUT_SHIFT
    changed = evidence.world_may_have_changed or target.was_falling
    return Ground.WORLD_MAY_HAVE_CHANGED if changed else Ground.QUALITY_WORSE


def _ground_side_by_side(keys: _Keys, target: TargetEvidence, *, rules: RollbackSpec, now_millis: int) -> Ground:
    """Return the ground where labels of both versions are of the same time, and so of the same world.

    On requests split at random the version is all that differs: both keys. On other requests any version may be worse.
    """
    labels_alone = target.side_by_side is not None and target.side_by_side.fresh_at(now_millis)
    if not keys.shift and not labels_alone:
        return Ground.QUALITY_WITHOUT_SHIFT
    if not rules.random_split:
        return Ground.REQUESTS_MAY_DIFFER
    return Ground.QUALITY_WORSE if keys.shift else Ground.WORSE_SIDE_BY_SIDE


def _of_promotion(situation: Situation, judged: Period, rules: RollbackSpec) -> list[PastAction]:
    """Return the rollbacks of *judged* since it took traffic; a later promotion of it is judged on its own."""
    earlier = counted(situation.earlier, ActionKind.ROLLBACK, rules.mode)
    return [action for action in earlier if action.from_version == judged.version and action.window_end >= judged.start]


def asked_before(
    situation: Situation, proposal: Proposal, grant: RollbackGrant, *, rules: RollbackSpec
) -> Refusal | None:
    """Return what of earlier rollbacks stands against this one."""
    judged = serving_period(situation.history, proposal.version)
    assert judged is not None, "asked before the evidence"
    answered = (ActionState.REJECTED, ActionState.EXPIRED, ActionState.DRY_RUN)
    if any(action.state in answered and _answers(action, grant) for action in _of_promotion(situation, judged, rules)):
        return Refusal.ALREADY_ANSWERED
    earlier = counted(situation.earlier, ActionKind.ROLLBACK, rules.mode)
    states = {action.state for action in earlier}
    if ActionState.DISPATCHING in states:
        return Refusal.ALREADY_RUNNING
    # What waits for a person gives way to what shows more, once: in mode approve proof waits too.
    waiting = [action for action in earlier if action.state is ActionState.AWAITING_APPROVAL]
    if any(strength(action.reason) >= strength(grant.ground) for action in waiting):
        return Refusal.AWAITING_APPROVAL
    if refusal := budget_refusal(
        earlier, situation, span=DAY_MILLIS, most=rules.max_per_day, distance=millis(rules.cooldown)
    ):
        return refusal
    unjudged = (
        action
        for action in earlier
        if action.state is ActionState.UNKNOWN
        or (action.state is ActionState.ACCEPTED and serving_period(situation.history, action.from_version))
    )
    return Refusal.RESULT_UNKNOWN if any(unjudged) else None


def _answers(action: PastAction, grant: RollbackGrant) -> bool:
    """Return whether an earlier one was put to people on grounds as good as these."""
    if action.reason in LABELLED_GROUNDS:
        return action.state is ActionState.REJECTED
    return strength(action.reason) >= strength(grant.ground)
