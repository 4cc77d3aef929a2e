"""What the newest windows show of a rollback that waits for a person, who must not decide on older ones; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from alerting.actions.evidence import Decisions, PastAction, Proposal, RollbackEvidence, Situation
from alerting.actions.reasons import SPEAKS_AGAINST, Ground, Refusal, strength
from alerting.actions.rollback import RollbackGrant
from monitor.types import ActionKind, ActionState


@dataclass(frozen=True, slots=True)
class NewestEvidence:
    """What is to be recorded of an action that waits.

    Attributes:
        ground: What it is asked for now: replaced by newer ones that show as much, never by one that shows less.
        evidence: What the newest windows show: that ground, a weaker one, or what speaks against it.
    """

    action_id: str
    ground: str
    evidence: str


Action = TypeVar("Action", bound=PastAction)


def waiting_rollbacks(earlier: Iterable[Action], incident_id: str) -> list[Action]:
    """Return the rollbacks that one incident asked for and that wait for a person."""
    return [
        action
        for action in earlier
        if action.kind is ActionKind.ROLLBACK
        and action.incident_id == incident_id
        and action.state is ActionState.AWAITING_APPROVAL
    ]


def newest_shown(
    situation: Situation, proposal: Proposal, shown: Refusal | RollbackGrant, evidence: RollbackEvidence
) -> Ground | Refusal | None:
    """Return what *shown* says of the incident's rollback that waits; None where it says nothing, or none waits.

    Decisions that no window compares now are as the last one that did showed them.
    """
    waiting = waiting_rollbacks(situation.earlier, proposal.incident_id)
    if not waiting:
        return None
    if isinstance(shown, Refusal):
        return shown if shown in SPEAKS_AGAINST else None
    unknown = shown.ground is Ground.SHIFT_WITHOUT_LABELS and evidence.decisions is Decisions.UNKNOWN
    recalibrated = any(action.reason == Ground.RECALIBRATED for action in waiting)
    return Ground.RECALIBRATED if unknown and recalibrated else shown.ground


def ground_after(ground: str, newest: Ground | Refusal) -> str:
    """Return what an action that was granted on *ground* is asked for after *newest*.

    By its strength what shows more asks again, once; so it never falls, or people would be paged twice.
    """
    replaces = isinstance(newest, Ground) and strength(newest) == strength(ground)
    return newest.value if replaces else ground
