"""How far the missing, invalid and unseen shares of each column move between windows of one length, at most."""

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.reference.profile import ColumnMovement, ColumnReference, ReferenceProfile
from monitor.stats.share_movement import highest_share_variances
from monitor.types import Calibration
from monitor.units import MINUTE_MILLIS

FEWEST_BLOCKS = 5
"""Without time blocks to count, as many as the least that a movement is measured from."""

NOT_MEASURED = ColumnMovement(kappa=0.0, nu=1.0, status=Calibration.UNCALIBRATED)


def share_variances(
    profile: ReferenceProfile, references: tuple[ColumnReference, ...], *, moving: Mask, length: int, alpha: float
) -> Float64s:
    """Return the highest variance that each share may have, shape ``(columns, 4)`` in the order of `SHARES`.

    Args:
        moving: Of that shape. Whether the share can move: it has events in the reference, and is not all of them.
        length: Of the windows, in minutes.
        alpha: Error probability of one test.
    """
    variances = np.zeros((len(references), 4))
    # The reference's blocks do not keep far values, so these have no block variance.
    for column, reference in enumerate(references):
        if length in reference.share_variance and moving[column, :3].any():
            variances[column, :3] = _highest(profile, reference, length=length, alpha=alpha)
    return np.where(moving, variances, 0.0)


def blocks_of(profile: ReferenceProfile, minutes: int) -> float:
    """Return how many blocks of *minutes* the reference has, for profiles that do not say how many were used."""
    starts = np.array(profile.block_starts, dtype=np.int64)
    return float(max(len(np.unique(starts // (minutes * MINUTE_MILLIS))), FEWEST_BLOCKS))


def _highest(profile: ReferenceProfile, reference: ColumnReference, *, length: int, alpha: float) -> Float64s:
    """Return the lowest bound that the window's length and the shorter ones have for each of three shares.

    A share moves no less between shorter windows than between longer ones, so each is a bound for this length.
    """
    lengths = sorted(minutes for minutes in reference.share_variance if minutes <= length)
    variances = np.array([reference.share_variance[minutes] for minutes in lengths])
    movements = [reference.movement.get(minutes, NOT_MEASURED) for minutes in lengths]
    kept = np.array([movement.share_sampling for movement in movements])
    blocks = np.array([movement.share_blocks for movement in movements])
    # Profiles of older versions keep no sampling variance: of shares that show no movement they say nothing more.
    counted = np.array(
        [
            FEWEST_BLOCKS if sampling else blocks_of(profile, minutes)
            for minutes, sampling in zip(lengths, kept, strict=True)
        ]
    )
    measured = np.where(kept[:, np.newaxis] > 0.0, blocks > 0.0, variances > 0.0)
    sampling = np.where(kept > 0.0, kept, (counted + 1.0) / max(profile.rows, 1))
    blocks = np.where(blocks > 0.0, blocks, counted[:, np.newaxis] - 1.0)
    # A length that has too few blocks has the numbers of the next shorter one.
    shorter = np.array(lengths) < length
    shorter[-1] = len(lengths) > 1 and sampling[-1] == sampling[-2]
    highest = highest_share_variances(
        variances, sampling[:, np.newaxis], blocks, shorter=shorter[:, np.newaxis], alpha=alpha
    )
    lowest = np.where(measured, highest, np.inf).min(axis=0)
    return np.where(np.isinf(lowest), 0.0, np.maximum(lowest, variances[-1]))
