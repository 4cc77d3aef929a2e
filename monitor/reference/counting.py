"""Rows of a table, or the cells of another profile, counted on cells."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Indices, Int64s
from monitor.reference.arrow_columns import NumericColumn, TextColumn
from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, Slot
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind

NOWHERE = -1
FAR_SLOTS = 2  # the last ones; what they count is also in a cell or slot before them


@dataclass(frozen=True, slots=True)
class ColumnPlaces:
    """Where each row of one column counts: in a cell or in a slot, and perhaps in a far slot as well.

    Attributes:
        cell: Shape ``(rows,)``. Index of the cell, `NOWHERE` where the row is in a slot instead.
        slot: Shape ``(rows,)``. The slot, `NOWHERE` where the row is in a cell.
        far: Shape ``(rows,)``. `Slot.FAR_LOW`, `Slot.FAR_HIGH` or `NOWHERE`.
        weights: Shape ``(rows,)``. How many rows each counts for; None: each is one.
    """

    cell: Indices
    slot: Indices
    far: Indices
    weights: Float64s | None = None


def numeric_places(cells: ColumnCells, numbers: NumericColumn) -> ColumnPlaces:
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


def categorical_places(cells: ColumnCells, texts: TextColumn) -> ColumnPlaces:
    """Return where each category counts."""
    place = {category: index for index, category in enumerate(cells.categories)}
    of_code = np.array([place.get(text, NOWHERE) for text in texts.categories] + [NOWHERE], dtype=np.intp)
    cell = of_code[texts.codes]
    slot = np.where(cell == NOWHERE, int(Slot.UNSEEN), NOWHERE)
    slot[texts.missing] = Slot.MISSING
    slot[texts.invalid] = Slot.INVALID
    return ColumnPlaces(cell, slot, np.full(cell.size, NOWHERE, dtype=np.intp))


def counts_on_cells(cells: ColumnCells, places: ColumnPlaces) -> Int64s:
    """Return the column's part of the vector of counts: its cells, then its slots."""
    return grouped_counts(places, np.arange(cells.cells), groups=cells.cells).reshape(-1)


