"""What an automatic rollback, or a retraining, was once asked for wrongly: whole histories, from windows to actions."""

from itertools import pairwise

import pytest

from alerting.actions.comparisons import CountRange, DecisionCounts
from monitor.store.actions import ActionRow
from monitor.types import ActionKind, ActionState, Scale, Stage
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS
from tests.models.guarded import RANDOM_SPLIT, Event, GuardedModel, Line, labels, score
from tests.unit.alerting.timeline import T0

ROLLBACK, RETRAINING = ActionKind.ROLLBACK, ActionKind.RETRAINING
STEP = 5 * MINUTE_MILLIS
BEFORE = T0 - 10 * DAY_MILLIS
STABLE = Event("1", BEFORE, Stage.PRODUCTION)
CANARY = Event("2", T0 - HOUR_MILLIS, Stage.CANARY)


def test_a_bad_canary_is_rolled_back_and_nothing_is_retrained() -> None:
    """It was rolled back *and* asked for a retraining in the same window."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", "ccc"), labels("2", "ccc", correct=700), start=T0)  # fmt: skip
    (rollback,) = model.sent(ROLLBACK)
    assert (rollback.from_version, rollback.to_version, rollback.reason) == ("2", "1", "quality_worse")
    assert model.of(RETRAINING) == []
    assert model.refused(RETRAINING) == {"rollback_is_the_cure"}


def test_a_recalibrated_canary_is_put_to_a_person() -> None:
    """The very same labels, the score pushed away from 0.5: it was rolled back, with `keys: 2`."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), score("2", "ccc"), start=T0)
    assert model.of(ROLLBACK) == [("awaiting_approval", "shift_without_labels")]
    assert model.of(RETRAINING) == []


@pytest.mark.parametrize(
    ("positive", "reason"),
    [
        pytest.param(3010, "recalibrated", id="recalibrated: as often over the threshold"),
        pytest.param(4000, "shift_without_labels", id="other decisions"),
        pytest.param(None, "shift_without_labels", id="not counted"),
    ],
)
def test_decisions_are_compared_at_the_same_time(positive: int | None, reason: str) -> None:
    """Of a score alone, by the share that reaches the threshold: 3,000 of 10,000 in the stable version."""
    asked: list[tuple[str, int, int]] = []

    def decisions(version: str, start: int, stop: int) -> DecisionCounts | None:
        asked.append((version, start, stop))
        count = 3000 if version == "1" else positive
        return None if count is None else DecisionCounts(10_000, {"positive": CountRange(count, count)})

    model = GuardedModel(STABLE, CANARY)
    model.decisions = decisions
    model.play(score("1", "."), score("2", "c"), start=T0)
    assert model.of(ROLLBACK) == [("awaiting_approval", reason)]
    window = (T0 - 10 * MINUTE_MILLIS, T0)
    assert asked == [("2", *window), ("1", *window)]


