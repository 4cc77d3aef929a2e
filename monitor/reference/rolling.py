"""Builds the rolling reference: approved hours of live traffic; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from monitor.arrays import AnyIntegers, Indices, Int64s
from monitor.reference.build import binned, column_reference
from monitor.reference.layout import SLOTS, ColumnCells, ColumnRole
from monitor.reference.movement import TimeBlocks, live_block_minutes
from monitor.reference.profile import ReferenceProfile
from monitor.reference.season import SeasonHours, season_hours
from monitor.season_clock import SeasonClock
from monitor.spec.model import ColumnKind
from monitor.stats.binning import merge_small, rare_merge
from monitor.types import UTC
from monitor.units import DAY_MINUTES, HOUR_MILLIS

ROLLING_DAYS = 7
_TWO_HOURS = 120  # as in a reference from a table: its halves are hours, so blocks lie inside an hour


MINIMUM_SHARE = 0.01  # of the reference, in every bin: as in one from a table


class CoarseOrder:
    """Where each count of a layout goes: for each column its bins, then its slots.

    Attributes:
        size: Length of the coarse vector.
        spans: For each column of the layout its start and stop in it.
    """

    def __init__(self, profile: ReferenceProfile) -> None:
        layout, bins = profile.layout, {column.name: column.bins for column in profile.columns}
        index = np.zeros(layout.size, dtype=np.intp)
        spans, start = [], 0
        for cells, span in zip(layout.columns, layout.spans, strict=True):
            # The latency is in no reference: all its cells are one bin, as `prepare` takes it.
            of_cells = np.array(bins.get(cells.name) or (0,) * cells.cells, dtype=np.intp)
            groups = int(of_cells.max()) + 1
            index[span.start : span.slots] = start + of_cells
            index[span.slots : span.stop] = start + groups + np.arange(SLOTS)
            spans.append((start, start + groups + SLOTS))
            start += groups + SLOTS
        self._index = index
        self.size = start
        self.spans = tuple(spans)

    def coarse(self, counts: AnyIntegers) -> Int64s:
        """Return *counts*, shape ``(layout.size,)``, summed by bin and slot."""
        # In floats, which hold every count under 2^53 exactly: five times as fast as adding integers one by one.
        return np.bincount(self._index, weights=counts, minlength=self.size).astype(np.int64)


def block_minutes_of(profile: ReferenceProfile, *, lengths: tuple[int, ...]) -> int:
    """Return how long blocks of live time are, so that *lengths* (minutes) and their halves are made of them."""
    return live_block_minutes(
        lengths=(*lengths, _TWO_HOURS),
        counts_per_block=CoarseOrder(profile).size,
        span_minutes=ROLLING_DAYS * DAY_MINUTES,
    )


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Event time ``[start, stop)`` in milliseconds; *stop* None: it goes on."""

    start: int
    stop: int | None = None

    def overlaps(self, start: int, stop: int) -> bool:
        """Return whether ``[start, stop)`` has a moment in it."""
        return self.start < stop and (self.stop is None or start < self.stop)

    def holds(self, start: int, stop: int) -> bool:
        """Return whether ``[start, stop)`` lies wholly in it."""
        return self.start <= start and (self.stop is None or stop <= self.stop)


@dataclass(frozen=True, slots=True)
class LiveHour:
    """One hour of one series that has events; *on_cells*: all of them were counted on the cells that are wanted."""

    start: int
    on_cells: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HourApproval:
    """Starts of the approved hours, and how many others were left out for which reason."""

    approved: tuple[int, ...]
    in_incidents: int
    not_serving: int
    other_cells: int


def approve_hours(
    hours: Iterable[LiveHour], *, suspect: Sequence[TimeRange], serving: Sequence[TimeRange] | None
) -> HourApproval:
    """Return which of *hours* are approved: in production, on the wanted cells, and nothing was amiss.

    Args:
        suspect: When an incident was open, from the start of the window that opened it on.
        serving: When the version was in production; None: not known, so always.
    """
    approved: list[int] = []
    in_incidents = not_serving = other_cells = 0
    for hour in hours:
        start, stop = hour.start, hour.start + HOUR_MILLIS
        if serving is not None and not any(interval.holds(start, stop) for interval in serving):
            not_serving += 1
        elif any(interval.overlaps(start, stop) for interval in suspect):
            in_incidents += 1
        elif not hour.on_cells:
            other_cells += 1
        else:
            approved.append(start)
    return HourApproval(
        approved=tuple(approved), in_incidents=in_incidents, not_serving=not_serving, other_cells=other_cells
    )


