"""Natural movement of each column at one window length, as the rules use it; prepared once for all windows."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from monitor.arrays import Float64s, Int64s, Mask
from monitor.detection.share_variances import blocks_of, share_variances
from monitor.reference.profile import ColumnMovement, ColumnReference, ReferenceProfile
from monitor.stats.columnar import Counts
from monitor.stats.movement_lengths import LowestLevels, lowest_levels
from monitor.stats.movement_level import MovementEstimates, MovementLevel, level_factors
from monitor.types import Calibration

EARNED = 2.0
"""A movement is `measured` while its uncertainty raises the level to at most so many times what it were if known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleMovement:
    """Natural movement of each column at one window length; shape ``(columns,)`` unless said.

    Attributes:
        kappa: At the window's length.
        kappa_half: At half of it; at the whole length where the half was not measured.
        level_kappa, level_nu, level_blocks: As in `MovementLevel`: of this length, or of a shorter one that is better
            known, for a column moves no more between longer windows than between shorter ones.
        level_factors: F of these at the error probability of one test.
        calibrations: Of the window's length; `estimated` until the level is within `EARNED` of its final value.
        share_variance: Shape ``(columns, 4)``: of the shares in the order of `SHARES`, with what its uncertainty adds.
    """

    kappa: Float64s
    kappa_half: Float64s
    level_kappa: Float64s
    level_nu: Float64s
    level_blocks: Float64s
    level_factors: Float64s
    calibrations: tuple[Calibration, ...]
    share_variance: Float64s

    def levels(self, bins: Int64s, *, n: Counts, m: Counts, columns: Mask | list[int]) -> Float64s:
        """Return the PSI that the movement of each of *columns* passes by chance; arrays are of all columns."""
        return self._mean(bins, n, m, columns) * self.level_factors[columns]

    def quiet_levels(self, bins: Int64s, *, n: Counts, m: Counts, columns: list[int], alpha: float) -> Float64s:
        """Return the PSI that each of *columns* passes by chance with probability *alpha*; arrays as above."""
        factors = level_factors(self.level_nu[columns], self.level_blocks[columns], alpha=alpha)
        return self._mean(bins, n, m, columns) * factors

    def _mean(self, bins: Int64s, n: Counts, m: Counts, columns: Mask | list[int]) -> Float64s:
        sampling = 1.0 / n[columns] + 1.0 / m[columns]
        means: Float64s = (bins[columns] - 1) * (sampling + self.level_kappa[columns])
        return means

    def level_of(self, column: int) -> MovementLevel:
        """Return what the level of one column is made of."""
        return MovementLevel(
            kappa=float(self.level_kappa[column]),
            nu=float(self.level_nu[column]),
            blocks=float(self.level_blocks[column]),
        )


def scale_movement(
    profile: ReferenceProfile,
    references: tuple[ColumnReference, ...],
    *,
    bins: Int64s,
    n: Counts,
    length: int,
    by_hour: Mask,
    moving_shares: Mask,
    alpha: float,
) -> ScaleMovement:
    """Return the movement of every column at one scale.

    Args:
        bins, n: Shape ``(columns,)``. B of each column, and its values in the reference.
        by_hour: Shape ``(columns,)``. Which columns are compared with the same hours.
        moving_shares: Shape ``(columns, 4)``. As in `share_variances`.
        alpha: Error probability of one test.
    """
    movements = [
        reference.seasonal_movement if seasonal else reference.movement
        for reference, seasonal in zip(references, by_hour.tolist(), strict=True)
    ]
    freedoms = np.maximum(bins - 1, 1).astype(np.float64)
    whole = [
        movement.get(length, ColumnMovement(kappa=0.0, nu=freedom, status=Calibration.UNCALIBRATED))
        for movement, freedom in zip(movements, freedoms.tolist(), strict=True)
    ]
    halves = [movement.get(length // 2) for movement in movements]
    kappa_half = [
        movement.kappa if half is None or half.status is Calibration.UNCALIBRATED else half.kappa
        for movement, half in zip(whole, halves, strict=True)
    ]
    lowest = _levels(profile, movements, whole, freedoms=freedoms, n=n, length=length, alpha=alpha)
    earned = lowest.own_factors <= EARNED * chdtri(lowest.own.nu, alpha) / lowest.own.nu
    return ScaleMovement(
        kappa=np.array([movement.kappa for movement in whole], dtype=np.float64),
        kappa_half=np.array(kappa_half, dtype=np.float64),
        level_kappa=lowest.kappa,
        level_nu=lowest.nu,
        level_blocks=lowest.blocks,
        level_factors=lowest.factors,
        calibrations=tuple(
            Calibration.ESTIMATED if movement.status is Calibration.MEASURED and not sure else movement.status
            for movement, sure in zip(whole, earned.tolist(), strict=True)
        ),
        share_variance=share_variances(profile, references, moving=moving_shares, length=length, alpha=alpha),
    )


def _levels(
    profile: ReferenceProfile,
    movements: list[dict[int, ColumnMovement]],
    whole: list[ColumnMovement],
    *,
    freedoms: Float64s,
    n: Counts,
    length: int,
    alpha: float,
) -> LowestLevels:
    """Return the level of each column from all lengths that the reference measured; the longer ones show memory."""
    lengths = sorted({length, *(minutes for movement in movements for minutes in movement)})
    own, columns = lengths.index(length), len(whole)
    shape = (len(lengths), columns)
    kappa, nu = np.zeros(shape), np.broadcast_to(freedoms, shape).copy()
    blocks, autocorrelation, sampling = np.full(shape, np.inf), np.zeros(shape), np.ones(shape)
    measured = np.zeros(shape, dtype=np.bool_)
    usable = np.zeros(shape, dtype=np.bool_)
    for row, minutes in enumerate(lengths):
        for column, movement in enumerate(movements):
            at = whole[column] if row == own else movement.get(minutes)
            if at is None or whole[column].status is Calibration.UNCALIBRATED:
                continue
            measured[row, column] = at.status is Calibration.MEASURED
            if measured[row, column] or (row == own and not usable[:, column].any()):
                estimated = _known_blocks(profile, at, minutes=minutes, values=int(n[column]))
                kappa[row, column], nu[row, column] = at.kappa, at.nu
                blocks[row, column], sampling[row, column] = estimated
                autocorrelation[row, column], usable[row, column] = at.autocorrelation, True
    of_windows = sampling * (np.array(lengths, dtype=np.float64) / length)[:, np.newaxis]
    of_windows = np.where(usable[own], sampling[own], of_windows)
    estimates = MovementEstimates(
        kappa=kappa,
        nu=nu,
        blocks=blocks,
        autocorrelation=autocorrelation,
        sampling=sampling,
        freedom=np.broadcast_to(freedoms, shape),
    )
    return lowest_levels(estimates, own=own, measured=measured, usable=usable, sampling=of_windows, alpha=alpha)


def _known_blocks(
    profile: ReferenceProfile, movement: ColumnMovement, *, minutes: int, values: int
) -> tuple[float, float]:
    """Return how many blocks a movement is from, and their sampling variance."""
    if movement.blocks:
        return float(movement.blocks), movement.sampling
    blocks = blocks_of(profile, minutes)
    values = max(values, 1)
    return blocks, blocks / values + 1.0 / values