def grouped_counts(
    places: ColumnPlaces, group_of_cell: Indices, *, groups: int, row_of: Indices | None = None, rows: int = 1
) -> Int64s:
    """Return how often each group of cells and each slot was hit.

    All of it is one `np.bincount` of places in the flattened answer. Four rows in two time blocks, on three cells of
    which the first two are one group, so that the answer has 2 + 7 columns::

        row     block   cell   group   slot          far            place: block * 9 + group, or + 2 + slot
        0       0       0      0                                    0
        1       0       2      1                     FAR_HIGH (6)   1 and 8
        2       1                      MISSING (0)                  9 + 2
        3       1       1      0                                    9

        bincount([0, 1, 9, 11, 8], minlength=18).reshape(2, 9)      1 1 | 0 0 0 0 0 0 1     block 0
                                                                    1 0 | 1 0 0 0 0 0 0     block 1

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
    hit_places = np.concatenate(hits)
    if places.weights is None:
        return np.bincount(hit_places, minlength=rows * width).astype(np.int64).reshape(rows, width)
    weights = np.concatenate([places.weights[hit] for hit in hit_rows])
    weighed: Float64s = np.bincount(hit_places, weights=weights, minlength=rows * width).astype(np.float64)
    return whole_counts(weighed.reshape(rows, width))


def whole_counts(weighed: Float64s) -> Int64s:
    """Return weighed counts, shape ``(rows, groups + SLOTS)``, as integers of the same sums.

    What lies below any edge is rounded, not each count: no cumulative share is off by more than half a row, however
    many cells there are, and each row of the answer adds up to its rounded sum.
    """
    counts = np.rint(weighed).astype(np.int64)
    below = np.rint(np.cumsum(weighed[:, :-FAR_SLOTS], axis=1)).astype(np.int64)
    counts[:, :-FAR_SLOTS] = np.diff(below, axis=1, prepend=0)
    return counts


def rebinned_counts(profile: ReferenceProfile, layout: CellsLayout) -> Int64s:
    """Return the counts of *profile* on *layout*, shape ``(layout.size,)``; exact where the cells are the same.

    Inside a numeric cell the values are taken as even, so a cumulative share is off by at most the share of one cell,
    a thousandth for what `driftline init` made. Categories are exact. Columns that *profile* lacks, or counts as the
    other kind, stay empty.
    """
    columns = zip(profile.layout.columns, profile.layout.spans, strict=True)
    known = {(cells.name, cells.kind): (cells, profile.counts[span.start : span.stop]) for cells, span in columns}
    counts = np.zeros(layout.size, dtype=np.int64)
    for cells, span in zip(layout.columns, layout.spans, strict=True):
        source = known.get((cells.name, cells.kind))
        if source is not None:
            counts[span.start : span.stop] = _rebinned(*source, cells)
    return counts


def _rebinned(source: ColumnCells, counts: Int64s, target: ColumnCells) -> Int64s:
    if source == target:
        return counts
    if target.kind is ColumnKind.CATEGORICAL:
        return _by_name(source, counts, target)
    return _by_edges(source, counts, target)


def _by_name(source: ColumnCells, counts: Int64s, target: ColumnCells) -> Int64s:
    place = {name: index for index, name in enumerate(target.categories)}
    renamed = np.zeros(target.cells + SLOTS, dtype=np.int64)
    renamed[target.cells :] = counts[source.cells :]
    for name, count in zip(source.categories, counts[: source.cells].tolist(), strict=True):
        renamed[place.get(name, target.cells + Slot.UNSEEN)] += count
    return renamed


def _by_edges(source: ColumnCells, counts: Int64s, target: ColumnCells) -> Int64s:
    slots = counts[source.cells :]
    cuts = np.array([*target.edges, _behind(target.maximum), target.far_low, _behind(target.far_high)])
    below = _mass_below(source, counts, cuts)
    inside, far_low, far_high = below[: target.cells + 1], below[-2], below[-1]
    total = float(counts[: source.cells].sum() + slots[Slot.BELOW] + slots[Slot.ABOVE])
    weighed = np.zeros((1, target.cells + SLOTS))
    weighed[0, : target.cells] = np.diff(inside)
    weighed[0, target.cells + Slot.MISSING] = slots[Slot.MISSING]
    weighed[0, target.cells + Slot.INVALID] = slots[Slot.INVALID]
    weighed[0, target.cells + Slot.BELOW] = inside[0]
    weighed[0, target.cells + Slot.ABOVE] = total - inside[-1]
    weighed[0, target.cells + Slot.FAR_LOW] = far_low
    weighed[0, target.cells + Slot.FAR_HIGH] = total - far_high
    counted: Int64s = whole_counts(weighed)[0]
    return counted


def _mass_below(source: ColumnCells, counts: Int64s, cuts: Float64s) -> Float64s:
    """Return how many values lie below each of *cuts*; what is outside the source's range counts at its ends."""
    edges = np.array([*source.edges, _behind(source.maximum)])
    cumulative = np.concatenate([[0], np.cumsum(counts[: source.cells])]).astype(np.float64)
    cell = np.clip(np.searchsorted(edges, cuts, side="right") - 1, 0, source.cells - 1)
    with np.errstate(over="ignore", invalid="ignore"):
        # Halves only where a cell is wider than the largest float: of the smallest ones they would be 0.
        scale = np.where(np.isinf(edges[cell + 1] - edges[cell]), 0.5, 1.0)
        start, stop = edges[cell] * scale, edges[cell + 1] * scale
        inside = np.clip((cuts * scale - start) / (stop - start), 0.0, 1.0)
    inside = np.where(np.isinf(stop), cuts > edges[cell], inside)  # the largest float of all
    below: Float64s = cumulative[cell] + inside * (cumulative[cell + 1] - cumulative[cell])
    below += counts[source.cells + Slot.BELOW] * (cuts >= edges[0])
    return below


def _behind(value: float) -> float:
    with np.errstate(over="ignore"):  # behind the largest float is infinity
        return float(np.nextafter(value, np.inf))
