"""What a change does to the values of one column."""

import numpy as np
import pyarrow as pa

from benchmarks.detection.columns import CATEGORIES, CATEGORY
from benchmarks.detection.stream import HOUR, Change, ChangeKind
from monitor.arrays import Float32s, Int64s

RAMP = 6 * HOUR
NEW_CATEGORY = "indigo"


def changed_numbers(values: Float32s, times: Int64s, change: Change, random: np.random.Generator) -> pa.Array:
    """Return the numbers of a column after *change* was done to it.

    Args:
        values, times: Shape ``(rows,)`` each.

    Raises:
        ValueError: *change* is none of numbers.
    """
    during = _during(times, change)
    if change.kind is ChangeKind.SHIFT:
        return pa.array(values + np.float32(change.size) * during)
    if change.kind is ChangeKind.GRADUAL:
        ramp = np.clip((times - change.start) / RAMP, 0.0, 1.0)
        return pa.array((values + change.size * ramp * during).astype(np.float32))
    if change.kind is ChangeKind.UNIT:
        return pa.array(np.where(during, values * np.float32(change.size), values))
    if change.kind is ChangeKind.CONSTANT:
        return pa.array(np.where(during, values[0], values))
    if change.kind is ChangeKind.MISSING:
        return pa.array(values, mask=during & (random.random(values.size) < change.size))
    raise ValueError(f"expected a change of numbers, found {change.kind}")


def changed_categories(
    codes: np.ndarray, times: Int64s, change: Change | None, random: np.random.Generator
) -> pa.Array:
    """Return a column of categories, *codes* being indices into `CATEGORIES`, after a new one came up if any did."""
    names = (*CATEGORIES, NEW_CATEGORY)
    if change is not None:
        new = _during(times, change) & (random.random(codes.size) < change.size)
        codes = np.where(new, np.int8(len(CATEGORIES)), codes)
    return pa.DictionaryArray.from_arrays(pa.array(codes, type=pa.int8()), pa.array(names))


def fits(change: Change, distribution: str) -> bool:
    """Return whether *change* can happen to a column of this distribution."""
    return (change.kind is ChangeKind.NEW_CATEGORY) == (distribution == CATEGORY)


def _during(times: Int64s, change: Change) -> np.ndarray:
    stop = np.iinfo(np.int64).max if change.stop is None else change.stop
    return (times >= change.start) & (times < stop)
