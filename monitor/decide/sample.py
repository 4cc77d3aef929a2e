"""Counts of one span of time (a window, a half, the reference), ready to be compared."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.decide.order import ComparisonOrder
from monitor.errors import BinMismatchError
from monitor.reference.layout import Slot
from monitor.stats.columnar import Counts

SHARES = ("missing", "invalid", "unseen", "far")
MISSING, INVALID, UNSEEN, FAR = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Counts in the order of comparison.

    Attributes:
        cells: Shape ``(compared,)``.
        bins: Shape ``(bins of all columns,)``.
        n: Shape ``(columns,)``. Values that PSI and KS see: without missing, invalid and unseen.
        shares: Shape ``(columns, 4)``. Events with a missing, invalid, unseen and far value, as in `SHARES`.
        totals: Shape ``(columns, 4)``. What each is a share of: all events, and *n* for far values.
    """

    cells: Counts
    bins: Counts
    n: Counts
    shares: Counts
    totals: Counts


def sample_of(counts: Counts, *, order: ComparisonOrder, constant: npt.NDArray[np.bool_]) -> Sample:
    """Return *counts*, shape ``(order.size,)``, in the order of comparison.

    Args:
        constant: Shape ``(columns,)``. Numeric columns of one value: what is below or above it counts as unseen too.

    Raises:
        BinMismatchError: *counts* has another shape.
    """
    if counts.shape != (order.size,):
        raise BinMismatchError(f"expected counts of shape ({order.size},), found {counts.shape}")
    cells = counts.astype(np.int64, copy=False)[order.gather]
    slots = counts[order.slots].astype(np.int64, copy=False)
    n = np.add.reduceat(cells, order.columns)
    shares = slots[:, [Slot.MISSING, Slot.INVALID, Slot.UNSEEN, Slot.FAR_LOW]]
    events = n + shares[:, :FAR].sum(axis=1)
    shares[:, UNSEEN] += constant * (slots[:, Slot.BELOW] + slots[:, Slot.ABOVE])
    shares[:, FAR] += slots[:, Slot.FAR_HIGH]
    return Sample(
        cells=cells,
        bins=np.add.reduceat(cells, order.bins),
        n=n,
        shares=shares,
        totals=np.column_stack([events, events, events, n]),
    )
