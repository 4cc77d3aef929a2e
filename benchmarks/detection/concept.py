"""Predictions that come true or not while their inputs stay as they are, and truths that come later."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.detection.stream import (
    HOUR,
    IDENTITY,
    LABEL,
    MINUTE,
    TRUTH,
    TRUTH_TIME,
    Change,
    ChangeKind,
    Fall,
    time_column,
)
from monitor.arrays import Float32s, Float64s, Int64s

DELAY = 30 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Truths:
    """How often the model is right.

    Attributes:
        phases: Hours and accuracy, one after the other from the start of the current part; the last one goes on for
            ever, and the reference has the accuracy of the first.
        correlation: Between the errors of two predictions of the same *block_minutes*; those of different ones are
            independent. Each block has an error rate of its own, drawn from the beta distribution with this intraclass
            correlation around the phase's.
    """

    phases: tuple[tuple[float, float], ...] = ((0.0, 0.9),)
    correlation: float = 0.0
    block_minutes: int = 5

    def falls(self, *, start: int, stop: int) -> tuple[Fall, ...]:
        """Return each run of phases that are lower than the one before them; *start*, *stop* (ms) of the stream."""
        begins = self._begins(start)
        results: list[Fall] = []
        steps: list[tuple[int, float]] = []
        for number in range(1, len(self.phases)):
            accuracy = self.phases[number][1]
            if accuracy < self.phases[number - 1][1]:
                steps.append((int(begins[number]), accuracy))
            elif steps:
                results.append(Fall(steps=tuple(steps), stop=int(begins[number])))
                steps = []
        if steps:
            results.append(Fall(steps=tuple(steps), stop=stop))
        return tuple(results)

    def error_rates(self, random: np.random.Generator, times: Int64s, *, start: int, current: bool) -> Float64s:
        """Return the error rate of each of *times* (ms, shape ``(rows,)``); *start* (ms) of its part of the stream."""
        phase = np.searchsorted(self._begins(start), times, side="right") - 1 if current else np.zeros(len(times), int)
        rates = 1.0 - np.array([accuracy for _, accuracy in self.phases])[phase]
        if self.correlation == 0.0:
            return rates
        blocks = (times - start) // (self.block_minutes * MINUTE)
        _, first, places = np.unique(blocks, return_index=True, return_inverse=True)
        # Beta(a, b) has mean a / (a + b) and intraclass correlation 1 / (a + b + 1).
        total = (1.0 - self.correlation) / self.correlation
        rates_of_blocks: Float64s = random.beta(rates[first] * total, (1.0 - rates[first]) * total)
        return rates_of_blocks[places]

    def _begins(self, start: int) -> Int64s:
        hours = np.cumsum([0.0, *(hours for hours, _ in self.phases[:-1])])
        return start + np.round(hours * HOUR).astype(np.int64)


def truth_columns(
    random: np.random.Generator,
    times: Int64s,
    scores: Float32s,
    *,
    truths: Truths,
    start: int,
    change: Change | None,
    arrives: bool,
) -> dict[str, pa.Array]:
    """Return `label` (1 from a score of 0.5 on) and `truth` of each row; with *arrives* `id` and `truth_at` too.

    The truth differs from the label at the error rate of *truths*, from a change of errors on with its size. It is
    known half an hour later.

    Args:
        start: Of this part of the stream, in ms.
        arrives: It is the current part, not the reference.
    """
    labels = (scores >= 0.5).astype(np.int8)
    rate = truths.error_rates(random, times, start=start, current=arrives)
    if change is not None and change.kind is ChangeKind.ERRORS:
        rate[times >= change.start] = change.size
    differing = np.where(random.random(times.size) < rate, 1 - labels, labels).astype(np.int8)
    columns = {LABEL: pa.array(labels), TRUTH: pa.array(differing)}
    if arrives:
        columns |= {IDENTITY: pa.array(np.arange(times.size).astype(str)), TRUTH_TIME: time_column(times + DELAY)}
    return columns
