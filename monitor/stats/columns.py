"""Counts of many columns side by side in one array, told apart by the first index of each.

Twenty columns in one numpy call cost what one column costs, so every statistic that runs per column and
window has a form over such arrays.
"""

import numpy as np
import numpy.typing as npt

from monitor.errors import BinMismatchError

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]
"""Observations per bin or cell. Real-valued only where a reference is a weighted mixture of profiles."""

Starts = npt.NDArray[np.intp] | npt.NDArray[np.int64]
"""First index of each column (or bin) in a concatenation, beginning with 0 and strictly increasing."""

Reals = npt.NDArray[np.float64]


def column_lengths(starts: Starts, size: int) -> npt.NDArray[np.intp]:
    """Return how many entries each column has in a concatenation of *size* entries.

    Raises:
        BinMismatchError: *starts* does not begin with 0, does not increase strictly, or runs past *size*
            (``np.add.reduceat`` would then answer with wrong sums instead of an error).
    """
    lengths = np.empty(len(starts), dtype=np.intp)
    if len(starts) == 0 or starts[0] != 0:
        raise BinMismatchError(f"starts must begin with 0, found {starts[:1].tolist()}")
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1] = size - starts[-1]
    if lengths.min() < 1:
        raise BinMismatchError(f"starts must increase strictly and stay under {size}, found {starts.tolist()}")
    return lengths


def coarsen(counts: Counts, starts: Starts) -> Counts:
    """Return the sums of *counts* over the groups of consecutive entries that begin at *starts*.

    Cells become bins, and the slots of all columns become totals; leading axes (windows) are kept.

    Raises:
        BinMismatchError: *starts* does not fit the last axis of *counts*.
    """
    column_lengths(starts, counts.shape[-1])
    sums: Counts = np.add.reduceat(counts, starts, axis=-1)
    return sums
