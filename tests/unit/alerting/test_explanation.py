"""What people read of an action: why, what the newest windows say of it, and what they can do."""

from dataclasses import replace

from alerting.actions.explanation import explanation
from alerting.actions.reasons import REFUSALS, Ground, Refusal, ground_words
from monitor.store.actions import ActionRow
from monitor.types import ActionKind, ActionState, ModelKey

MODEL = ModelKey("default", "credit")
WAITS = ActionRow(
    id="0123456789abcdef",
    incident_id="incident",
    kind=ActionKind.ROLLBACK,
    state=ActionState.AWAITING_APPROVAL,
    reason=Ground.RECALIBRATED,
    from_version="2",
    to_version="1",
    window_end=0,
    model_id=1,
    attempt=1,
    request="{}",
    decided_at=0,
    expires_at=3_600_000,
)
WHAT_TO_DO = "; hold 2: give it no more traffic; until 1970-01-01T01:00:00Z approve with `driftline actions 01234567"


def test_what_the_newest_windows_say_stands_next_to_the_ground() -> None:
    """Only where it is something else, and only while a person can decide on it or did."""
    ground = ground_words(Ground.RECALIBRATED)
    assert explanation(WAITS, model=MODEL).startswith(ground + WHAT_TO_DO)
    assert explanation(WAITS, model=MODEL, newest=Ground.RECALIBRATED).startswith(ground + WHAT_TO_DO)
    fine = "; the newest windows: labelled quality of the same time is mature and fine: the shift costs nothing"
    assert explanation(WAITS, model=MODEL, newest=Refusal.QUALITY_IS_FINE).startswith(ground + fine + WHAT_TO_DO)
    rejected = replace(WAITS, state=ActionState.REJECTED)
    assert explanation(rejected, model=MODEL, newest=Refusal.QUALITY_IS_FINE) == ground + fine


def test_commands_in_a_refusal_can_be_typed() -> None:
    """Model and version stand in it."""
    refused = replace(WAITS, state=ActionState.REFUSED, reason=Refusal.SHIFT_ACCEPTED, expires_at=None)
    assert "`driftline reference adopt credit PROFILE --version 2`" in explanation(refused, model=MODEL)


def test_a_refused_retraining_leaves_the_rollback_to_its_own_reason() -> None:
    """It said "go back" of an incident whose rollback was held as of a recalibrated version."""
    words = REFUSALS[Refusal.ROLLBACK_IS_THE_CURE]
    assert "a retraining would not cure it, and whether to go back is the question of the rollback" in words
    assert "go back, do not" not in words
