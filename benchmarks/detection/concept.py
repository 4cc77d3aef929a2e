"""Predictions whose error rate changes while their inputs do not, and truths that come later."""

import numpy as np
import pyarrow as pa

from benchmarks.detection.stream import IDENTITY, LABEL, MINUTE, TRUTH, TRUTH_TIME, Change, ChangeKind, time_column
from monitor.arrays import Float32s, Int64s

ERROR_RATE = 0.1
DELAY = 30 * MINUTE


def truth_columns(
    random: np.random.Generator,
    times: Int64s,
    scores: Float32s,
    *,
    change: Change | None,
    arrives: bool,
) -> dict[str, pa.Array]:
    """Return `label` (1 from a score of 0.5 on) and `truth` of each row; with *arrives* `id` and `truth_at` too.

    The truth differs from the label with probability `ERROR_RATE`, from the change on with the change's size. It is
    known half an hour later.
    """
    labels = (scores >= 0.5).astype(np.int8)
    rate = np.full(times.size, ERROR_RATE)
    if change is not None and change.kind is ChangeKind.ERRORS:
        rate[times >= change.start] = change.size
    truths = np.where(random.random(times.size) < rate, 1 - labels, labels).astype(np.int8)
    columns = {LABEL: pa.array(labels), TRUTH: pa.array(truths)}
    if arrives:
        columns |= {IDENTITY: pa.array(np.arange(times.size).astype(str)), TRUTH_TIME: time_column(times + DELAY)}
    return columns
