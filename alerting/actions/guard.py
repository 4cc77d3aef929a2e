"""The guard: which actions an incident may ask for now; every condition in order, refusals with reasons; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from alerting.actions.rollback_targets import ever_deployed, rollback_targets, serving_period
from monitor.deployments import DeploymentEvent, Period
from monitor.reference.layout import ColumnRole
from monitor.results import Finding
from monitor.spec.actions import ActionMode, ActionsSpec, RetrainingSpec, RollbackSpec
from monitor.types import ActionKind, ActionState, IncidentKind, Tier
from monitor.units import millis

PREDICTION_ROLES = frozenset({ColumnRole.SCORE, ColumnRole.LABEL, ColumnRole.VALUE})
IMPORTANT_INPUTS = 2
IMPORTANT_SHARE = 0.3


class Refusal(StrEnum):
    """Why an action does not run; a closed list, stored with the refused action."""

    MODE_OFF = "mode_off"
    ACTIONS_DISABLED = "actions_disabled"  # the global kill switch
    MODEL_HELD = "model_held"  # the model's kill switch
    DATA_QUALITY_INCIDENT = "data_quality_incident"
    DATA_QUALITY_OPEN = "data_quality_open"
    KIND_NEVER_ACTS = "kind_never_acts"
    TIER_BELOW_ALERT = "tier_below_alert"
    TIER_BELOW_CRITICAL = "tier_below_critical"
    STALE = "stale"
    ALREADY_RUNNING = "already_running"
    COOLDOWN = "cooldown"
    INPUT_DRIFT_ONLY = "input_drift_only"
    NO_VERSION_CHANGE = "no_version_change"
    SUPERSEDED = "superseded"
    PROMOTION_ALREADY_ROLLED_BACK = "promotion_already_rolled_back"
    NO_KNOWN_TARGET = "no_known_target"
    TARGET_FLAGGED = "target_flagged"
    FIRST_KEY_MISSING = "first_key_missing"
    SECOND_KEY_MISSING = "second_key_missing"


class PastAction(Protocol):
    """An earlier action of the same model that was not refused; *decided_at* is wall-clock milliseconds."""

    @property
    def kind(self) -> ActionKind: ...
    @property
    def state(self) -> ActionState: ...
    @property
    def from_version(self) -> str: ...
    @property
    def window_end(self) -> int: ...
    @property
    def decided_at(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The incident and window that an action is proposed for.

    Attributes:
        kind, tier, version: Of the incident that asks.
        window_end: Event time of the window that made it ask; *fresh* says whether it is new enough.
        now_millis: The database's clock.
        earlier: Actions of this model that were not refused.
    """

    kind: IncidentKind
    tier: Tier
    version: str
    window_end: int
    fresh: bool
    now_millis: int
    actions_enabled: bool
    held: bool
    data_quality_open: bool
    earlier: Sequence[PastAction] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackEvidence:
    """What indicates that the version itself, and not its inputs or its time, is the cause.

    Attributes:
        drift: Findings of the version's open drift incident, worst first.
        performance_tier: Tier of the version's open performance incident, NONE without one.
        flagged: Versions with an open performance or critical incident, or rolled back before.
        clear: Versions whose newest conclusive windows, at the same time or right before, do not show the shift.
    """

    drift: Sequence[Finding] = ()
    performance_tier: Tier = Tier.NONE
    flagged: frozenset[str] = frozenset()
    clear: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardAnswer:
    """The guard's answer about one action: refused with a reason, or granted; *to_version* is a rollback's target."""

    kind: ActionKind
    refusal: Refusal | None = None
    to_version: str | None = None


def guard_answers(
    proposal: Proposal, evidence: RollbackEvidence, history: Sequence[DeploymentEvent], *, actions: ActionsSpec
) -> tuple[GuardAnswer, ...]:
    """Return an answer for each action that the tier asks for: rollback when critical, retraining from alert on.

    The rollback comes first: it is the quicker cure.
    """
    given = []
    if proposal.tier >= Tier.CRITICAL:
        decision = rollback_decision(proposal, evidence, history, rules=actions.rollback)
        if isinstance(decision, Refusal):
            given.append(GuardAnswer(kind=ActionKind.ROLLBACK, refusal=decision))
        else:
            given.append(GuardAnswer(kind=ActionKind.ROLLBACK, to_version=decision))
    if proposal.tier >= Tier.ALERT:
        refusal = retraining_refusal(proposal, rules=actions.retraining)
        given.append(GuardAnswer(kind=ActionKind.RETRAINING, refusal=refusal))
    return tuple(given)


def retraining_refusal(proposal: Proposal, *, rules: RetrainingSpec) -> Refusal | None:
    """Return why no retraining may be requested, None when it may."""
    if refusal := _switched_off(proposal, rules.mode) or _wrong_kind(proposal):
        return refusal
    if proposal.tier < Tier.ALERT:
        return Refusal.TIER_BELOW_ALERT
    if not proposal.fresh:
        return Refusal.STALE
    earlier = _counted(proposal.earlier, ActionKind.RETRAINING, rules.mode)
    return _too_soon(earlier, now_millis=proposal.now_millis, cooldown=millis(rules.cooldown))


