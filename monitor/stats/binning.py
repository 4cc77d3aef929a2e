"""Which cells and categories share a bin: deciles of the reference, and one bin for what is rare."""

import numpy as np

from monitor.arrays import Indices
from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.columnar import Counts


def decile_bins(counts_of_cells: Counts, *, bins: int = 10, minimum_share: float = 0.01) -> Indices:
    """Return the first cell of each bin, the bins being the deciles of the reference.

    Every decile cuts at the cell edge nearest to it. A cell that holds a whole decile or more (zeros, a flag)
    becomes a bin of its own, so that what lies on either side of it stays visible: a flag of 2 % makes two
    bins whichever of its values is the rare one. Bins under the minimum are then merged, the smallest first,
    with their smaller neighbour.

    Args:
        counts_of_cells: Shape ``(cells,)``. Reference observations in the order of the values.
        bins: Quantiles to cut at.
        minimum_share: Of the reference, in every bin.

    Returns:
        Shape ``(B,)``, beginning with 0, strictly increasing; B = 1 for a constant column.

    Raises:
        BinMismatchError: The counts are not one-dimensional.
        EmptySampleError: The reference has no observations.
    """
    if counts_of_cells.ndim != 1:
        raise BinMismatchError(f"expected a shape (cells,), found {counts_of_cells.shape}")
    # edges[i] is the observations before cell i; edges[-1] is all of them.
    edges = np.concatenate([[0], np.cumsum(counts_of_cells)])
    total = edges[-1]
    if total <= 0:
        raise EmptySampleError("a reference without observations has no deciles")
    cuts = {0}
    for level in range(1, bins):
        # In units of 1/bins of an observation everything is an integer: no rounding decides a cut.
        above = int(np.searchsorted(edges * bins, level * total))
        below = above if edges[above] * bins == level * total else above - 1
        if (edges[above] - edges[below]) * bins >= total:
            cuts |= {below, above}
        else:
            nearer_below = level * total - edges[below] * bins <= edges[above] * bins - level * total
            cuts.add(below if nearer_below else above)
    inside = sorted(cut for cut in cuts if edges[cut] < total)
    return merge_small(np.array(inside, dtype=np.intp), counts_of_cells, minimum_share * float(total))


def rare_merge(category_counts: Counts, *, minimum_share: float = 0.01, maximum: int = 30) -> Indices:
    """Return the bin of each category: its own, or the last one for all that are rare.

    Rare is what holds under *minimum_share* of the reference or comes after the *maximum* most frequent
    (ties go to the earlier category). The frequent keep their order as bins 0, 1, …; without rare categories
    there is no bin for them. Counts per bin are ``np.bincount(groups, weights=counts)``.

    Args:
        category_counts: Shape ``(categories,)``. Reference observations.
        minimum_share: Of the reference, for a bin of one's own.
        maximum: Bins for categories, without the rare one.

    Returns:
        Shape ``(categories,)``.

    Raises:
        BinMismatchError: The counts are not one-dimensional.
        EmptySampleError: The reference has no observations.
    """
    if category_counts.ndim != 1:
        raise BinMismatchError(f"expected a shape (categories,), found {category_counts.shape}")
    total = category_counts.sum()
    if total <= 0:
        raise EmptySampleError("a reference without observations has no frequent categories")
    frequent = category_counts >= minimum_share * total
    by_frequency = np.argsort(-category_counts, kind="stable")
    frequent[by_frequency[maximum:]] = False
    groups = np.full(len(category_counts), int(frequent.sum()), dtype=np.intp)
    groups[frequent] = np.arange(frequent.sum())
    return groups


def merge_small(starts: Indices, counts: Counts, minimum: float) -> Indices:
    """Return the first cells of neighbouring bins so merged that each holds *minimum*, the smallest going first.

    Args:
        starts: Shape ``(B,)``. First cell of each bin.
        counts: Shape ``(cells,)``.
    """
    while len(starts) > 1:
        held = np.add.reduceat(counts, starts)
        smallest = int(np.argmin(held))
        if held[smallest] >= minimum:
            break
        after = held[smallest + 1] if smallest + 1 < len(held) else np.inf
        before = held[smallest - 1] if smallest > 0 else np.inf
        starts = np.delete(starts, smallest if before <= after else smallest + 1)
    return starts
