"""Counts the rows of a table on the cells of a column."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.reference.cells import SLOTS, ColumnCells, Slot
from monitor.reference.column_values import Numbers, Texts

Indices = npt.NDArray[np.intp]
Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
NOWHERE = -1
FAR_SLOTS = 2  # the last ones; what they count is also in a cell or slot before them


@dataclass(frozen=True, slots=True)
class ColumnPlaces:
    """Where each row of one column counts: in a cell or in a slot, and perhaps in a far slot besides.

    Attributes:
        cell: Shape ``(rows,)``. Index of the cell, `NOWHERE` where the row is in a slot instead.
        slot: Shape ``(rows,)``. The slot, `NOWHERE` where the row is in a cell.
        far: Shape ``(rows,)``. `Slot.FAR_LOW`, `Slot.FAR_HIGH` or `NOWHERE`.
        weights: Shape ``(rows,)``. How many rows each counts for; None: each is one.
    """

    cell: Indices
    slot: Indices
    far: Indices
    weights: Reals | None = None


def numeric_places(cells: ColumnCells, numbers: Numbers) -> ColumnPlaces:
    """Return where each number counts."""
    values = numbers.values
    valid = ~(numbers.missing | numbers.invalid)
    edges = np.asarray(cells.edges)
    slot = np.full(values.size, NOWHERE, dtype=np.intp)
    slot[numbers.missing] = Slot.MISSING
    slot[numbers.invalid] = Slot.INVALID
    slot[valid & (values < edges[0])] = Slot.BELOW
    slot[valid & (values > cells.maximum)] = Slot.ABOVE
    cell = np.where(slot == NOWHERE, np.searchsorted(edges, values, side="right") - 1, NOWHERE)
    far = np.full(values.size, NOWHERE, dtype=np.intp)
    far[valid & (values < cells.far_low)] = Slot.FAR_LOW
    far[valid & (values > cells.far_high)] = Slot.FAR_HIGH
    return ColumnPlaces(cell, slot, far)


def categorical_places(cells: ColumnCells, texts: Texts) -> ColumnPlaces:
    """Return where each category counts."""
    place = {category: index for index, category in enumerate(cells.categories)}
    of_code = np.array([place.get(text, NOWHERE) for text in texts.categories] + [NOWHERE], dtype=np.intp)
    cell = of_code[texts.codes]
    slot = np.where(cell == NOWHERE, int(Slot.UNSEEN), NOWHERE)
    slot[texts.missing] = Slot.MISSING
    slot[texts.invalid] = Slot.INVALID
    return ColumnPlaces(cell, slot, np.full(cell.size, NOWHERE, dtype=np.intp))


def counts_on_cells(cells: ColumnCells, places: ColumnPlaces) -> Integers:
    """Return the column's part of the vector of counts: its cells, then its slots."""
    return grouped_counts(places, np.arange(cells.cells), groups=cells.cells).reshape(-1)


def grouped_counts(
    places: ColumnPlaces, group_of_cell: Indices, *, groups: int, row_of: Indices | None = None, rows: int = 1
) -> Integers:
    """Return how often each group of cells and each slot was hit.

    Args:
        places: Where each row counts.
        group_of_cell: Shape ``(cells,)``. Group of each cell, under *groups*.
        groups: Number of groups.
        row_of: Shape ``(rows of the table,)``. In which row of the answer each is counted (its time block); all in
            the only one when None.
        rows: Rows of the answer.

    Returns:
        Shape ``(rows, groups + SLOTS)``.
    """
    width = groups + SLOTS
    offset = np.zeros(places.cell.size, dtype=np.intp) if row_of is None else row_of * width
    inside = places.cell != NOWHERE
    hits, hit_rows = [offset[inside] + group_of_cell[places.cell[inside]]], [inside]
    for slots in (places.slot, places.far):
        hit = slots != NOWHERE
        hits.append(offset[hit] + groups + slots[hit])
        hit_rows.append(hit)
    found = np.concatenate(hits)
    if places.weights is None:
        return np.bincount(found, minlength=rows * width).astype(np.int64).reshape(rows, width)
    weights = np.concatenate([places.weights[hit] for hit in hit_rows])
    weighed: Reals = np.bincount(found, weights=weights, minlength=rows * width).astype(np.float64)
    return whole_counts(weighed.reshape(rows, width))


def whole_counts(weighed: Reals) -> Integers:
    """Return weighed counts, shape ``(rows, groups + SLOTS)``, as integers of the same sums.

    What lies below any edge is rounded, not each count: no cumulative share is off by more than half a row, however
    many cells there are, and each row of the answer adds up to its rounded sum.
    """
    counts = np.rint(weighed).astype(np.int64)
    below = np.rint(np.cumsum(weighed[:, :-FAR_SLOTS], axis=1)).astype(np.int64)
    counts[:, :-FAR_SLOTS] = np.diff(below, axis=1, prepend=0)
    return counts