@pytest.mark.parametrize(
    ("correct", "sent"),
    [
        pytest.param(800, True, id="0.80 against 0.95"),
        pytest.param(900, False, id="0.90 against 0.95: not proven over all looks"),
        pytest.param(949, False, id="as good"),
        pytest.param(990, False, id="better"),
    ],
)
def test_labels_that_are_worse_than_the_stable_versions_are_the_second_key(correct: int, sent: bool) -> None:
    """No incident of performance is open: against the reference the canary is not critical."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", "ccc"), labels("2", "~~~", correct=correct), start=T0)  # fmt: skip
    assert [action.reason for action in model.sent(ROLLBACK)] == (["quality_worse"] if sent else [])


WITHOUT_SHIFT = ("awaiting_approval", "quality_without_shift")


@pytest.mark.parametrize(
    ("stable", "canary", "labelled", "split", "expected"),
    [
        pytest.param(".", ".", 1000, RANDOM_SPLIT, ("dispatching", "worse_side_by_side"), id="inputs stable"),
        pytest.param(".", ".", 1000, "", ("awaiting_approval", "requests_may_differ"), id="the split not known"),
        pytest.param(".", "w", 1000, RANDOM_SPLIT, WITHOUT_SHIFT, id="its inputs drift"),
        pytest.param("w", ".", 1000, RANDOM_SPLIT, WITHOUT_SHIFT, id="the stable version's inputs drift"),
        pytest.param(".", " ", 1000, RANDOM_SPLIT, WITHOUT_SHIFT, id="its inputs not seen"),
        pytest.param("?", ".", 1000, RANDOM_SPLIT, WITHOUT_SHIFT, id="the stable version blind"),
        pytest.param(".", ".", 100, RANDOM_SPLIT, WITHOUT_SHIFT, id="few labels: not proven over all looks"),
    ],
)
def test_labels_side_by_side_are_both_keys(
    stable: str, canary: str, labelled: int, split: str, expected: tuple[str, str]
) -> None:
    """In its warm-up no shift of the score counts, so a canary worse by 0.25 only ever reached `awaiting_approval`.

    ::

        version 1  inputs  .  .  .     accuracy  .  .     0.95
        version 2  inputs  .  .  .     accuracy  c  c     0.70, known three steps later: both of inputs of the same time
    """
    model = GuardedModel(STABLE, CANARY, rollback=split)
    first, last = Line("1", stable * 2, column="income"), Line("2", canary * 2, column="income")
    model.play(first, last, start=T0)
    model.play(Line("1", ".", column="income"), Line("2", ".", column="income"), start=T0 + 2 * STEP)
    model.play(labels("1", "..", correct=labelled * 95 // 100, labelled=labelled, truths_after=3 * STEP),
               labels("2", "cc", correct=labelled * 70 // 100, labelled=labelled, truths_after=3 * STEP),
               start=T0, late=3 * STEP)  # fmt: skip
    assert set(model.of(ROLLBACK)) == {expected}


def test_labels_of_a_version_that_serves_no_more_are_no_side_by_side() -> None:
    """The stable version's traffic ended with the switch: its last labels are of another time."""
    model = GuardedModel(STABLE, Event("2", T0, Stage.PRODUCTION))
    model.play(score("1", "..."), labels("1", "...", correct=950), start=T0 - 2 * STEP)
    model.play(score("2", "..."), labels("2", "ccc", correct=700), start=T0 + 2 * STEP)
    assert set(model.of(ROLLBACK)) == {("awaiting_approval", "quality_without_shift")}


def test_labels_that_are_worse_alone_are_one_key() -> None:
    """Accuracy is not critical against the reference: no incident asks."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", "..."), labels("2", "~~~", correct=700), start=T0)  # fmt: skip
    assert model.of(ROLLBACK) == []


def test_a_canary_whose_inputs_and_labels_are_worse_than_the_stable_versions() -> None:
    """Only its own inputs broke: both see the same requests, so going back cures it."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), labels("1", "...", correct=950), Line("2", "ccc", column="income"),
               Line("2", "ccc", column="age"), labels("2", "~~~", correct=700), start=T0)  # fmt: skip
    assert [action.reason for action in model.sent(ROLLBACK)] == ["quality_worse"]


def test_fine_labels_veto() -> None:
    """Seven calm, mature windows of accuracy (0.844 against 0.846) did not stop the rollback.

    ::

        version 1  score     . . . . . . . . .      version 2  score         c c
                   accuracy  . . . . . . . . .                 accuracy  . . . . . . . . .
    """
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..........."), labels("1", "...........", correct=846),
               score("2", ".......cccc"), labels("2", "...........", correct=844), start=T0)  # fmt: skip
    assert model.of(ROLLBACK) == [("awaiting_approval", "shift_without_labels")], "when it began no label covered it"
    assert "quality_is_fine" in model.refused(ROLLBACK)


def test_a_window_of_ten_days_ago_rolls_nothing_back() -> None:
    """Freshness added the whole `truth.horizon` (30 d), and the score's incident stays open while windows are blind.

    ::

        version 2  score     c ? ?                              judged at once
                   accuracy  c          of the same window, judged ten days later; its truths took an hour
    """
    model = GuardedModel(STABLE, CANARY)
    model.play(labels("1", "...", correct=950), score("2", "c??"), start=T0)
    model.play(labels("2", "c", correct=700, truths_after=HOUR_MILLIS), start=T0, late=10 * DAY_MILLIS)
    assert model.of(ROLLBACK) == []
    assert "stale" in model.refused(ROLLBACK)


