"""Two versions at the same time: decisions from counts of cells, and accuracy proven worse at a level that is kept."""

import numpy as np
import pytest
from scipy.special import gammaln

from alerting.actions.comparisons import (
    CountRange,
    DecisionCounts,
    LabelledCounts,
    added,
    compared_decisions,
    decision_counts,
    proven_worse,
)
from alerting.actions.evidence import Decisions
from monitor.errors import EmptySampleError
from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, ColumnRole, Slot
from monitor.spec.model import ColumnKind
from monitor.stats.hypergeometric import fisher_more

SCORE = ColumnCells(
    name="prediction.score",
    kind=ColumnKind.NUMERIC,
    role=ColumnRole.SCORE,
    edges=(0.1, 0.4, 0.6),
    points=(False,) * 3,
    maximum=0.9,
)
LABEL = ColumnCells(
    name="prediction.label", kind=ColumnKind.CATEGORICAL, role=ColumnRole.LABEL, categories=("no", "yes")
)


def counts_of(layout: CellsLayout, *vectors: tuple[list[int], dict[Slot, int]]) -> "np.typing.NDArray[np.int64]":
    parts = [[*cells, *(slots.get(slot, 0) for slot in Slot)] for cells, slots in vectors]
    counts = np.array([count for part in parts for count in part])
    assert counts.size == layout.size
    return counts


@pytest.mark.parametrize(
    ("threshold", "low", "high"),
    [
        (0.5, 30 + 5, 30 + 5 + 20),  # the cell [0.4, 0.6) is cut
        (0.4, 20 + 30 + 5, 20 + 30 + 5),  # an edge: exact
        (0.05, 10 + 20 + 30 + 5, 10 + 20 + 30 + 5 + 3),  # below the first edge
        (0.95, 0, 5),  # above the maximum
        (0.9, 5, 5 + 30),
    ],
)
def test_scores_that_reach_the_threshold(threshold: float, low: int, high: int) -> None:
    """Counted by cells; what the threshold's own cell holds may lie on either side."""
    layout = CellsLayout(columns=(SCORE,))
    slots = {Slot.BELOW: 3, Slot.ABOVE: 5, Slot.MISSING: 100, Slot.FAR_HIGH: 2}
    decisions = decision_counts(layout, counts_of(layout, ([10, 20, 30], slots)), threshold=threshold)
    assert decisions == DecisionCounts(68, {"positive": CountRange(low, high)})


def test_labels_come_before_the_score() -> None:
    """They are the decisions; a label that the reference does not have is one too, a missing one is none."""
    layout = CellsLayout(columns=(SCORE, LABEL))
    counts = counts_of(layout, ([1, 2, 3], {}), ([70, 20], {Slot.UNSEEN: 10, Slot.MISSING: 5}))
    decisions = decision_counts(layout, counts, threshold=0.5)
    assert decisions is not None
    assert decisions.n == 100
    assert {name: count.low for name, count in decisions.counts.items()} == {"no": 70, "yes": 20, "(unseen)": 10}
    doubled = added(decisions, added(None, decisions))
    assert doubled is not None
    assert (doubled.n, doubled.counts["yes"]) == (200, CountRange(40, 40))


def test_a_model_without_decisions() -> None:
    """Of a regression nothing is known."""
    value = ColumnCells(
        name="prediction.value", kind=ColumnKind.NUMERIC, role=ColumnRole.VALUE, edges=(0.0,), points=(False,)
    )
    layout = CellsLayout(columns=(value,))
    assert decision_counts(layout, np.zeros(1 + SLOTS, dtype=np.int64), threshold=0.5) is None


def positives(count: int, n: int, *, cut: int = 0) -> DecisionCounts:
    return DecisionCounts(n, {"positive": CountRange(count, count + cut)})


@pytest.mark.parametrize(
    ("stable", "canary", "expected"),
    [
        (positives(3000, 10_000), positives(3010, 10_000), Decisions.SAME),
        (positives(3000, 10_000), positives(4000, 10_000), Decisions.CHANGED),
        (positives(3000, 10_000), positives(3500, 10_000), Decisions.UNKNOWN),
        (positives(30, 100), positives(30, 100), Decisions.UNKNOWN),
        (positives(3000, 10_000), positives(2500, 10_000, cut=1000), Decisions.UNKNOWN),
        (positives(3000, 10_000), positives(0, 0), Decisions.UNKNOWN),
    ],
)
def test_decisions_are_same_only_when_that_is_shown(
    stable: DecisionCounts, canary: DecisionCounts, expected: Decisions
) -> None:
    """Few events, or a wide cell at the threshold, show neither."""
    assert compared_decisions(stable, canary) is expected
    assert compared_decisions(canary, stable) is expected


def test_one_label_for_another_is_a_change() -> None:
    """Shares of all labels count, not only of one."""
    three = {name: CountRange(count, count) for name, count in (("a", 5000), ("b", 3000), ("c", 2000))}
    moved = {name: CountRange(count, count) for name, count in (("a", 5000), ("b", 2000), ("c", 3000))}
    assert compared_decisions(DecisionCounts(10_000, three), DecisionCounts(10_000, moved)) is Decisions.CHANGED


def test_fisher_is_the_hypergeometric_tail() -> None:
    """The lady tasting tea: 3 of 4 against 1 of 4 has p = 17/70; and what cannot be asked is said."""
    assert fisher_more(3, 4, 1, 4) == pytest.approx(17 / 70)
    assert fisher_more(0, 4, 4, 4) == pytest.approx(1.0)
    assert fisher_more(4, 4, 0, 4) == pytest.approx(1 / 70)
    with pytest.raises(EmptySampleError):
        fisher_more(0, 0, 0, 4)
    with pytest.raises(ValueError, match="found 5 of 4"):
        fisher_more(5, 4, 0, 4)


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.99, 0.998])
def test_equal_versions_are_proven_worse_no_more_often_than_stated(accuracy: float) -> None:
    """Exact sum over both binomial distributions, small counts too, where Newcombe's bound alone would not hold."""
    n, alpha = 120, 1e-3
    k = np.arange(n + 1)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + k * np.log(accuracy) + (n - k) * np.log1p(-accuracy)
    weights = np.exp(logs)
    rate = sum(
        weights[mine] * weights[other]
        for mine in k
        for other in k[k > mine]
        if weights[mine] * weights[other] > 1e-12
        and proven_worse(LabelledCounts(n, int(mine)), LabelledCounts(n, int(other)), alpha=alpha)
    )
    assert rate <= alpha


def test_worse_by_less_than_the_margin_is_not_worse() -> None:
    """With counts enough any difference is certain; half a hundredth of accuracy costs nothing."""
    many = 1_000_000
    assert not proven_worse(LabelledCounts(many, 895_000), LabelledCounts(many, 900_000), alpha=1e-6)
    assert proven_worse(LabelledCounts(many, 885_000), LabelledCounts(many, 900_000), alpha=1e-6)
    assert not proven_worse(LabelledCounts(0, 0), LabelledCounts(many, 900_000), alpha=1e-6)


def test_truths_that_depend_on_each_other_are_fewer() -> None:
    """The share stays, the number shrinks; none is left of next to none."""
    assert LabelledCounts(1000, 800).reduced(0.25) == LabelledCounts(250, 200)
    assert LabelledCounts(3, 2).reduced(0.25) == LabelledCounts(0, 0)
