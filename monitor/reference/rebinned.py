"""Counts of one reference on the cells of another, as far as its own cells tell."""

import numpy as np
import numpy.typing as npt

from monitor.reference.cells import SLOTS, CellsLayout, ColumnCells, Slot
from monitor.reference.count_reference import whole_counts
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ColumnKind

Integers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def rebinned_counts(profile: ReferenceProfile, layout: CellsLayout) -> Integers:
    """Return the counts of *profile* on *layout*, shape ``(layout.size,)``; exact where the cells are the same.

    Inside a numeric cell the values are taken as even, so a cumulative share is off by at most the share of one cell,
    a thousandth for what `driftline init` made. Categories are exact. Columns that *profile* lacks, or counts as the
    other kind, stay empty.
    """
    columns = zip(profile.layout.columns, profile.layout.spans, strict=True)
    known = {(cells.name, cells.kind): (cells, profile.counts[span.start : span.stop]) for cells, span in columns}
    counts = np.zeros(layout.size, dtype=np.int64)
    for cells, span in zip(layout.columns, layout.spans, strict=True):
        found = known.get((cells.name, cells.kind))
        if found is not None:
            counts[span.start : span.stop] = _rebinned(*found, cells)
    return counts


def _rebinned(source: ColumnCells, counts: Integers, target: ColumnCells) -> Integers:
    if source == target:
        return counts
    if target.kind is ColumnKind.CATEGORICAL:
        return _by_name(source, counts, target)
    return _by_edges(source, counts, target)


def _by_name(source: ColumnCells, counts: Integers, target: ColumnCells) -> Integers:
    place = {name: index for index, name in enumerate(target.categories)}
    found = np.zeros(target.cells + SLOTS, dtype=np.int64)
    found[target.cells :] = counts[source.cells :]
    for name, count in zip(source.categories, counts[: source.cells].tolist(), strict=True):
        found[place.get(name, target.cells + Slot.UNSEEN)] += count
    return found


def _by_edges(source: ColumnCells, counts: Integers, target: ColumnCells) -> Integers:
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
    found: Integers = whole_counts(weighed)[0]
    return found


def _mass_below(source: ColumnCells, counts: Integers, cuts: Reals) -> Reals:
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
    found: Reals = cumulative[cell] + inside * (cumulative[cell + 1] - cumulative[cell])
    found += counts[source.cells + Slot.BELOW] * (cuts >= edges[0])
    return found


def _behind(value: float) -> float:
    with np.errstate(over="ignore"):  # behind the largest float is infinity
        return float(np.nextafter(value, np.inf))
