"""What the demo prints of the guard's actions and of an incident's sentence."""

import pytest

from alerting.actions.reasons import Ground, Refusal, ground_words, refusal_words
from driftline.demo.sentences import first_clause, guard_lines, without_head
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
        ("rollback of 3.3.0: not requested", refusal_words(Refusal.QUALITY_IS_FINE)),
        ("rollback of 3.3.0 to 3.2.0: rejected by ada", "on purpose"),
        ("retraining of 3.3.0: requested", "drift incident at tier alert"),
    ]


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
