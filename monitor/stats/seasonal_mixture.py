"""A reference that moves with the hour: the mixture of its hour profiles in which a window's own events came.

A column that follows the hour of the day is another column at noon than at night. Compared with the whole reference a
quiet night looks like a shift; compared with the mixture of the same hours it looks like what it is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.errors import BinMismatchError
from monitor.stats.columns import Counts, Reals
from monitor.stats.natural_movement import NaturalMovement, movement_of_blocks
from monitor.stats.population_stability import population_stability_indexes


def mixture_size(weights: Reals, profile_events: Counts) -> Reals:
    r"""Return how many independent events the mixture of profiles is worth.

    .. math:: m = 1 / \sum_h (w_h^2 / m_h)

    which makes the variance of each mixed share that of a sample of *m* events, to first order.

    Args:
        weights: Shape ``(profiles,)``. Each profile's part of the mixture; they sum up to 1.
        profile_events: Shape ``(profiles, ...)``. Events of each profile, positive where its weight is.

    Returns:
        Shape ``(...)``.
    """
    used = weights > 0.0
    squares = weights[used] ** 2
    size: Reals = 1.0 / np.tensordot(squares, 1.0 / profile_events[used], axes=1)
    return size


def mixture_shares(weights: Reals, profile_shares: Reals) -> Reals:
    r"""Return :math:`q = \sum_h w_h q_h`, shape ``(bins,)``, from shape ``(profiles, bins)``."""
    used = np.flatnonzero(weights)
    shares: Reals = weights[used] @ profile_shares[used]
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyBlocks:
    """Counts of one column by block and hour, each pair that occurs once, sorted by block.

    Attributes:
        blocks: Shape ``(pairs,)``. Number of the block, from 0 on without gaps.
        hours: Shape ``(pairs,)``. Number of the hour profile.
        counts: Shape ``(pairs, B)``.
    """

    blocks: npt.NDArray[np.intp]
    hours: npt.NDArray[np.intp]
    counts: npt.NDArray[np.int64]


def seasonal_movement(
    found: HourlyBlocks, *, profiles: int, minimum_events: int = 50, minimum_blocks: int = 5
) -> NaturalMovement | None:
    r"""Return the natural movement that is left when each block is compared with the mixture of its own hours.

    As `natural_movement`, with the mixture of the hour profiles *without the block* as the reference: a block whose
    hour was seen in no other block cannot be judged.

    Args:
        profiles: How many hour profiles there are (24, or 168).
        minimum_events, minimum_blocks: As in `natural_movement`.

    Raises:
        BinMismatchError: *counts* has fewer than 2 bins.
    """
    if found.counts.ndim != 2 or found.counts.shape[1] < 2:
        raise BinMismatchError(f"expected a shape (pairs, bins) with at least 2 bins, found {found.counts.shape}")
    if not len(found.blocks):
        return None
    by_hour = np.zeros((profiles, found.counts.shape[1]))
    np.add.at(by_hour, found.hours, found.counts)
    rest = by_hour[found.hours] - found.counts
    rest_events, events = rest.sum(axis=1), found.counts.sum(axis=1)
    firsts = np.flatnonzero(np.diff(found.blocks, prepend=-1))
    n = np.add.reduceat(events, firsts)
    weights = events / np.maximum(n[found.blocks], 1)
    alone = (rest_events <= 0) & (events > 0)
    shares = rest / np.maximum(rest_events, 1.0)[:, np.newaxis]
    mixed = np.add.reduceat(weights[:, np.newaxis] * shares, firsts, axis=0)
    variance = np.add.reduceat(weights**2 / np.maximum(rest_events, 1.0), firsts)
    usable = (n >= max(minimum_events, 1)) & ~np.logical_or.reduceat(alone, firsts)
    if usable.sum() < max(minimum_blocks, 2):
        return None
    m = 1.0 / variance[usable]
    blocks = np.add.reduceat(found.counts, firsts, axis=0)[usable]
    whole_row = np.zeros(1, dtype=np.intp)
    psi = population_stability_indexes(mixed[usable] * m[:, np.newaxis], blocks, starts=whole_row)[:, 0]
    return movement_of_blocks(psi, n=n[usable], m=m, freedom=found.counts.shape[1] - 1)
