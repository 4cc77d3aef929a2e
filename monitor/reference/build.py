"""Builds a reference profile from a table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pyarrow as pa

from monitor.arrays import Indices, Int64s
from monitor.errors import SpecError
from monitor.reference.arrow_columns import (
    NumericColumn,
    UncountableColumn,
    epoch_millis,
    natural_kind,
)
from monitor.reference.cell_choice import (
    QUANTILE_CELLS,
    column_cells,
    interquartile_range,
    latency_cells,
    weights_of_valid,
)
from monitor.reference.counting import ColumnPlaces, categorical_places, counts_on_cells, grouped_counts, numeric_places
from monitor.reference.description import LATENCY_COLUMN, CountedColumn, ReferenceDescription, other_columns
from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, Slot
from monitor.reference.movement import TimeBlocks, column_movements, share_movements, time_blocks
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.reference.rows import RowWeights
from monitor.reference.season import SeasonHours, season_hours, with_season
from monitor.reference.truths import KnownTimes, known_times, truth_rows
from monitor.season_clock import SeasonClock
from monitor.spec.model import ColumnKind
from monitor.stats.binning import decile_bins, rare_merge
from monitor.types import UTC

BINS_AT_MOST = 31  # 30 categories and the rare ones
_TWO_HOURS = 120  # as if there were such a window: its halves are hours, so time blocks lie inside an hour


def column_reference(
    cells: ColumnCells,
    *,
    bins: Indices,
    by_block: Int64s,
    blocks: TimeBlocks | None,
    lengths: tuple[int, ...],
    clock: SeasonClock | None,
    iqr: float,
) -> ColumnReference:
    """Return the column's bins and its natural movement.

    Args:
        bins: Shape ``(cells,)``. PSI bin of each cell.
        by_block: Shape ``(blocks, bins + SLOTS)``.
        blocks: None without time stamps; *by_block* then has no rows.
        lengths: Window lengths in minutes, halves included.
        clock: By whose hours movement is measured as well; None: there are no hour profiles.
    """
    groups = by_block.shape[1] - SLOTS
    shares = [groups + slot for slot in (Slot.MISSING, Slot.INVALID, Slot.UNSEEN)]
    far = [groups + slot for slot in (Slot.FAR_LOW, Slot.FAR_HIGH)]
    # Far values are counted a second time; without them a block's row sums up to its events.
    totals = by_block.sum(axis=1) - by_block[:, far].sum(axis=1)
    bin_counts = binned(cells, by_block)
    starts = () if blocks is None else blocks.starts
    minutes = 0 if blocks is None else blocks.minutes
    movement = column_movements(starts=starts, block_minutes=minutes, bin_counts=bin_counts, lengths=lengths)
    of_shares = share_movements(
        starts=starts, block_minutes=minutes, slot_counts=by_block[:, shares], totals=totals, lengths=lengths
    )
    reference = ColumnReference(
        name=cells.name,
        bins=tuple(bins.tolist()),
        movement={
            length: msgspec.structs.replace(
                movement[length], share_blocks=of_shares[length].blocks, share_sampling=of_shares[length].sampling
            )
            for length in movement
        },
        share_variance={length: share.variances for length, share in of_shares.items()},
        iqr=iqr,
    )
    if clock is None or blocks is None:
        return reference
    return with_season(reference, bin_counts=bin_counts, blocks=blocks, lengths=lengths, clock=clock)


def binned(cells: ColumnCells, counts: Int64s) -> Int64s:
    """Return PSI's bins of *counts*, shape ``(…, bins + SLOTS)``: what is outside the range counts at its ends.

    A reference from a table has nothing there; live time may.
    """
    groups = counts.shape[-1] - SLOTS
    bins = counts[..., :groups]
    if cells.kind is not ColumnKind.NUMERIC:
        return bins
    bins = bins.copy()
    bins[..., 0] += counts[..., groups + Slot.BELOW]
    bins[..., -1] += counts[..., groups + Slot.ABOVE]
    return bins


@dataclass(frozen=True, slots=True)
class _Built:
    """One finished column: *counts* on the cells, of all rows and of each hour."""

    cells: ColumnCells
    reference: ColumnReference
    counts: Int64s
    hours: Int64s


def build_profile(
    table: pa.Table,
    *,
    description: ReferenceDescription,
    source: str,
    weights: RowWeights | None = None,
    cells: CellsLayout | None = None,
) -> ReferenceProfile:
    """Return the profile of the reference in *table*; the same table gives the same bytes.

    Every row of every column is counted in exactly one cell or slot. The latency has fixed cells, no counts, and
    comes last.

    Args:
        table: The reference sample, with at least one row.
        description: What its columns are.
        source: Name of the sample, for people.
        weights: One per row of *table*; None: all are equal. The counts add up to the rows that they are worth.
        cells: Of another profile, on which the rows are counted; None: cells are chosen for them.

    Raises:
        SpecError: Columns that are not there or cannot be counted; all of them at once.
    """
    absent = [name for name in description.sources if name not in table.column_names]
    if absent:
        known = ", ".join(table.column_names)
        raise SpecError(source, tuple(f"column {name!r}: expected one of {known}; found none" for name in absent))
    problems = [] if cells is None else other_columns(description, cells)
    if problems:
        raise SpecError(source, tuple(problems))
    times = _times(table, description, problems)
    known_at = _known_times(table, description, problems)
    blocks = None if times is None else _blocks(times, description)
    hours = None
    if times is not None and blocks is not None:
        counts = len(description.counted) * QUANTILE_CELLS
        hours = season_hours(times, clock=description.clock, block_minutes=blocks.minutes, counts=counts)
    given = {} if cells is None else {column.name: column for column in cells.columns}
    built = _build_columns(
        table, description, given=given, blocks=blocks, hours=hours, weights=weights, problems=problems
    )
    if problems:
        raise SpecError(source, tuple(problems))
    built.append(_latency(hours))
    if cells is not None:
        place = {column.name: place for place, column in enumerate(cells.columns)}
        built.sort(key=lambda column: place[column.cells.name])
    truths = truth_rows(table, description=description)
    labelled, correct = (0, 0) if truths is None else truths.counts(weights)
    return ReferenceProfile(
        layout=CellsLayout(columns=tuple(column.cells for column in built)),
        rows=table.num_rows if weights is None else weights.effective_rows,
        weighed_rows=0 if weights is None else table.num_rows,
        counts_bytes=np.concatenate([column.counts for column in built]).astype("<i8").tobytes(),
        columns=tuple(column.reference for column in built),
        block_minutes=blocks.minutes if blocks else 0,
        block_starts=blocks.starts if blocks else (),
        season=None if hours is None else hours.clock.season,
        timezone=UTC if hours is None else hours.clock.timezone,
        hours_bytes=np.concatenate([column.hours for column in built], axis=1).astype("<u4").tobytes(),
        start=None if times is None else int(times.min()),
        end=None if times is None else int(times.max()),
        correct=correct,
        labelled=labelled,
        truth_blocks=None if truths is None or blocks is None else truths.by_block(blocks, weights),
        truth_ages=()
        if truths is None or times is None or known_at is None
        else truths.by_age(times, known_at, weights),
        source=source,
    )


def _known_times(table: pa.Table, description: ReferenceDescription, problems: list[str]) -> KnownTimes | None:
    if description.truth_time is None:
        return None
    try:
        return known_times(table[description.truth_time])
    except UncountableColumn as error:
        problems.append(f"column {description.truth_time!r}: {error}")
        return None


def _times(table: pa.Table, description: ReferenceDescription, problems: list[str]) -> Int64s | None:
    if description.timestamp is None:
        return None
    try:
        return epoch_millis(table[description.timestamp])
    except UncountableColumn as error:
        problems.append(f"column {description.timestamp!r}: {error}")
        return None


def _blocks(times: Int64s, description: ReferenceDescription) -> TimeBlocks:
    counts_per_block = (len(description.counted) + 1) * (BINS_AT_MOST + SLOTS)
    lengths = description.lengths if description.clock is None else (*description.lengths, _TWO_HOURS)
    return time_blocks(times, lengths=lengths, counts_per_block=counts_per_block)


def _build_columns(
    table: pa.Table,
    description: ReferenceDescription,
    *,
    given: Mapping[str, ColumnCells],
    blocks: TimeBlocks | None,
    hours: SeasonHours | None,
    weights: RowWeights | None,
    problems: list[str],
) -> list[_Built]:
    lengths = tuple(sorted({part for length in description.lengths for part in (length, length // 2)}))
    built = []
    for column in description.counted:
        values = table[column.source]
        try:
            built.append(
                _build_column(
                    values,
                    column=column,
                    given=given.get(column.name),
                    blocks=blocks,
                    hours=hours,
                    lengths=lengths,
                    weights=weights,
                )
            )
        except UncountableColumn as error:
            problems.append(f"column {column.source!r}: {error}")
    if description.truth is not None and natural_kind(table[description.truth].type) is None:
        kind = table[description.truth].type
        problems.append(f"column {description.truth!r}: expected text, booleans or numbers, found {kind}")
    return built


def _build_column(
    values: pa.ChunkedArray,
    *,
    column: CountedColumn,
    given: ColumnCells | None,
    blocks: TimeBlocks | None,
    hours: SeasonHours | None,
    lengths: tuple[int, ...],
    weights: RowWeights | None,
) -> _Built:
    read, cells = column_cells(values, column, weights, given=given)
    if isinstance(read, NumericColumn):
        places, iqr = numeric_places(cells, read), interquartile_range(read.valid, weights_of_valid(read, weights))
    else:
        places, iqr = categorical_places(cells, read), 0.0
    if weights is not None:
        places = replace(places, weights=weights.values)
    counts = counts_on_cells(cells, places)
    bins = _bins(cells, counts)
    by_hour = _hour_counts(places, cells, hours)
    if weights is not None and blocks is not None:
        # How much a column moves is seen at what each block is worth, however little it counts for the whole.
        places = replace(places, weights=weights.within(blocks.of_row).values)
    by_block = _block_counts(places, bins, blocks)
    reference = column_reference(
        cells,
        bins=bins,
        by_block=by_block,
        blocks=blocks,
        lengths=lengths,
        clock=None if hours is None else hours.clock,
        iqr=iqr,
    )
    return _Built(cells, reference, counts, by_hour)


def _bins(cells: ColumnCells, counts: Int64s) -> Indices:
    counted = binned(cells, counts)  # on given cells values may lie outside their range
    if cells.kind is ColumnKind.CATEGORICAL:
        return rare_merge(counted)
    return np.searchsorted(decile_bins(counted), np.arange(cells.cells), side="right") - 1


def _block_counts(places: ColumnPlaces, bins: Indices, blocks: TimeBlocks | None) -> Int64s:
    groups = int(bins.max()) + 1
    if blocks is None:
        return np.zeros((0, groups + SLOTS), dtype=np.int64)
    return grouped_counts(places, bins, groups=groups, row_of=blocks.of_row, rows=len(blocks.starts))


def _hour_counts(places: ColumnPlaces, cells: ColumnCells, hours: SeasonHours | None) -> Int64s:
    if hours is None:
        return np.zeros((0, cells.cells + SLOTS), dtype=np.int64)
    every_cell = np.arange(cells.cells)
    rows = hours.clock.season.hours
    return grouped_counts(places, every_cell, groups=cells.cells, row_of=hours.of_row, rows=rows).astype(np.uint32)


def _latency(hours: SeasonHours | None) -> _Built:
    cells = latency_cells(name=LATENCY_COLUMN)
    return _Built(
        cells=cells,
        reference=ColumnReference(name=cells.name, bins=(0,) * cells.cells),
        counts=np.zeros(cells.cells + SLOTS, dtype=np.int64),
        hours=np.zeros((hours.clock.season.hours if hours else 0, cells.cells + SLOTS), dtype=np.uint32),
    )
