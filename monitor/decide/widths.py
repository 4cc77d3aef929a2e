"""How wide each compared cell is, in interquartile ranges of the reference (for the Wasserstein distance)."""

import numpy as np

from monitor.decide.order import ComparisonOrder
from monitor.reference.layout import CellsLayout, ColumnCells
from monitor.spec import ColumnKind
from monitor.stats.columnar import Counts, Reals
from monitor.stats.wasserstein import relative_widths


def cell_widths(layout: CellsLayout, order: ComparisonOrder, reference: Counts) -> Reals:
    """Return the widths as of `relative_widths`, shape ``(compared,)``; NaN for categorical columns.

    Args:
        reference: Shape ``(compared,)``. The reference's counts, in the order of comparison.
    """
    low = np.concatenate([_bounds(column)[:-1] for column in layout.columns])
    high = np.concatenate([_bounds(column)[1:] for column in layout.columns])
    return relative_widths(reference, low=low, high=high, starts=order.columns)


def _bounds(column: ColumnCells) -> Reals:
    """Return where the compared cells of *column* begin and end; categories have no extent."""
    if column.kind is ColumnKind.CATEGORICAL:
        return np.zeros(column.cells + 1)
    # What is below the minimum or above the maximum counts as if it were there.
    return np.array([column.edges[0], *column.edges, column.maximum, column.maximum])