def test_truths_that_really_take_ten_days_prove_it_too() -> None:
    """Both versions serve on: what labels prove is as fresh as these labels can be, and the shift is of now."""
    late = 10 * DAY_MILLIS
    canary = Event("2", T0, Stage.CANARY)
    model = GuardedModel(STABLE, canary, rollback=f", look_back: 20d{RANDOM_SPLIT}")
    model.play(labels("1", "..", correct=950, truths_after=late), labels("2", "cc", correct=700, truths_after=late),
               start=T0 + HOUR_MILLIS, late=late)  # fmt: skip
    model.play(score("1", ".."), score("2", "cc"), start=T0 + HOUR_MILLIS + late)
    assert [action.reason for action in model.sent(ROLLBACK)] == ["quality_worse"]


def test_a_key_of_an_incident_whose_windows_are_blind_since_is_none() -> None:
    """The shift was seen three hours ago, and inconclusive ever since: nobody knows that the version serves."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "." * 40), labels("1", "." * 40, correct=950),
               score("2", "cc" + "?" * 38), labels("2", " " * 36 + "cccc", correct=700), start=T0)  # fmt: skip
    assert model.sent(ROLLBACK) == []
    assert "version_silent" in model.refused(ROLLBACK)


@pytest.mark.parametrize(
    ("stable", "refusal"),
    [
        pytest.param("aaa", "common_cause", id="drifts too"),
        pytest.param("www", "common_cause", id="drifts a little"),
        pytest.param("???", "target_blind", id="blind"),
        pytest.param("   ", "target_blind", id="silent"),
    ],
)
def test_no_rollback_to_a_version_that_is_not_seen_better(stable: str, refusal: str) -> None:
    """With worse labels it rolled back although the target drifted too, or nothing was known of it."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", stable), score("2", "ccc"), labels("2", "ccc", correct=700), start=T0)
    assert model.of(ROLLBACK) == []
    assert refusal in model.refused(ROLLBACK)


def test_no_rollback_to_a_version_of_two_years_ago() -> None:
    """Version 2 was drained, version 1 last served 730 days before."""
    model = GuardedModel(
        Event("1", T0 - 800 * DAY_MILLIS, Stage.PRODUCTION),
        Event("2", T0 - 730 * DAY_MILLIS, Stage.PRODUCTION),
        Event("2", T0 - 2 * HOUR_MILLIS, Stage.RETIRED),
        Event("3", T0 - HOUR_MILLIS, Stage.PRODUCTION),
    )
    model.play(score("1", ".."), labels("1", "..", correct=950), start=T0 - 730 * DAY_MILLIS - 2 * STEP)
    model.play(score("3", "ccc"), labels("3", "ccc", correct=700), start=T0)
    assert model.of(ROLLBACK) == []
    assert "target_too_old" in model.refused(ROLLBACK)


def test_a_deployment_of_tomorrow_blocks_nothing_today() -> None:
    """A wrong clock dated version 3 a day ahead: the stable version looked replaced, so there was no target."""
    model = GuardedModel(STABLE, CANARY, Event("3", T0 + DAY_MILLIS, Stage.PRODUCTION))
    model.play(score("1", "..."), labels("1", "...", correct=950),
               score("2", "ccc"), labels("2", "ccc", correct=700), start=T0)  # fmt: skip
    assert [action.to_version for action in model.sent(ROLLBACK)] == ["1"]


def test_a_second_retraining_waits_for_the_first_result() -> None:
    """The first was never answered; a day later the next was sent."""
    model = GuardedModel(STABLE, scales="[{length: 60m, step: 30m}]")
    model.play(score("1", "a"), start=T0)
    model.settle(ActionState.UNKNOWN)
    model.play(score("1", "a" * 96), start=T0 + 30 * MINUTE_MILLIS)
    assert model.of(RETRAINING) == [("unknown", "drift_alert")]
    assert "result_unknown" in model.refused(RETRAINING)


