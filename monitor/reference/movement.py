"""Time blocks of a reference, and how far its columns move between them at each window length."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from math import gcd

import msgspec
import numpy as np

from monitor.arrays import AnyIntegers, AnyNumbers, Indices, Int64s
from monitor.number_codec import ten_digits
from monitor.reference.profile import ColumnMovement
from monitor.stats.movement_level import independent_blocks
from monitor.stats.natural_movement import NaturalMovement, natural_movement, natural_share_movement
from monitor.types import Calibration
from monitor.units import MINUTE_MILLIS

MAXIMUM_BLOCKS = 50_000
MAXIMUM_BLOCK_COUNTS = 1 << 26  # 256 MiB of uint32: a profile must fit in memory, however many columns it has

ByShare = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareMovement:
    """Block variance of the missing, invalid and unseen share.

    Attributes:
        variances: Beyond sampling.
        blocks: How many independent blocks they are worth.
        sampling: What of the blocks' variance is chance, for all three.
    """

    variances: ByShare
    blocks: ByShare
    sampling: float


@dataclass(frozen=True, slots=True)
class TimeBlocks:
    """Blocks that hold rows.

    Attributes:
        minutes: Length of each block; blocks begin at multiples of it since the Unix epoch.
        starts: Epoch milliseconds, strictly increasing; stretches without rows have no block.
        of_row: Shape ``(rows,)``. Index of each row's block.
    """

    minutes: int
    starts: tuple[int, ...]
    of_row: Indices


def time_blocks(times: Int64s, *, lengths: tuple[int, ...], counts_per_block: int) -> TimeBlocks:
    """Return the finest blocks that add up to the window lengths, their halves and previous windows.

    The block length is the greatest common divisor of all half lengths. When that makes more than `MAXIMUM_BLOCKS`
    blocks, or more counts than `MAXIMUM_BLOCK_COUNTS`, the shortest window is given up, then the next, and at last
    the blocks double: what moves within a block is not measurable.

    Args:
        times: Shape ``(rows,)``. Epoch milliseconds.
        lengths: Window lengths in whole even minutes, at least one.
        counts_per_block: Numbers that one block will hold.
    """
    for minutes in _block_minutes(lengths):
        blocks = _cut(times, minutes)
        if _fits(len(blocks.starts), counts_per_block):
            return blocks
    raise AssertionError("unreachable: doubled often enough, one block holds all times")


def live_block_minutes(*, lengths: tuple[int, ...], counts_per_block: int, span_minutes: int) -> int:
    """Return the finest length of blocks that `time_blocks` would choose for events all through *span_minutes*."""
    for minutes in _block_minutes(lengths):
        if _fits(-(-span_minutes // minutes), counts_per_block):
            return minutes
    raise AssertionError("unreachable: doubled often enough, one block holds all times")


def _fits(blocks: int, counts_per_block: int) -> bool:
    return blocks == 1 or (blocks <= MAXIMUM_BLOCKS and blocks * counts_per_block <= MAXIMUM_BLOCK_COUNTS)


def _block_minutes(lengths: tuple[int, ...]) -> Iterator[int]:
    """Yield lengths of blocks, finest first: that fit every window, that fit all but the shortest, …, then doubled."""
    halves = sorted({length // 2 for length in lengths})
    divisors = sorted({gcd(*halves[first:]) for first in range(len(halves))})
    return chain(divisors, (divisors[-1] << doublings for doublings in count(1)))


def _cut(times: Int64s, minutes: int) -> TimeBlocks:
    span = minutes * MINUTE_MILLIS
    numbers, of_row = np.unique(times // span, return_inverse=True)
    return TimeBlocks(minutes, tuple((numbers * span).tolist()), of_row)


def column_movements(
    *, starts: tuple[int, ...], block_minutes: int, bin_counts: AnyIntegers, lengths: tuple[int, ...]
) -> dict[int, ColumnMovement]:
    """Return the movement of one column for each of *lengths* (statistics §3.2), as of `movements_by_length`.

    Args:
        starts: Epoch milliseconds of the time blocks, increasing; empty without time stamps.
        block_minutes: Length of each.
        bin_counts: Shape ``(blocks, B)``. The column's PSI bins per block.
        lengths: Window lengths in minutes, halves included.
    """

    def measured(length: int) -> NaturalMovement | None:
        blocks = disjoint_blocks(bin_counts, starts=starts, block_minutes=block_minutes, length=length)
        return natural_movement(blocks)

    return movements_by_length(lengths, bins=bin_counts.shape[1], measured=measured)


def movements_by_length(
    lengths: tuple[int, ...], *, bins: int, measured: Callable[[int], NaturalMovement | None]
) -> dict[int, ColumnMovement]:
    """Return the movement for each of *lengths*; *measured* has too few usable blocks for some.

    Such a length takes the numbers of the next shorter one (``estimated``); with none shorter it is ``uncalibrated``:
    kappa 0, nu B - 1. Numbers have ten digits, so that every machine stores the same.
    """
    movements: dict[int, ColumnMovement] = {}
    # A single bin cannot move; nu stays positive because chi-squared needs a degree of freedom.
    shorter = ColumnMovement(kappa=0.0, nu=float(max(bins - 1, 1)), status=Calibration.UNCALIBRATED)
    for length in sorted(set(lengths)):
        natural = measured(length) if bins > 1 else None
        if natural is None:
            movements[length] = shorter
        else:
            movements[length] = ColumnMovement(
                kappa=ten_digits(natural.kappa),
                nu=ten_digits(natural.nu),
                status=Calibration.MEASURED,
                blocks=natural.blocks,
                autocorrelation=ten_digits(natural.autocorrelation),
                sampling=ten_digits(natural.sampling),
            )
            shorter = msgspec.structs.replace(movements[length], status=Calibration.ESTIMATED)
    return movements


def share_movements(
    *,
    starts: tuple[int, ...],
    block_minutes: int,
    slot_counts: AnyIntegers,
    totals: AnyIntegers,
    lengths: tuple[int, ...],
) -> dict[int, ShareMovement]:
    """Return the movement of the missing, invalid and unseen share for each of *lengths*.

    The same fall-backs and digits as `movements_by_length`; 0.0 where nothing shorter was measured either.

    Args:
        starts, block_minutes, lengths: As in `column_movements`.
        slot_counts: Shape ``(blocks, 3)``. Missing, invalid and unseen values per block.
        totals: Shape ``(blocks,)``. All events per block.
    """
    movements: dict[int, ShareMovement] = {}
    shorter = [NaturalMovement(kappa=0.0, nu=1.0, blocks=0, autocorrelation=0.0, sampling=0.0)] * 3
    # The totals are a fourth column while blocks are put together, so that both leave out the same edges.
    table = np.column_stack([slot_counts, totals])
    for length in sorted(set(lengths)):
        blocks = disjoint_blocks(table, starts=starts, block_minutes=block_minutes, length=length, events_column=3)
        measured = [natural_share_movement(blocks[:, slot], blocks[:, 3]) for slot in range(3)]
        shorter = [known if natural is None else natural for known, natural in zip(shorter, measured, strict=True)]
        missing, invalid, unseen = shorter
        movements[length] = ShareMovement(
            variances=(ten_digits(missing.kappa), ten_digits(invalid.kappa), ten_digits(unseen.kappa)),
            blocks=(
                ten_digits(independent_blocks(missing)),
                ten_digits(independent_blocks(invalid)),
                ten_digits(independent_blocks(unseen)),
            ),
            sampling=ten_digits(missing.sampling),
        )
    return movements


def disjoint_blocks(
    counts: AnyIntegers, *, starts: tuple[int, ...], block_minutes: int, length: int, events_column: int | None = None
) -> Int64s:
    """Return *counts* summed over the disjoint blocks of `grouped_blocks`.

    Args:
        counts: Shape ``(len(starts), columns)``.
        events_column: Which column holds the events; None: their sum does.

    Returns:
        Shape ``(blocks, columns)``; no blocks where *length* is no multiple of *block_minutes*.
    """
    events = counts.sum(axis=1) if events_column is None else counts[:, events_column]
    grouped = grouped_blocks(events, starts=starts, block_minutes=block_minutes, length=length)
    if not len(grouped.owners):
        return np.zeros((0, counts.shape[1]), dtype=np.int64)
    sums: Int64s = np.add.reduceat(counts[grouped.kept].astype(np.int64), grouped.firsts, axis=0)
    return sums


@dataclass(frozen=True, slots=True)
class GroupedBlocks:
    """Which time blocks make up longer ones.

    Attributes:
        kept: The time blocks that are used, a slice of all.
        owners: Shape ``(kept,)``. Number of the longer block, rising from 0 without gaps.
    """

    kept: slice
    owners: Indices

    @property
    def firsts(self) -> Indices:
        """The first time block of each longer one, among those kept."""
        return np.flatnonzero(np.diff(self.owners, prepend=-1))


def grouped_blocks(events: AnyNumbers, *, starts: tuple[int, ...], block_minutes: int, length: int) -> GroupedBlocks:
    """Return the disjoint blocks of *length* minutes, aligned to multiples of it since the epoch.

    The first and the last block are left out where the reference covers them in part and they hold under half of
    the median block's events: a short edge is another traffic, not another distribution. None at all where *length*
    is no multiple of *block_minutes*.

    Args:
        events: Shape ``(len(starts),)``. Events of each time block.
    """
    span, block = length * MINUTE_MILLIS, block_minutes * MINUTE_MILLIS
    if not starts or block == 0 or span % block:
        return GroupedBlocks(slice(0, 0), np.zeros(0, dtype=np.intp))
    numbers = np.array(starts, dtype=np.int64) // span
    firsts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    sums = np.add.reduceat(events.astype(np.int64), firsts)
    thin = sums < np.median(sums) / 2
    if thin[0] and starts[0] > int(numbers[0]) * span:
        firsts = firsts[1:]
    stop = len(starts)
    if len(firsts) and thin[-1] and starts[-1] + block < (int(numbers[-1]) + 1) * span:
        firsts, stop = firsts[:-1], int(firsts[-1])
    kept = slice(int(firsts[0]) if len(firsts) else stop, stop)
    _, owners = np.unique(numbers[kept], return_inverse=True)
    return GroupedBlocks(kept, owners.astype(np.intp))
