"""Counts rearranged for comparison, so that bins and columns are runs."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Indices, Mask
from monitor.errors import BinMismatchError
from monitor.reference.layout import CellsLayout, Slot
from monitor.spec.model import ColumnKind
from monitor.stats.columnar import Counts
from monitor.types import Statistic

SHARES = (Statistic.MISSING, Statistic.INVALID, Statistic.UNSEEN, Statistic.FAR)
MISSING, INVALID, UNSEEN, FAR = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOrder:
    """Where the compared counts stand in a layout's vector, and where columns and bins begin among them.

    A numeric column is its BELOW slot, its cells and its ABOVE slot: the slots are end cells of their own for the KS
    distance and part of the first and last bin for PSI. A categorical column is its cells sorted by bin. Of `age` with
    cells in the bins 0 0 1 and `plan` with categories in the bins 1 0 1::

        vector    | age: a0 a1 a2 | M I B A U L H | plan: p0 p1 p2 | M I B A U L H |    M I …: slots
        index           0  1  2     3 4 5 6 7 8 9         10 11 12   13  …     19

        compared          B  a0 a1 a2 A  | p1 p0 p2
        gather            5  0  1  2  6  | 11 10 12
        bin               0  0  0  1  1  |  0  1  1
        columns           0              |  5          np.add.reduceat(vector[gather], columns): values per column
        bins              0        3     |  5  6       the same with bins: values per bin
        columns_of_bins   0              |  2          the first two bins are those of age

    Attributes:
        size: Length of the layout's vector.
        gather: Shape ``(compared,)``. Index in the vector of each compared count.
        columns: Shape ``(columns,)``. First compared count of each column.
        bins: Shape ``(bins of all columns,)``. First compared count of each bin.
        columns_of_bins: Shape ``(columns,)``. First bin of each column.
        bins_per_column: Shape ``(columns,)``.
        points: Shape ``(compared,)``. The cell holds a single value.
        slots: Shape ``(columns, SLOTS)``. Index in the vector of each slot.
    """

    size: int
    gather: Indices
    columns: Indices
    bins: Indices
    columns_of_bins: Indices
    bins_per_column: Indices
    points: Mask
    slots: Indices


def comparison_order(layout: CellsLayout, bins: tuple[tuple[int, ...], ...]) -> ComparisonOrder:
    """Return the order for columns whose cells are grouped by *bins* (one group number per cell)."""
    gathers, groups, points = [], [], []
    for column, span, numbers in zip(layout.columns, layout.spans, bins, strict=True):
        cells = np.arange(span.start, span.slots, dtype=np.intp)
        group = np.array(numbers, dtype=np.intp)
        if column.kind is ColumnKind.NUMERIC:
            cells = np.concatenate([[span.slots + Slot.BELOW], cells, [span.slots + Slot.ABOVE]])
            group = np.concatenate([group[:1], group, group[-1:]])
            points.append(np.array([False, *column.points, False], dtype=np.bool_))
        else:
            by_bin = np.argsort(group, kind="stable")
            cells, group = cells[by_bin], group[by_bin]
            points.append(np.ones(len(cells), dtype=np.bool_))
        gathers.append(cells)
        groups.append(group)
    columns = _starts([len(gather) for gather in gathers])
    first_of_bins = [np.flatnonzero(np.diff(columns_of_group, prepend=-1)) for columns_of_group in groups]
    bins_per_column = np.array([len(bin_starts) for bin_starts in first_of_bins], dtype=np.intp)
    return ComparisonOrder(
        size=layout.size,
        gather=np.concatenate(gathers),
        columns=columns,
        bins=np.concatenate([start + bin_starts for start, bin_starts in zip(columns, first_of_bins, strict=True)]),
        columns_of_bins=_starts(bins_per_column.tolist()),
        bins_per_column=bins_per_column,
        points=np.concatenate(points),
        slots=layout.slot_index,
    )


def _starts(lengths: list[int]) -> Indices:
    return np.cumsum([0, *lengths[:-1]], dtype=np.intp)


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


def sample_of(counts: Counts, *, order: ComparisonOrder, constant: Mask) -> Sample:
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
