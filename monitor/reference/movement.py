"""Natural movement of one column at every window length, from the time blocks of its reference."""

import numpy as np
import numpy.typing as npt

from monitor.reference.profile import Movement
from monitor.stats.natural_movement import natural_movement, natural_share_movement
from monitor.types import MINUTE_MILLIS

Integers = npt.NDArray[np.integer]
Sums = npt.NDArray[np.int64]
ShareVariances = tuple[float, float, float]


def column_movements(
    *, starts: tuple[int, ...], block_minutes: int, bin_counts: Integers, lengths: tuple[int, ...]
) -> dict[int, Movement]:
    """Return the movement of one column for each of *lengths* (statistics §3.2).

    A length with fewer than 5 usable blocks takes the numbers of the next shorter one (``estimated``); with none
    shorter it is ``uncalibrated``: kappa 0, nu B - 1.

    Args:
        starts: Epoch milliseconds of the time blocks, increasing; empty without time stamps.
        block_minutes: Length of each.
        bin_counts: Shape ``(blocks, B)``. The column's PSI bins per block.
        lengths: Window lengths in minutes, halves included.
    """
    bins = bin_counts.shape[1]
    movements: dict[int, Movement] = {}
    # A single bin cannot move; nu stays positive because chi-squared needs a degree of freedom.
    shorter = Movement(kappa=0.0, nu=float(max(bins - 1, 1)), status="uncalibrated")
    for length in sorted(set(lengths)):
        blocks = disjoint_blocks(bin_counts, starts=starts, block_minutes=block_minutes, length=length)
        measured = natural_movement(blocks) if bins > 1 else None
        if measured is not None:
            movements[length] = Movement(kappa=measured.kappa, nu=measured.nu, status="measured")
            shorter = Movement(kappa=measured.kappa, nu=measured.nu, status="estimated")
        else:
            movements[length] = shorter
    return movements


def share_variances(
    *, starts: tuple[int, ...], block_minutes: int, slot_counts: Integers, totals: Integers, lengths: tuple[int, ...]
) -> dict[int, ShareVariances]:
    """Return the block variance of the missing, invalid and unseen share for each of *lengths*.

    The same fall-backs as `column_movements`; 0.0 where nothing shorter was measured either.

    Args:
        starts, block_minutes, lengths: As in `column_movements`.
        slot_counts: Shape ``(blocks, 3)``. Missing, invalid and unseen values per block.
        totals: Shape ``(blocks,)``. All events per block.
    """
    variances: dict[int, ShareVariances] = {}
    shorter: ShareVariances = (0.0, 0.0, 0.0)
    # The totals stand beside the slots while blocks are put together, so that both leave out the same edges.
    table = np.column_stack([slot_counts, totals])
    for length in sorted(set(lengths)):
        blocks = disjoint_blocks(table, starts=starts, block_minutes=block_minutes, length=length, events_column=3)
        measured = [natural_share_movement(blocks[:, slot], blocks[:, 3]) for slot in range(3)]
        missing, invalid, unseen = (shorter[slot] if each is None else each for slot, each in enumerate(measured))
        shorter = variances[length] = (missing, invalid, unseen)
    return variances


def disjoint_blocks(
    counts: Integers, *, starts: tuple[int, ...], block_minutes: int, length: int, events_column: int | None = None
) -> Sums:
    """Return *counts* summed over disjoint blocks of *length* minutes, aligned to multiples of it since the epoch.

    The first and the last block are left out where the reference covers them in part and they hold under half of
    the median block's events: a short edge is another traffic, not another distribution.

    Args:
        counts: Shape ``(len(starts), columns)``.
        events_column: Which column holds the events; None: their sum does.

    Returns:
        Shape ``(blocks, columns)``; no blocks where *length* is no multiple of *block_minutes*.
    """
    span, block = length * MINUTE_MILLIS, block_minutes * MINUTE_MILLIS
    if not starts or block == 0 or span % block:
        return np.zeros((0, counts.shape[1]), dtype=np.int64)
    owners = np.array(starts, dtype=np.int64) // span
    firsts = np.flatnonzero(np.diff(owners, prepend=owners[0] - 1))
    sums: Sums = np.add.reduceat(counts.astype(np.int64), firsts, axis=0)
    events = sums.sum(axis=1) if events_column is None else sums[:, events_column]
    thin = events < np.median(events) / 2
    covered_in_part = np.zeros(len(sums), dtype=np.bool_)
    covered_in_part[0] = starts[0] > owners[0] * span
    covered_in_part[-1] |= starts[-1] + block < (owners[-1] + 1) * span
    return sums[~(thin & covered_in_part)]
