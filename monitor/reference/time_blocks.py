"""Cuts the reference's time into blocks of equal length."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from math import gcd

import numpy as np
import numpy.typing as npt

from monitor.types import MINUTE_MILLIS

MAXIMUM_BLOCKS = 50_000
MAXIMUM_BLOCK_COUNTS = 1 << 26  # 256 MiB of uint32: a profile must fit in memory, however many columns it has


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
    of_row: npt.NDArray[np.intp]


def time_blocks(times: npt.NDArray[np.int64], *, lengths: tuple[int, ...], counts_per_block: int) -> TimeBlocks:
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
        found = len(blocks.starts)
        if found == 1 or (found <= MAXIMUM_BLOCKS and found * counts_per_block <= MAXIMUM_BLOCK_COUNTS):
            return blocks
    raise AssertionError("unreachable: doubled often enough, one block holds all times")


def live_block_minutes(*, lengths: tuple[int, ...], counts_per_block: int, span_minutes: int) -> int:
    """Return the finest length of blocks that `time_blocks` would choose for events all through *span_minutes*."""
    for minutes in _block_minutes(lengths):
        found = -(-span_minutes // minutes)
        if found == 1 or (found <= MAXIMUM_BLOCKS and found * counts_per_block <= MAXIMUM_BLOCK_COUNTS):
            return minutes
    raise AssertionError("unreachable: doubled often enough, one block holds all times")


def _block_minutes(lengths: tuple[int, ...]) -> Iterator[int]:
    """Yield lengths of blocks, finest first: that fit every window, that fit all but the shortest, …, then doubled."""
    halves = sorted({length // 2 for length in lengths})
    divisors = sorted({gcd(*halves[first:]) for first in range(len(halves))})
    return chain(divisors, (divisors[-1] << doublings for doublings in count(1)))


def _cut(times: npt.NDArray[np.int64], minutes: int) -> TimeBlocks:
    span = minutes * MINUTE_MILLIS
    numbers, of_row = np.unique(times // span, return_inverse=True)
    return TimeBlocks(minutes, tuple((numbers * span).tolist()), of_row)
