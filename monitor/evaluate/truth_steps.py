"""Truths of one series by the steps of one scale, and which steps of a window can be judged already."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from monitor.performance.error_detector import StepTruths
from monitor.types import Scale
from monitor.windows.sliding import length_millis, step_millis


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

    def of_window(self, end: int, *, without: frozenset[int]) -> tuple[StepTruths, ...]:
        """Return the steps of a window, ascending, but for those that begin at one of *without*."""
        low, high = self._range(end)
        return tuple(each for each in self._truths[low:high] if each.start not in without)

    def immature(self, sampled: Mapping[int, int], *, maturity: float) -> frozenset[int]:
        """Return the starts of the steps whose truths are not in to *maturity* yet.

        Truths that come early may differ from those that come late, and in the newest step there are none but early
        ones: what is enough for a window is asked of each of its steps.

        Args:
            sampled: Predictions in the ledger by the step's end, where that is known; elsewhere the window's own
                maturity is enough.
        """
        step = step_millis(self._scale)
        return frozenset(
            each.start for each in self._truths if each.labelled < maturity * sampled.get(each.start + step, 0)
        )

    def _range(self, end: int) -> tuple[int, int]:
        return bisect_left(self._starts, end - length_millis(self._scale)), bisect_left(self._starts, end)
