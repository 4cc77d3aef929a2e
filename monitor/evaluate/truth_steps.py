"""Truths of one series by the steps of one scale, and which steps of a window can be judged already."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from monitor.truth.lasting_errors import StepTruths
from monitor.types import Scale
from monitor.windows.cutting import PaneRow
from monitor.windows.due import length_millis, step_millis


class TruthSteps:
    """A window is made of whole steps, so the start of a step says which windows hold it."""

    def __init__(self, scale: Scale, truths: Sequence[StepTruths]) -> None:
        """Take *truths* by step of *scale*, ascending."""
        self._scale = scale
        self._truths = truths
        self._starts = [each.start for each in truths]
        self._labelled = list(accumulate((each.labelled for each in truths), initial=0))
        self._correct = list(accumulate((each.correct for each in truths), initial=0))

    @property
    def reach(self) -> tuple[int, int]:
        """From the start of the first step with truths to the stop of the last (ms); both 0 without any."""
        return (self._starts[0], self._starts[-1] + step_millis(self._scale)) if self._starts else (0, 0)

    def sums(self, end: int) -> tuple[int, int]:
        """Return how many truths the window that ends at *end* has, and how many of its predictions are right."""
        low, high = self._range(end)
        return self._labelled[high] - self._labelled[low], self._correct[high] - self._correct[low]

    def judged(self, end: int, *, sampled: Mapping[int, int], maturity: float) -> tuple[StepTruths, ...]:
        """Return the steps of a window whose truths are in to *maturity*, ascending.

        Truths that come early may differ from those that come late, and in the newest step there are none but early
        ones: what is enough for a window is asked of each of its steps.

        Args:
            sampled: Predictions in the ledger, by step, as `sampled_by_step` gives them. Where a step with truths is
                missing, or has fewer than truths, its predictions cannot be told apart from other steps' any more:
                the window is one step.
        """
        low, high = self._range(end)
        truths = self._truths[low:high]
        if any(each.labelled > sampled.get(each.start, 0) for each in truths):
            labelled, correct = self.sums(end)
            return (StepTruths(start=end - length_millis(self._scale), labelled=labelled, correct=correct),)
        return tuple(each for each in truths if each.labelled >= maturity * sampled[each.start])

    def _range(self, end: int) -> tuple[int, int]:
        return bisect_left(self._starts, end - length_millis(self._scale)), bisect_left(self._starts, end)


def sampled_by_step(rows: Sequence[PaneRow], scale: Scale) -> dict[int, int]:
    """Return how many predictions of each step are in the ledger, without steps that share a compacted row."""
    step = step_millis(scale)
    sampled: dict[int, int] = {}
    shared: set[int] = set()
    for row in rows:
        start = row.start - row.start % step
        sampled[start] = sampled.get(start, 0) + row.sampled
        if row.span > scale.step:
            shared.update(range(start, row.stop, step))
    return {start: count for start, count in sampled.items() if start not in shared}
