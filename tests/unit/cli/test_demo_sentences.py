"""What the demo prints of the guard's actions and of an incident's sentence."""

import json

import pytest

from alerting.actions.reasons import Ground, Refusal, ground_words, refusal_words
from driftline.demo.receiver import read_delivery
from driftline.demo.sentences import delivery_words, first_clause, guard_lines, movement_remark, without_head
from monitor.store.actions import ActionRow
from monitor.store.views.actions import ActionStep, ActionStory
from monitor.types import ActionKind, ActionState, ModelKey

DRIFT = "m 3.3.0: drift warning (opened). `score`: PSI 1.1 (at least 0.6 at 99.9 %): proven; 12 h window. Both halves."


def story(kind: ActionKind, reason: str, *steps: ActionStep) -> ActionStory:
    row = ActionRow(
        id=f"{kind} {reason}",
        incident_id="incident",
        kind=kind,
        state=steps[-1].state,
        reason=reason,
        from_version="3.3.0",
        to_version="3.2.0" if kind is ActionKind.ROLLBACK and steps[-1].state is not ActionState.REFUSED else None,
        window_end=0,
        model_id=1,
        attempt=1,
        request="{}",
        decided_at=0,
    )
    return ActionStory(model=ModelKey("default", "m"), action=row, newest_evidence=reason, steps=steps)


def step(state: ActionState, at: int, *, who: str | None = None, why: str = "") -> ActionStep:
    return ActionStep(state=state, who=who, why=why, at=at)


def test_what_was_done_is_shown_as_it_came_about() -> None:
    """Held, refused meanwhile, then rejected by a person in that person's words; what is accepted is not said twice."""
    held = story(
        ActionKind.ROLLBACK,
        Ground.RECALIBRATED,
        step(ActionState.AWAITING_APPROVAL, 1),
        step(ActionState.REJECTED, 3, who="ada", why="on purpose"),
    )
    fine = story(ActionKind.ROLLBACK, Refusal.QUALITY_IS_FINE, step(ActionState.REFUSED, 2))
    sent = story(
        ActionKind.RETRAINING, "drift_alert", step(ActionState.DISPATCHING, 4), step(ActionState.ACCEPTED, 5, why="200")
    )
    lines = [(line.head, line.why) for line in guard_lines([sent, fine, held])]
    assert lines == [
        ("rollback of 3.3.0 to 3.2.0: held, a person decides", ground_words(Ground.RECALIBRATED)),
        ("rollback of 3.3.0: still held, and would not be requested now", refusal_words(Refusal.QUALITY_IS_FINE)),
        ("rollback of 3.3.0 to 3.2.0: rejected by ada", "on purpose"),
        ("retraining of 3.3.0: requested", "drift incident at tier alert"),
    ]


def test_what_is_held_makes_room_for_what_labels_prove() -> None:
    """The one that waited is no longer held before the other is requested, at the same time; then nothing waits."""
    held = story(
        ActionKind.ROLLBACK,
        Ground.SHIFT_WITHOUT_LABELS,
        step(ActionState.AWAITING_APPROVAL, 1),
        step(ActionState.SUPERSEDED, 2, why="by rollback quality_worse"),
    )
    sent = story(ActionKind.ROLLBACK, Ground.QUALITY_WORSE, step(ActionState.DISPATCHING, 2))
    later = story(ActionKind.ROLLBACK, Refusal.INPUT_DRIFT_ONLY, step(ActionState.REFUSED, 3))
    assert [(line.head, line.why) for line in guard_lines([later, sent, held])] == [
        ("rollback of 3.3.0 to 3.2.0: held, a person decides", ground_words(Ground.SHIFT_WITHOUT_LABELS)),
        ("rollback of 3.3.0 to 3.2.0: no longer held", "one on better evidence takes its place"),
        ("rollback of 3.3.0 to 3.2.0: requested", ground_words(Ground.QUALITY_WORSE)),
        ("rollback of 3.3.0: not requested", refusal_words(Refusal.INPUT_DRIFT_ONLY)),
    ]


def test_another_versions_held_rollback_changes_no_word() -> None:
    """What waits of one version is said of that version and kind only."""
    held = story(ActionKind.ROLLBACK, Ground.RECALIBRATED, step(ActionState.AWAITING_APPROVAL, 1))
    refused = story(ActionKind.RETRAINING, Refusal.DATA_QUALITY_INCIDENT, step(ActionState.REFUSED, 2))
    assert [line.head for line in guard_lines([held, refused])][1] == "retraining of 3.3.0: not requested"


def test_a_message_that_asks_says_so() -> None:
    """Approval has no message of its own where an incident's message carries it: its line says what it asks."""
    body = {
        "type": "model.incident.escalated",
        "incidents": [{"id": "incident", "what": []}],
        "actions": [
            {"id": "held", "kind": "rollback", "from_version": "3.3.0", "state": "awaiting_approval"},
            {"id": "sent", "kind": "retraining", "from_version": "3.3.0", "state": "dispatching"},
        ],
    }
    arrival = read_delivery("1", json.dumps(body).encode(), verified=True)
    assert arrival.actions == ("held", "sent")
    assert delivery_words(arrival) == "model.incident.escalated (asks people to decide on the rollback of 3.3.0)"
    plain = read_delivery("2", json.dumps({**body, "actions": []}).encode(), verified=True)
    assert delivery_words(plain) == "model.incident.escalated"
    assert delivery_words(plain, proof="signature verified") == "model.incident.escalated (signature verified)"


def test_natural_movement_is_explained_with_its_factor() -> None:
    """The remark repeats the factor it explains; a sentence without one needs none."""
    remark = movement_remark("4 h window, 690 events, this column naturally moves ×1.4; both halves.")
    assert remark is not None
    assert remark.startswith("(naturally moves ×1.4: ")
    assert " 1.4 times the variance of chance alone" in remark
    assert movement_remark("4 h window, 690 events; both halves.") is None


def test_refusals_of_the_demos_haste_are_left_out() -> None:
    """A cooldown of a day that passes in four seconds says nothing about the model."""
    assert not list(guard_lines([story(ActionKind.RETRAINING, Refusal.COOLDOWN, step(ActionState.REFUSED, 1))]))


@pytest.mark.parametrize(
    ("sentence", "detail", "clause"),
    [
        (
            DRIFT,
            "`score`: PSI 1.1 (at least 0.6 at 99.9 %): proven; 12 h window. Both halves.",
            "`score`: PSI 1.1 (at least 0.6 at 99.9 %): proven.",
        ),
        ("m 3.2.0: drift incident resolved.", "drift incident resolved.", "drift incident resolved."),
        ("said otherwise", "said otherwise", "said otherwise"),
    ],
)
def test_a_sentence_without_what_stands_above_it(sentence: str, detail: str, clause: str) -> None:
    """Model, version, kind and tier are not repeated; the first clause is a sentence of its own."""
    assert (without_head(sentence), first_clause(sentence)) == (detail, clause)