@pytest.mark.parametrize(
    ("answer", "most"), [(ActionState.ACCEPTED, 1), (ActionState.SUCCEEDED, 3), (ActionState.FAILED, 3)]
)
def test_one_incident_of_484_days_asks_a_handful_of_times(answer: ActionState, most: int) -> None:
    """Drift that stays, as on the electricity data: it asked 148 times, every 24 h. Then it asks to adopt, once."""
    half_day = Scale(length=1440, step=720)
    model = GuardedModel(STABLE, scales="[{length: 24h, step: 12h}]")
    asked: list[int] = []
    for index in range(2 * 484):
        model.play(Line("1", "a", column="income"), start=T0 + index * DAY_MILLIS // 2, scale=half_day)
        if model.sent(RETRAINING):
            asked.append(index)
            model.settle(answer)
    assert len(asked) <= most
    assert asked[0] == 0
    distances = [after - before for before, after in pairwise(asked)]
    assert distances == sorted(distances)
    assert "adopt_reference" in model.refused(RETRAINING)


def test_incidents_that_come_and_go_for_484_days_ask_three_times_a_month() -> None:
    """Each week another incident, each retraining answered: the month's budget holds."""
    half_day = Scale(length=1440, step=720)
    model = GuardedModel(STABLE, scales="[{length: 24h, step: 12h}]")
    asked: list[int] = []
    for index in range(2 * 484):
        letter = "a" if index // 2 % 5 == 0 else "."
        model.play(Line("1", letter, column="income"), start=T0 + index * DAY_MILLIS // 2, scale=half_day)
        if model.sent(RETRAINING):
            asked.append(index)
            model.settle(ActionState.SUCCEEDED)
    assert max(sum(start <= moment < start + 60 for moment in asked) for start in range(2 * 484)) == 3


@pytest.mark.parametrize(
    ("stable", "canary", "column", "expected"),
    [
        pytest.param(".", "a", "score", "rollback_is_the_cure", id="only the canary's score"),
        pytest.param("c", "a", "score", None, id="the world moved under both"),
        pytest.param(".", "a", "income", None, id="inputs of the canary"),
    ],
)
def test_what_came_with_the_version_is_not_retrained_on(
    stable: str, canary: str, column: str, expected: str | None
) -> None:
    """The cure of a version-bound shift is the version before; of a changed world it is a new model."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", stable), Line("2", canary, column=column), start=T0)
    refused = model.refused(RETRAINING)
    assert (expected in refused) if expected else len(model.sent(RETRAINING)) == 1


@pytest.mark.parametrize(
    ("rolled_back", "refusal"),
    [
        pytest.param(T0 - 19 * DAY_MILLIS, None, id="before a person put it into production again"),
        pytest.param(T0 - 5 * DAY_MILLIS, "target_blocked", id="since it last entered production"),
    ],
)
def test_a_new_deployment_unblocks_what_was_rolled_back(rolled_back: int, refusal: str | None) -> None:
    """Version 2 was rolled back; it is no target until somebody deploys it again, which is that person's decision.

    ::

        1 ─────────┤    1 ─────┤
                   2 ───┤      2 ──────────►
                                         3 ── T0
    """
    model = GuardedModel(
        Event("1", T0 - 30 * DAY_MILLIS, Stage.PRODUCTION),
        Event("2", T0 - 20 * DAY_MILLIS, Stage.PRODUCTION),
        Event("1", T0 - 19 * DAY_MILLIS + 1, Stage.PRODUCTION),
        Event("2", T0 - 10 * DAY_MILLIS, Stage.PRODUCTION),
        Event("3", T0 - HOUR_MILLIS, Stage.CANARY),
    )
    model.actions = [earlier_rollback("2", at=rolled_back)]
    model.play(score("2", "..."), labels("2", "...", correct=950),
               score("3", "ccc"), labels("3", "ccc", correct=700), start=T0)  # fmt: skip
    assert [action.to_version for action in model.sent(ROLLBACK)] == ([] if refusal else ["2"])
    assert refusal is None or refusal in model.refused(ROLLBACK)


def earlier_rollback(version: str, *, at: int) -> ActionRow:
    """Return a rollback of *version* that was carried out."""
    return ActionRow(
        id="earlier",
        incident_id="earlier",
        kind=ROLLBACK,
        state=ActionState.SUCCEEDED,
        reason="quality_worse",
        from_version=version,
        to_version="1",
        window_end=at,
        model_id=1,
        attempt=1,
        request="{}",
        decided_at=at,
    )
