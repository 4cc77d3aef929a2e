"""Natural movement: how far a column moves between blocks of time without drift, plain or by hours of the season."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Indices, Int64s
from monitor.errors import BinMismatchError
from monitor.stats.columnar import Counts
from monitor.stats.psi import population_stability_indexes


@dataclass(frozen=True, slots=True, kw_only=True)
class NaturalMovement:
    """A column's movement at one block length.

    Attributes:
        kappa: Variance on the scale of 1/events that sampling does not explain; 0 for independent events.
        nu: Degrees of freedom of the movement, in (0, B − 1]; few when one direction makes most of it, under 1 when a
            few blocks do.
        blocks: Blocks that were usable.
        autocorrelation: Between each of them and the next, of their signed differences from the reference.
        sampling: Mean of 1/n_b + 1/(m − n_b): what of the blocks' PSI / (B − 1) is chance.
    """

    kappa: float
    nu: float
    blocks: int
    autocorrelation: float
    sampling: float


def natural_movement(
    blocks: Counts, *, pseudocount: float = 0.5, minimum_events: int = 50, minimum_blocks: int = 5
) -> NaturalMovement | None:
    r"""Return the natural movement that the blocks' own PSI shows, None with too few usable blocks.

    Each block is compared with the reference without it:

    .. math:: \kappa = \max\left(0, \operatorname{mean}_b
              \left[ \frac{\mathrm{PSI}_b}{B - 1} - \frac{1}{n_b} - \frac{1}{m - n_b} \right] \right), \qquad
              \nu = \min\left(B - 1, \frac{2 \mu^2}{v}\right)

    with μ and v the mean and variance of the blocks' PSI.

    Args:
        blocks: Shape ``(blocks, B)``. Counts of one column in disjoint blocks of one length.
        pseudocount: As in `population_stability_index`.
        minimum_events: A block with fewer is not judged (it stays part of the others' reference).
        minimum_blocks: With fewer usable blocks the answer is None: not measured.

    Raises:
        BinMismatchError: *blocks* is not two-dimensional, or has fewer than 2 bins.

    References:
        Rao & Scott (1981), second-order correction; Satterthwaite (1946) for ν.
    """
    if blocks.ndim != 2 or blocks.shape[1] < 2:
        raise BinMismatchError(f"expected a shape (blocks, bins) with at least 2 bins, found {blocks.shape}")
    rest = blocks.sum(axis=0) - blocks
    n, m = blocks.sum(axis=1), rest.sum(axis=1)
    usable = (n >= max(minimum_events, 1)) & (m > 0)
    if usable.sum() < max(minimum_blocks, 2):
        return None
    return movement_of_blocks(rest[usable], blocks[usable], m=m[usable], pseudocount=pseudocount)


def movement_of_blocks(references: Counts, blocks: Counts, *, m: Counts, pseudocount: float = 0.5) -> NaturalMovement:
    """Return the movement that at least two usable blocks show; formula and sources as in `natural_movement`.

    Args:
        references, blocks: Shape ``(blocks, B)``. Each block in the order of time, and what it is compared with.
        m: Shape ``(blocks,)``. Events that the references are worth.
    """
    freedom, n = blocks.shape[1] - 1, blocks.sum(axis=1)
    psi = population_stability_indexes(references, blocks, pseudocount=pseudocount, starts=np.zeros(1, dtype=np.intp))
    psi, sampling = psi[:, 0], float(np.mean(1.0 / n + 1.0 / m))
    kappa = float(psi.mean()) / freedom - sampling
    mean, variance = float(psi.mean()), float(psi.var(ddof=1))
    nu = min(float(freedom), 2.0 * mean * mean / variance) if mean > 0.0 and variance > 0.0 else float(freedom)
    expected, observed = (_smoothed_shares(counts, pseudocount) for counts in (references, blocks))
    return NaturalMovement(
        kappa=max(0.0, kappa),
        nu=nu,
        blocks=len(psi),
        # On this scale the squares of a block's differences add up to its PSI, but for terms of higher order.
        autocorrelation=lag_one_autocorrelation((observed - expected) / np.sqrt((observed + expected) / 2.0)),
        sampling=sampling,
    )


def _smoothed_shares(counts: Counts, pseudocount: float) -> Float64s:
    smoothed = counts + pseudocount
    shares: Float64s = smoothed / smoothed.sum(axis=1, keepdims=True)
    return shares


def lag_one_autocorrelation(differences: Float64s) -> float:
    r"""Return how much of a block's difference from the reference its successor repeats; 0.0 where nothing differs.

    .. math:: \rho = \sum_b d_b \cdot d_{b+1} / \sum_b d_b \cdot d_b

    A block's successor is the next usable one, wherever the stretch between them has no events: what counts is how
    many independent ones those that there are make up.

    Args:
        differences: Shape ``(blocks, directions)``, in the order of time.
    """
    squares = float(np.sum(differences * differences))
    return float(np.sum(differences[1:] * differences[:-1])) / squares if squares > 0.0 else 0.0


def natural_share_movement(
    counts: Int64s,
    totals: Int64s,
    *,
    minimum_events: int = 50,
    minimum_blocks: int = 5,
) -> NaturalMovement | None:
    r"""Return the movement of one share (missing, invalid, …), None with too few usable blocks.

    .. math:: \kappa = \max\left(0, \operatorname{mean}_b
              \left[ \frac{(p_b - p_{-b})^2}{p (1 - p)} - \frac{1}{n_b} - \frac{1}{m - n_b} \right] \right)

    with :math:`p_{-b}` the share outside the block: `natural_movement` of two bins, to first order, but
    without its pseudocounts, which would hide or invent movement where nearly nothing is counted. ν is of the same
    squares: 1, for a share has one direction, and less for a rare one whose squares have a heavier tail.

    Args:
        counts: Shape ``(blocks,)``. Events with the property.
        totals: Shape ``(blocks,)``. All events of the block.
        minimum_events: As in `natural_movement`.
        minimum_blocks: As in `natural_movement`.

    Returns:
        With kappa in units of p(1 − p), 0.0 for a share of exactly 0 or 1.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
    """
    if counts.ndim != 1 or counts.shape != totals.shape:
        raise BinMismatchError(f"expected two equal shapes (blocks,), found {counts.shape} and {totals.shape}")
    successes, events = counts.sum(), totals.sum()
    usable = (totals >= max(minimum_events, 1)) & (totals < events)
    if usable.sum() < max(minimum_blocks, 2):
        return None
    share, rest = float(successes / events), events - totals[usable]
    k, n = counts[usable], totals[usable]
    gaps = k / n - (successes - k) / rest
    sampling = float(np.mean(1.0 / n + 1.0 / rest))
    squares = gaps * gaps
    mean, variance = float(squares.mean()), float(squares.var(ddof=1))
    moved = mean / (share * (1.0 - share)) if 0.0 < share < 1.0 else 0.0
    return NaturalMovement(
        kappa=max(0.0, moved - sampling),
        nu=min(1.0, 2.0 * mean * mean / variance) if mean > 0.0 and variance > 0.0 else 1.0,
        blocks=len(n),
        autocorrelation=lag_one_autocorrelation(gaps[:, np.newaxis]),
        sampling=sampling,
    )


def mixture_size(weights: Float64s, profile_events: Counts) -> Float64s:
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
    size: Float64s = 1.0 / np.tensordot(squares, 1.0 / profile_events[used], axes=1)
    return size


def mixture_shares(weights: Float64s, profile_shares: Float64s) -> Float64s:
    r"""Return :math:`q = \sum_h w_h q_h`, shape ``(bins,)``, from shape ``(profiles, bins)``."""
    used = np.flatnonzero(weights)
    shares: Float64s = weights[used] @ profile_shares[used]
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyBlocks:
    """Counts of one column by block and hour, each pair that occurs once, sorted by block.

    Attributes:
        blocks: Shape ``(pairs,)``. Number of the block, from 0 on without gaps.
        hours: Shape ``(pairs,)``. Number of the hour profile.
        counts: Shape ``(pairs, B)``.
    """

    blocks: Indices
    hours: Indices
    counts: Int64s


def seasonal_movement(
    hourly: HourlyBlocks, *, profiles: int, minimum_events: int = 50, minimum_blocks: int = 5
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
    if hourly.counts.ndim != 2 or hourly.counts.shape[1] < 2:
        raise BinMismatchError(f"expected a shape (pairs, bins) with at least 2 bins, found {hourly.counts.shape}")
    if not len(hourly.blocks):
        return None
    by_hour = np.zeros((profiles, hourly.counts.shape[1]))
    np.add.at(by_hour, hourly.hours, hourly.counts)
    rest = by_hour[hourly.hours] - hourly.counts
    rest_events, events = rest.sum(axis=1), hourly.counts.sum(axis=1)
    firsts = np.flatnonzero(np.diff(hourly.blocks, prepend=-1))
    n = np.add.reduceat(events, firsts)
    weights = events / np.maximum(n[hourly.blocks], 1)
    alone = (rest_events <= 0) & (events > 0)
    shares = rest / np.maximum(rest_events, 1.0)[:, np.newaxis]
    mixed = np.add.reduceat(weights[:, np.newaxis] * shares, firsts, axis=0)
    variance = np.add.reduceat(weights**2 / np.maximum(rest_events, 1.0), firsts)
    usable = (n >= max(minimum_events, 1)) & ~np.logical_or.reduceat(alone, firsts)
    if usable.sum() < max(minimum_blocks, 2):
        return None
    m = 1.0 / variance[usable]
    blocks = np.add.reduceat(hourly.counts, firsts, axis=0)[usable]
    return movement_of_blocks(mixed[usable] * m[:, np.newaxis], blocks, m=m)
