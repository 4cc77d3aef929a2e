"""What the guard once answered wrongly in generated release histories (`make bench-releases`), each made short."""

import pytest

from monitor.performance.error_movement import ErrorMovement
from monitor.types import ActionKind, ActionState, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.models.guarded import Event, GuardedModel, Line, labels, score
from tests.unit.alerting.timeline import T0

ROLLBACK, RETRAINING = ActionKind.ROLLBACK, ActionKind.RETRAINING
STEP = 5 * MINUTE_MILLIS
STABLE = Event("1", T0 - 10 * DAY_MILLIS, Stage.PRODUCTION)
CANARY = Event("2", T0 - HOUR_MILLIS, Stage.CANARY)


@pytest.mark.parametrize(
    ("first", "sent", "asked"),
    [
        pytest.param(".", [], "world_may_have_changed", id="fine at first"),
        pytest.param("~", [], "world_may_have_changed", id="as good as ever at first, and below the reference"),
        pytest.param(" ", [], "world_may_have_changed", id="not seen at first"),
        pytest.param("c", ["quality_worse"], "quality_worse", id="bad from its start on"),
    ],
)
def test_what_fell_later_may_have_fallen_for_all(first: str, sent: list[str], asked: str) -> None:
    """All traffic was switched to a retrained version; hours later the same inputs mean something else.

    Its score differs, its labels are worse than those that the version before had then,
    and going back to it, for which they would be as bad now, was sent.
    """
    model = GuardedModel(STABLE, Event("2", T0, Stage.PRODUCTION))
    model.play(score("1", "..."), labels("1", "...", correct=950), start=T0 - 6 * STEP)
    model.play(labels("2", first, correct=700 if first == "c" else 950), start=T0 + 2 * STEP)
    model.play(score("2", "...ccc"), labels("2", "   ccc", correct=700), start=T0 + 300 * STEP)
    assert [action.reason for action in model.sent(ROLLBACK)] == sent
    assert asked in {reason for _, reason in model.of(ROLLBACK)}


@pytest.mark.parametrize(
    ("movement", "sent"),
    [
        pytest.param(ErrorMovement({5: 0.0}), True, id="independent"),
        pytest.param(ErrorMovement({5: 0.02, 10: 0.01}), False, id="correlated, as the reference shows"),
        pytest.param(None, False, id="nobody knows"),
    ],
)
def test_truths_that_depend_on_each_other_prove_less(movement: ErrorMovement | None, sent: bool) -> None:
    """A recalibrated canary, 0.80 against 0.95 of 4,000 truths: with a correlation of 0.02 that is chance.

    A correlation of 0.005 was assumed, whatever the reference shows.
    """
    model = GuardedModel(STABLE, CANARY)
    model.movement = movement
    model.play(score("1", "..."), labels("1", "...", labelled=4000, correct=3800),
               score("2", "ccc"), labels("2", "~~~", labelled=4000, correct=3200), start=T0)  # fmt: skip
    assert bool(model.sent(ROLLBACK)) is sent


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("...", id="what it gets moves no column"),
        pytest.param("ccc", id="its score differs there, or is recalibrated"),
    ],
)
def test_a_canary_of_another_region_waits_for_a_person(shown: str) -> None:
    """Any version is worse on its requests, by 0.25 here; with two keys it was rolled back, 16 of 45 times."""
    model = GuardedModel(STABLE, CANARY, rollback="")
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", shown), labels("2", "ccc", correct=700), start=T0)  # fmt: skip
    assert model.sent(ROLLBACK) == []
    assert model.of(ROLLBACK)[-1] == ("awaiting_approval", "requests_may_differ")


def test_windows_that_end_at_the_same_time_are_compared() -> None:
    """Quality falls for both; the stable version's truths are five minutes later, so its newest window is from before.

    ::

        version 1  accuracy  .            0.95
        version 2  accuracy  .  ~         0.95, then 0.70: one window later
    """
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", ".."), score("2", "cc"), labels("1", ". ", correct=950), start=T0)
    model.play(score("1", "."), score("2", "c"), labels("2", "~", correct=700), start=T0 + STEP)
    assert model.sent(ROLLBACK) == []


def test_windows_that_hold_the_same_time_are_compared() -> None:
    """Quality falls for both; of a window that began before the canary, the stable version has the better part too."""
    model = GuardedModel(STABLE, Event("2", T0 + STEP, Stage.CANARY))
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", " cc"), labels("2", "  ~", correct=700), start=T0)  # fmt: skip
    assert model.sent(ROLLBACK) == []


@pytest.mark.parametrize(("last", "sent"), [(720, False), (950, True)], ids=["falling", "steady"])
def test_a_target_that_was_falling_when_it_was_replaced_may_be_as_bad_now(last: int, sent: bool) -> None:
    """Quality fell for all an hour before the switch: the last long window still holds the better hours."""
    model = GuardedModel(
        STABLE, Event("2", T0, Stage.PRODUCTION), scales="[{length: 10m, step: 5m}, {length: 60m, step: 5m}]"
    )
    hour = model.spec.scales[1]
    model.play(score("1", "..."), labels("1", "...", correct=last), start=T0 - 2 * STEP)
    model.play(score("1", "."), labels("1", ".", correct=930), start=T0, scale=hour)
    model.play(score("2", "ccc"), labels("2", "ccc", correct=700), start=T0 + 12 * STEP, scale=hour)
    assert bool(model.sent(ROLLBACK)) is sent
    assert sent or ("awaiting_approval", "world_may_have_changed") in model.of(ROLLBACK)


def test_what_falls_while_inputs_drift_may_have_fallen_for_all() -> None:
    """As above, and only a warning of one input so far."""
    model = GuardedModel(STABLE, Event("2", T0, Stage.PRODUCTION))
    model.play(score("1", "..."), labels("1", "...", correct=950), start=T0 - 6 * STEP)
    model.play(
        score("2", "cccc"), Line("2", "wwww", column="age"), labels("2", "cccc", correct=700), start=T0 + 2 * STEP
    )
    assert model.sent(ROLLBACK) == []
    assert ("awaiting_approval", "world_may_have_changed") in model.of(ROLLBACK)


def test_a_version_that_was_rolled_back_is_not_retrained() -> None:
    """Its late windows still asked: now that it serves no more, nothing came with the version that serves.

    It was, in most histories in which a bad version was rolled back.
    """
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", "ccc"), labels("2", "ccc", correct=700), start=T0)  # fmt: skip
    model.settle(ActionState.ACCEPTED)
    model.add(Event("2", T0 + 3 * STEP, Stage.RETIRED, assumed=True))
    model.play(score("1", "..."), score("2", "ccc"), labels("2", "ccc", correct=700), start=T0 + 3 * STEP)
    assert model.of(RETRAINING) == []
    assert "superseded" in model.refused(RETRAINING)


def test_one_lesser_window_does_not_make_it_a_changed_world() -> None:
    """The incident is still an alert, its newest window a warning: a retraining of the bad canary was asked for."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "...."), score("2", "aawa"), start=T0)
    assert model.of(RETRAINING) == []
    assert model.refused(RETRAINING) == {"rollback_is_the_cure"}
