"""What the decision needs of one column, from its bins and the counts of its time blocks."""

import numpy as np
import numpy.typing as npt

from monitor.reference.cells import SLOTS, ColumnCells, Slot
from monitor.reference.movement import column_movements, share_variances
from monitor.reference.profile import ColumnReference
from monitor.reference.season import with_season
from monitor.reference.time_blocks import TimeBlocks
from monitor.spec import ColumnKind
from monitor.types import Season

Indices = npt.NDArray[np.intp]
Integers = npt.NDArray[np.integer]


def column_reference(
    cells: ColumnCells,
    *,
    bins: Indices,
    by_block: Integers,
    blocks: TimeBlocks | None,
    lengths: tuple[int, ...],
    season: Season | None,
    iqr: float,
) -> ColumnReference:
    """Return the column's bins and how it moves by itself.

    Args:
        bins: Shape ``(cells,)``. PSI bin of each cell.
        by_block: Shape ``(blocks, bins + SLOTS)``.
        blocks: None without time stamps; *by_block* then has no rows.
        lengths: Window lengths in minutes, halves included.
        season: By whose hours movement is looked at besides; None: there are no hour profiles.
    """
    groups = by_block.shape[1] - SLOTS
    shares = [groups + slot for slot in (Slot.MISSING, Slot.INVALID, Slot.UNSEEN)]
    far = [groups + slot for slot in (Slot.FAR_LOW, Slot.FAR_HIGH)]
    # Far values are counted a second time; without them a block's row sums up to its events.
    totals = by_block.sum(axis=1) - by_block[:, far].sum(axis=1)
    bin_counts = binned(cells, by_block)
    starts = () if blocks is None else blocks.starts
    minutes = 0 if blocks is None else blocks.minutes
    reference = ColumnReference(
        name=cells.name,
        bins=tuple(bins.tolist()),
        movement=column_movements(starts=starts, block_minutes=minutes, bin_counts=bin_counts, lengths=lengths),
        share_variance=share_variances(
            starts=starts, block_minutes=minutes, slot_counts=by_block[:, shares], totals=totals, lengths=lengths
        ),
        iqr=iqr,
    )
    if season is None or blocks is None:
        return reference
    return with_season(reference, bin_counts=bin_counts, blocks=blocks, lengths=lengths, season=season)


def binned(cells: ColumnCells, counts: Integers) -> Integers:
    """Return PSI's bins of *counts*, shape ``(…, bins + SLOTS)``: what is outside the range counts at its ends.

    A reference from a table has nothing there; live time may.
    """
    groups = counts.shape[-1] - SLOTS
    found = counts[..., :groups]
    if cells.kind is not ColumnKind.NUMERIC:
        return found
    found = found.copy()
    found[..., 0] += counts[..., groups + Slot.BELOW]
    found[..., -1] += counts[..., groups + Slot.ABOVE]
    return found
