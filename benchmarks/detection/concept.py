"""Predictions whose error rate changes while their inputs do not, and truths that come later."""

import numpy as np
import pyarrow as pa

from benchmarks.detection.stream import (
    LABEL,
    MINUTE,
    SCORE,
    TRUTH,
    TRUTH_TIME,
    Change,
    ChangeKind,
    Times,
    time_column,
)

ERROR_RATE = 0.1
SHORTEST_DELAY, MEAN_FURTHER_DELAY = 5 * MINUTE, 15 * MINUTE


def prediction_columns(
    random: np.random.Generator, times: Times, *, change: Change | None, arrives: bool
) -> dict[str, pa.Array]:
    """Return `score`, `label` (1 from 0.5 on) and `truth` of each row; with *arrives* `truth_at` too.

    The truth differs from the label with probability `ERROR_RATE`, from the change on with the change's size. It is
    known 5 minutes later and then after an exponential time with a mean of 15 more.
    """
    scores = random.beta(2.0, 2.0, times.size).astype(np.float32)
    labels = (scores >= 0.5).astype(np.int8)
    rate = np.full(times.size, ERROR_RATE)
    if change is not None and change.kind is ChangeKind.ERRORS:
        rate[times >= change.start] = change.size
    truths = np.where(random.random(times.size) < rate, 1 - labels, labels).astype(np.int8)
    columns = {SCORE: pa.array(scores), LABEL: pa.array(labels), TRUTH: pa.array(truths)}
    if arrives:
        delays = SHORTEST_DELAY + random.exponential(MEAN_FURTHER_DELAY, times.size).astype(np.int64)
        columns[TRUTH_TIME] = time_column(times + delays)
    return columns
