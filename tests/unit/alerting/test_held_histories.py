"""What a rollback that waits shows of later windows, and what a person who rejects it has accepted: whole histories."""

from dataclasses import replace

import pytest

from alerting.actions.comparisons import CountRange, DecisionCounts
from monitor.types import ActionState
from tests.models.guarded import GuardedModel, Line, labels, score
from tests.unit.alerting.test_guard_histories import CANARY, RETRAINING, ROLLBACK, STABLE, STEP
from tests.unit.alerting.timeline import T0


@pytest.mark.parametrize(
    ("later", "canary", "ground", "evidence"),
    [
        pytest.param([3010], [], "recalibrated", ["recalibrated"], id="decisions are the same"),
        pytest.param([3010, 4000], [], "shift_without_labels", ["recalibrated", "shift_without_labels"], id="no more"),
        pytest.param([3010, None], [], "recalibrated", ["recalibrated"], id="then not compared"),
        pytest.param([3010], [labels("2", " ..", correct=950)], "recalibrated", ["recalibrated", "quality_is_fine"],
                     id="labels are fine"),
        pytest.param([3010], [labels("2", "   .~", correct=950)], "recalibrated",
                     ["recalibrated", "quality_is_fine", "recalibrated"], id="labels are fine, then not"),
        pytest.param([None], [], "shift_without_labels", ["shift_without_labels"], id="nothing newer is known"),
    ],
)  # fmt: skip
def test_who_decides_sees_the_newest_evidence(
    later: list[int | None], canary: list[Line], ground: str, evidence: list[str]
) -> None:
    """Held while decisions were not compared, it kept saying "its predictions differ" of a recalibrated version."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "."), score("2", "c"), start=T0)
    assert model.of(ROLLBACK) == [("awaiting_approval", "shift_without_labels")]
    (held,) = model.actions
    count: list[int | None] = []

    def decisions(version: str, start: int, stop: int) -> DecisionCounts | None:
        positive = 3000 if version == "1" else count[0]
        return None if positive is None else DecisionCounts(10_000, {"positive": CountRange(positive, positive)})

    model.decisions = decisions
    for index in range(5):
        count[:] = [later[min(index, len(later) - 1)]]
        of_end = [replace(line, letters=line.letters[index]) for line in canary if index < len(line.letters)]
        model.play(score("1", "."), score("2", "c"), *of_end, start=T0 + (1 + index) * STEP)
    assert model.of(ROLLBACK) == [("awaiting_approval", ground)]
    assert model.actions[0] == replace(held, reason=ground), "nothing else of it changes, and nothing is asked again"
    assert model.evidence == evidence


@pytest.mark.parametrize(
    ("later", "asks"),
    [
        pytest.param([score("2", "ccc")], False, id="the same shift"),
        pytest.param([score("2", "aaa")], False, id="the same shift, lower"),
        pytest.param([score("2", "c" * 2200)], False, id="the same shift, beyond the look-back"),
        pytest.param([score("2", "ccc"), labels("2", "...", correct=950)], False, id="labels are fine"),
        pytest.param([score("2", "ccc"), labels("2", "aaa", correct=880)], True, id="labels prove it worse"),
        pytest.param([score("2", "ccc"), Line("2", "aaa", column="income")], True, id="inputs drift"),
        pytest.param([Line("2", "...aaa", column="income")], True, id="the shift ends, inputs drift"),
        pytest.param([score("1", "ccc"), score("2", "ccc")], True, id="the world moves under both"),
    ],
)
def test_after_a_rejected_rollback_the_shift_is_accepted(later: list[Line], asks: bool) -> None:
    """A retraining was asked for at the next window, for the very version and shift that a person had just accepted."""
    model = GuardedModel(STABLE, CANARY)
    model.play(score("1", "..."), score("2", "ccc"), start=T0)
    assert model.of(ROLLBACK) == [("awaiting_approval", "shift_without_labels")]
    model.settle(ActionState.REJECTED)
    stable = [] if any(line.version == "1" for line in later) else [score("1", "." * len(later[0].letters))]
    model.play(*stable, *later, start=T0 + 3 * STEP)
    assert bool(model.of(RETRAINING)) is asks
    assert asks or "shift_accepted" in model.refused(RETRAINING)
    assert model.of(ROLLBACK)[1:] == []