class LiveSums:
    """Adds up approved hours: all of them, and by hour of the season where that can be had.

    Args:
        starts: Of all hours that will be added, epoch milliseconds, rising.
    """

    def __init__(
        self, base: ReferenceProfile, *, starts: Sequence[int], clock: SeasonClock | None, block_minutes: int
    ) -> None:
        times = np.array(starts, dtype=np.int64)
        self.hours: SeasonHours | None = None
        if len(times):
            self.hours = season_hours(times, clock=clock, block_minutes=block_minutes, counts=base.layout.size)
        self.total: Int64s = np.zeros(base.layout.size, dtype=np.int64)
        by_hour = 0 if self.hours is None else self.hours.clock.season.hours
        self.by_hour: Int64s = np.zeros((by_hour, base.layout.size), dtype=np.int64)
        self.events = 0

    def add(self, start: int, counts: AnyIntegers, *, events: int) -> None:
        """Add one hour's *counts*, shape ``(layout.size,)``."""
        self.total += counts.astype(np.int64)
        self.events += events
        if self.hours is not None:
            self.by_hour[self.hours.clock.hour(start)] += counts.astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBlocks:
    """Approved blocks of live time: starts (ms), rising, and, shape ``(blocks, coarse size)``, their counts."""

    minutes: int
    starts: tuple[int, ...]
    counts: Int64s


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
    stays what drops are measured from, or a slow decline would be followed instead of reported.

    Args:
        lengths: Window lengths in minutes.
    """
    every_length = tuple(sorted({part for length in lengths for part in (length, length // 2)}))
    time_blocks = TimeBlocks(blocks.minutes, blocks.starts, np.zeros(0, dtype=np.intp)) if blocks.starts else None
    order, known = CoarseOrder(base), {column.name: column for column in base.columns}
    total, by_hour = sums.total.copy(), sums.by_hour.copy()
    columns = []
    for cells, span, (first, behind) in zip(base.layout.columns, base.layout.spans, order.spans, strict=True):
        by_block = blocks.counts[:, first:behind]
        if cells.role is ColumnRole.LATENCY:
            total[span.start : span.stop] = 0
            by_hour[:, span.start : span.stop] = 0
            columns.append(known[cells.name])
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
                clock=None if sums.hours is None else sums.hours.clock,
                iqr=known[cells.name].iqr,
            )
        )
    return msgspec.structs.replace(
        base,
        rows=sums.events,
        weighed_rows=0,
        counts_bytes=total.astype("<i8").tobytes(),
        columns=tuple(columns),
        block_minutes=blocks.minutes if blocks.starts else 0,
        block_starts=blocks.starts,
        blocks_bytes=b"",
        season=None if sums.hours is None else sums.hours.clock.season,
        timezone=UTC if sums.hours is None else sums.hours.clock.timezone,
        hours_bytes=by_hour.astype("<u4").tobytes(),
        start=start,
        end=stop - 1,
        source=source,
    )


def _by_bin(counts: Int64s, bins: Indices) -> Int64s:
    """Return one column's *counts* (cells, then slots) by bin, then slots."""
    groups = int(bins.max()) + 1
    by_bin = np.zeros(groups + SLOTS, dtype=np.int64)
    np.add.at(by_bin, bins, counts[: len(bins)])
    by_bin[groups:] = counts[len(bins) :]
    return by_bin


def _merged_bins(cells: ColumnCells, counts: Int64s) -> Indices:
    """Return for each bin of the base the bin that it belongs to by now."""
    held = binned(cells, counts).astype(np.int64)
    if held.sum() == 0:
        return np.arange(len(held))
    if cells.kind is ColumnKind.CATEGORICAL:
        return rare_merge(held, minimum_share=MINIMUM_SHARE)
    starts = merge_small(np.arange(len(held)), held, MINIMUM_SHARE * float(held.sum()))
    return np.searchsorted(starts, np.arange(len(held)), side="right") - 1


def _regrouped(by_block: Int64s, merged: Indices) -> Int64s:
    groups = int(merged.max()) + 1
    regrouped = np.zeros((len(by_block), groups + SLOTS), dtype=np.int64)
    for old, new in enumerate(merged.tolist()):
        regrouped[:, new] += by_block[:, old]
    regrouped[:, groups:] = by_block[:, len(merged) :]
    return regrouped
