"""A reference from approved live time, on the cells of another one."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.reference.cells import SLOTS, ColumnCells, ColumnRole
from monitor.reference.column_reference import binned, column_reference
from monitor.reference.live_counts import CoarseOrder
from monitor.reference.profile import ReferenceProfile
from monitor.reference.season import SeasonHours, season_hours
from monitor.reference.time_blocks import TimeBlocks
from monitor.spec import ColumnKind
from monitor.stats.binning import merge_small, rare_merge
from monitor.types import HOUR_MILLIS, Season

MINIMUM_SHARE = 0.01  # of the reference, in every bin: as in one from a table

Integers = npt.NDArray[np.int64]


class LiveSums:
    """Adds up approved hours: all of them, and by hour of the season where that can be had.

    Args:
        starts: Of all hours that will be added, epoch milliseconds, rising.
    """

    def __init__(
        self, base: ReferenceProfile, *, starts: Sequence[int], season: Season | None, block_minutes: int
    ) -> None:
        times = np.array(starts, dtype=np.int64)
        self.hours: SeasonHours | None = None
        if len(times):
            self.hours = season_hours(times, season=season, block_minutes=block_minutes, counts=base.layout.size)
        self.total: Integers = np.zeros(base.layout.size, dtype=np.int64)
        by_hour = 0 if self.hours is None else self.hours.season.hours
        self.by_hour: Integers = np.zeros((by_hour, base.layout.size), dtype=np.int64)
        self.events = 0

    def add(self, start: int, counts: npt.NDArray[np.integer], *, events: int) -> None:
        """Add one hour's *counts*, shape ``(layout.size,)``."""
        self.total += counts.astype(np.int64)
        self.events += events
        if self.hours is not None:
            self.by_hour[start // HOUR_MILLIS % self.hours.season.hours] += counts.astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBlocks:
    """Approved blocks of live time: starts (ms), rising, and, shape ``(blocks, coarse size)``, their counts."""

    minutes: int
    starts: tuple[int, ...]
    counts: Integers


def rolling_profile(
    base: ReferenceProfile,
    sums: LiveSums,
    blocks: LiveBlocks,
    *,
    lengths: tuple[int, ...],
    start: int,
    stop: int,
    source: str,
) -> ReferenceProfile:
    """Return the reference of the approved time in ``[start, stop)``.

    Cells are those of *base*, and so are the bins, but for those that hold under 1 % by now, which are merged; natural
    movement is measured on the live blocks alone. Accuracy, importance and quartiles are those of *base*: its accuracy
    stays what drops are measured from, or a slow decline would be followed instead of told.

    Args:
        lengths: Window lengths in minutes.
    """
    every_length = tuple(sorted({part for length in lengths for part in (length, length // 2)}))
    time_blocks = TimeBlocks(blocks.minutes, blocks.starts, np.zeros(0, dtype=np.intp)) if blocks.starts else None
    order, known = CoarseOrder(base), {each.name: each for each in base.columns}
    total, by_hour = sums.total.copy(), sums.by_hour.copy()
    columns, coarse = [], []
    for cells, span, (first, behind) in zip(base.layout.columns, base.layout.spans, order.spans, strict=True):
        by_block = blocks.counts[:, first:behind]
        if cells.role is ColumnRole.LATENCY:
            total[span.start : span.stop] = 0
            by_hour[:, span.start : span.stop] = 0
            columns.append(known[cells.name])
            coarse.append(np.zeros_like(by_block))
            continue
        bins = np.array(known[cells.name].bins, dtype=np.intp)
        merged = _merged_bins(cells, _by_bin(total[span.start : span.stop], bins))
        by_block = _regrouped(by_block, merged)
        columns.append(
            column_reference(
                cells,
                bins=merged[bins],
                by_block=by_block,
                blocks=time_blocks,
                lengths=every_length,
                season=None if sums.hours is None else sums.hours.season,
                iqr=known[cells.name].iqr,
            )
        )
        coarse.append(by_block)
    return msgspec.structs.replace(
        base,
        rows=sums.events,
        weighed_rows=0,
        counts_bytes=total.astype("<i8").tobytes(),
        columns=tuple(columns),
        block_minutes=blocks.minutes if blocks.starts else 0,
        block_starts=blocks.starts,
        blocks_bytes=np.concatenate(coarse, axis=1).astype("<u4").tobytes(),
        season=None if sums.hours is None else sums.hours.season,
        hours_bytes=by_hour.astype("<u4").tobytes(),
        start=start,
        end=stop - 1,
        source=source,
    )


def _by_bin(counts: Integers, bins: npt.NDArray[np.intp]) -> Integers:
    """Return one column's *counts* (cells, then slots) by bin, then slots."""
    groups = int(bins.max()) + 1
    found = np.zeros(groups + SLOTS, dtype=np.int64)
    np.add.at(found, bins, counts[: len(bins)])
    found[groups:] = counts[len(bins) :]
    return found


def _merged_bins(cells: ColumnCells, counts: Integers) -> npt.NDArray[np.intp]:
    """Return for each bin of the base the bin that it belongs to by now."""
    held = binned(cells, counts).astype(np.int64)
    if held.sum() == 0:
        return np.arange(len(held))
    if cells.kind is ColumnKind.CATEGORICAL:
        return rare_merge(held, minimum_share=MINIMUM_SHARE)
    starts = merge_small(np.arange(len(held)), held, MINIMUM_SHARE * float(held.sum()))
    return np.searchsorted(starts, np.arange(len(held)), side="right") - 1


def _regrouped(by_block: Integers, merged: npt.NDArray[np.intp]) -> Integers:
    groups = int(merged.max()) + 1
    found = np.zeros((len(by_block), groups + SLOTS), dtype=np.int64)
    for old, new in enumerate(merged.tolist()):
        found[:, new] += by_block[:, old]
    found[:, groups:] = by_block[:, len(merged) :]
    return found