def rollback_decision(
    proposal: Proposal, evidence: RollbackEvidence, history: Sequence[DeploymentEvent], *, rules: RollbackSpec
) -> Refusal | str:
    """Return the version to roll back to, or why no rollback may be requested."""
    if refusal := _switched_off(proposal, rules.mode) or _wrong_kind(proposal):
        return refusal
    if proposal.tier < Tier.CRITICAL:
        return Refusal.TIER_BELOW_CRITICAL
    if not proposal.fresh:
        return Refusal.STALE
    if _inputs_alone(evidence, keys=rules.keys):
        return Refusal.INPUT_DRIFT_ONLY
    judged = serving_period(history, proposal.version)
    if judged is None:
        return Refusal.SUPERSEDED if ever_deployed(history, proposal.version) else Refusal.NO_VERSION_CHANGE
    if proposal.window_end - judged.start > millis(rules.look_back) or not _has_predecessor(history, judged):
        return Refusal.NO_VERSION_CHANGE
    earlier = _counted(proposal.earlier, ActionKind.ROLLBACK, rules.mode)
    if any(action.from_version == judged.version and action.window_end >= judged.start for action in earlier):
        return Refusal.PROMOTION_ALREADY_ROLLED_BACK
    if refusal := _too_soon(earlier, now_millis=proposal.now_millis, cooldown=millis(rules.cooldown)):
        return refusal
    target = _target(evidence, history, judged, min_healthy=millis(rules.min_healthy))
    if isinstance(target, Refusal):
        return target
    return _missing_key(evidence, target=target, keys=rules.keys) or target


def _switched_off(proposal: Proposal, mode: ActionMode) -> Refusal | None:
    if mode is ActionMode.OFF:
        return Refusal.MODE_OFF
    if not proposal.actions_enabled:
        return Refusal.ACTIONS_DISABLED
    return Refusal.MODEL_HELD if proposal.held else None


def _wrong_kind(proposal: Proposal) -> Refusal | None:
    if proposal.kind is IncidentKind.DATA_QUALITY:
        return Refusal.DATA_QUALITY_INCIDENT
    if proposal.kind not in (IncidentKind.DRIFT, IncidentKind.PERFORMANCE):
        return Refusal.KIND_NEVER_ACTS
    return Refusal.DATA_QUALITY_OPEN if proposal.data_quality_open else None


def _counted(earlier: Sequence[PastAction], kind: ActionKind, mode: ActionMode) -> list[PastAction]:
    """Return what holds the next one back: a dry run holds back dry runs, never the real thing."""
    dry_runs_count = mode is ActionMode.DRY_RUN
    return [
        action
        for action in earlier
        if action.kind is kind and (dry_runs_count or action.state is not ActionState.DRY_RUN)
    ]


def _too_soon(earlier: Sequence[PastAction], *, now_millis: int, cooldown: int) -> Refusal | None:
    if any(action.state is ActionState.DISPATCHING for action in earlier):
        return Refusal.ALREADY_RUNNING
    # What was accepted is unjudged until then, what failed or expired a human's matter.
    if any(now_millis - action.decided_at < cooldown for action in earlier):
        return Refusal.COOLDOWN
    return None


def _prediction_shifted(evidence: RollbackEvidence) -> bool:
    return any(finding.tier >= Tier.CRITICAL and finding.role in PREDICTION_ROLES for finding in evidence.drift)


def _important_inputs_shifted(evidence: RollbackEvidence) -> bool:
    shifted = {
        finding.column: finding.importance or 0.0
        for finding in evidence.drift
        if finding.tier >= Tier.CRITICAL and finding.role not in PREDICTION_ROLES
    }
    return len(shifted) >= IMPORTANT_INPUTS and sum(shifted.values()) >= IMPORTANT_SHARE


def _inputs_alone(evidence: RollbackEvidence, *, keys: int) -> bool:
    """Return whether only inputs moved: the previous model would see the same inputs, so going back cures nothing."""
    if _prediction_shifted(evidence) or evidence.performance_tier >= Tier.CRITICAL:
        return False
    return keys == 2 or not _important_inputs_shifted(evidence)


def _has_predecessor(history: Sequence[DeploymentEvent], judged: Period) -> bool:
    """Return whether another version was deployed before; a model's first version is no change of version."""
    return any(event.version != judged.version and event.event_time < judged.start for event in history)


def _target(
    evidence: RollbackEvidence, history: Sequence[DeploymentEvent], judged: Period, *, min_healthy: int
) -> Refusal | str:
    known = rollback_targets(history, judged, min_healthy=min_healthy)
    if not known:
        return Refusal.NO_KNOWN_TARGET
    return next((name for name in known if name not in evidence.flagged), Refusal.TARGET_FLAGGED)


def _missing_key(evidence: RollbackEvidence, *, target: str, keys: int) -> Refusal | None:
    first = _prediction_shifted(evidence) or _important_inputs_shifted(evidence)
    labelled = evidence.performance_tier >= Tier.CRITICAL
    if keys == 1:
        return None if first or labelled else Refusal.FIRST_KEY_MISSING
    if not first:
        return Refusal.FIRST_KEY_MISSING
    return None if labelled or target in evidence.clear else Refusal.SECOND_KEY_MISSING
