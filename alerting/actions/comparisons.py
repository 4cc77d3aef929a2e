"""Two versions at the same time: whether they decide alike, and whether the labels prove one of them worse; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from alerting.actions.evidence import Decisions
from monitor.arrays import AnyIntegers
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole, ColumnSpan, Slot
from monitor.stats.hypergeometric import fisher_more
from monitor.stats.proportions import newcombe_difference

SAME_WITHIN = 0.05
"""Shares of a decision that differ by no more than this are the same, for people who read about it; nothing is sent."""
SAME_CONFIDENCE = 0.95
MARGIN = 0.01
"""By how much accuracy must be proven worse than the other version's: a difference that is below it costs nothing."""
_POSITIVE = "positive"
_UNSEEN = "(unseen)"


@dataclass(frozen=True, slots=True)
class CountRange:
    """A count that is known up to what the threshold's own cell holds."""

    low: int
    high: int


_NONE = CountRange(0, 0)


@dataclass(frozen=True, slots=True)
class DecisionCounts:
    """How often each decision was made, of *n*; of a score alone: how often it reached the threshold."""

    n: int
    counts: Mapping[str, CountRange]


@dataclass(frozen=True, slots=True)
class LabelledCounts:
    """Predictions with a truth, and how many of them were right."""

    labelled: int
    correct: int

    def reduced(self, worth: float) -> "LabelledCounts":
        """Return as many independent ones as they are *worth*, a part of 1, rounded down; the share stays."""
        labelled = int(self.labelled * worth)
        return LabelledCounts(labelled, round(self.correct * labelled / self.labelled) if labelled else 0)


def decision_counts(layout: CellsLayout, counts: AnyIntegers, *, threshold: float) -> DecisionCounts | None:
    """Return the decisions in a vector of *counts*: of the label, without one of the score; None without either."""
    for role in (ColumnRole.LABEL, ColumnRole.SCORE):
        for column, span in zip(layout.columns, layout.spans, strict=True):
            if column.role is role:
                return (
                    _of_label(column, span, counts) if column.categories else _of_score(column, span, counts, threshold)
                )
    return None


def added(first: DecisionCounts | None, second: DecisionCounts | None) -> DecisionCounts | None:
    """Return the counts of both."""
    if first is None or second is None:
        return first or second
    names = dict.fromkeys((*first.counts, *second.counts))
    ranges = {}
    for name in names:
        left, right = first.counts.get(name, _NONE), second.counts.get(name, _NONE)
        ranges[name] = CountRange(left.low + right.low, left.high + right.high)
    return DecisionCounts(first.n + second.n, ranges)


def compared_decisions(first: DecisionCounts, second: DecisionCounts) -> Decisions:
    """Return whether two versions decide alike: every share's difference is, or one is not, within `SAME_WITHIN`."""
    if not first.n or not second.n:
        return Decisions.UNKNOWN
    same = True
    for name in dict.fromkeys((*first.counts, *second.counts)):
        left, right = first.counts.get(name, _NONE), second.counts.get(name, _NONE)
        low = newcombe_difference(left.low, first.n, right.high, second.n, confidence=SAME_CONFIDENCE).low
        high = newcombe_difference(left.high, first.n, right.low, second.n, confidence=SAME_CONFIDENCE).high
        if low > SAME_WITHIN or high < -SAME_WITHIN:
            return Decisions.CHANGED
        same = same and low >= -SAME_WITHIN and high <= SAME_WITHIN
    return Decisions.SAME if same else Decisions.UNKNOWN


def proven_worse(judged: LabelledCounts, other: LabelledCounts, *, alpha: float) -> bool:
    """Return whether *judged* is proven less accurate than *other* by more than `MARGIN`, at the level *alpha*.

    Newcombe's bound has the margin; Fisher's exact test keeps the level where counts are small.
    """
    if not judged.labelled or not other.labelled:
        return False
    difference = newcombe_difference(
        other.correct, other.labelled, judged.correct, judged.labelled, confidence=1.0 - 2.0 * alpha
    )
    if difference.low <= MARGIN:
        return False
    wrong, wrong_other = judged.labelled - judged.correct, other.labelled - other.correct
    return fisher_more(wrong, judged.labelled, wrong_other, other.labelled) <= alpha


def _of_label(column: ColumnCells, span: ColumnSpan, counts: AnyIntegers) -> DecisionCounts:
    names = (*column.categories, _UNSEEN)
    indices = (*range(span.start, span.slots), span.slots + Slot.UNSEEN)
    by_name = {name: int(counts[index]) for name, index in zip(names, indices, strict=True)}
    return DecisionCounts(sum(by_name.values()), {name: CountRange(count, count) for name, count in by_name.items()})


def _of_score(column: ColumnCells, span: ColumnSpan, counts: AnyIntegers, threshold: float) -> DecisionCounts:
    lowest, highest = column.edges[0], column.maximum
    uppers = (*column.edges[1:], float("inf"))
    below, above = int(counts[span.slots + Slot.BELOW]), int(counts[span.slots + Slot.ABOVE])
    n = below + above
    reached = cut = 0
    for index, (lower, upper) in enumerate(zip(column.edges, uppers, strict=True)):
        count = int(counts[span.start + index])
        n += count
        if lower >= threshold:
            reached += count
        elif upper > threshold and (index + 1 < len(column.edges) or highest >= threshold):
            cut += count
    if lowest > threshold:
        cut += below
    if highest >= threshold:
        reached += above
    else:
        cut += above
    return DecisionCounts(n, {_POSITIVE: CountRange(reached, reached + cut)})
