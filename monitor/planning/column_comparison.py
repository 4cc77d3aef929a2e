"""One column compared at one scale: everything its thresholds depend on except the events of a window."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s
from monitor.detection import PreparedReference
from monitor.stats.movement_level import MovementLevel
from monitor.stats.natural_movement import mixture_size
from monitor.stats.psi_bounds import effective_size, tier_threshold
from monitor.stats.psi_variance import shift_threshold
from monitor.types import Calibration, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnComparison:
    """One judged column against its reference at one scale.

    Attributes:
        index: Of the column in the layout.
        bins: B, of its PSI.
        m, m_half: Values of the reference that a window and half a window are compared with: all of them, or what
            the mixture of a window's own hours is worth.
        valid_share: Share of the reference's events that have a value, so that PSI sees them.
        kappa, kappa_half, status: Natural movement, as in `ScaleMovement`.
        level: What the PSI that it passes by chance is made of.
        alpha: Error probability of one test.
    """

    index: int
    column: str
    scale: Scale
    bins: int
    m: float
    m_half: float
    valid_share: float
    kappa: float
    kappa_half: float
    level: MovementLevel
    status: Calibration
    alpha: float

    def values(self, events: float) -> float:
        """Return how many values PSI sees of *events*, at the reference's share of missing ones."""
        return events * self.valid_share

    def size(self, n: float) -> float:
        """Return the independent events that a window of *n* values is worth."""
        return effective_size(n, self.m, self.kappa)

    def half_size(self, n: float) -> float:
        """Return the independent events that half a window of *n* values is worth."""
        return effective_size(n / 2.0, self.m_half, self.kappa_half)

    def threshold(self, tier: float, n: float) -> float:
        """Return the PSI from which on a window of *n* values proves *tier*; infinite for a single bin."""
        return tier_threshold(tier, bins=self.bins, n=n, m=self.m, kappa=self.kappa, level=self.level, alpha=self.alpha)

    def threshold_of_shift(self, tier: float, n: float) -> float:
        """Return the PSI from which on a shift of the mean is proven to pass *tier*, by both bounds."""
        by_variance = shift_threshold(tier, bins=self.bins, n=n, m=self.m, kappa=self.kappa, alpha=self.alpha)
        return max(self.threshold(tier, n), by_variance)


def comparisons_at(prepared: PreparedReference, scale: Scale) -> tuple[ColumnComparison, ...]:
    """Return every judged column that has a reference, in the order of the layout.

    Raises:
        KeyError: *scale* is none of the spec's.
    """
    movement, reference = prepared.movements[scale.length], prepared.reference
    sizes, sizes_of_halves = (reference_sizes(prepared, minutes) for minutes in (scale.length, scale.length // 2))
    judged = np.flatnonzero(prepared.monitored & (reference.n > 0)).tolist()
    return tuple(
        ColumnComparison(
            index=index,
            column=prepared.layout.columns[index].name,
            scale=scale,
            bins=int(prepared.order.bins_per_column[index]),
            m=float(sizes[index]),
            m_half=float(sizes_of_halves[index]),
            valid_share=float(reference.n[index] / reference.totals[index, 0]),
            kappa=float(movement.kappa[index]),
            kappa_half=float(movement.kappa_half[index]),
            level=movement.level_of(index),
            status=movement.calibrations[index],
            alpha=prepared.alpha,
        )
        for index in judged
    )


def reference_sizes(prepared: PreparedReference, minutes: int) -> Float64s:
    """Return how many reference values each column of a span of *minutes* is compared with; shape ``(columns,)``.

    Columns that follow the hour are compared with the hours of the span alone: the median over the hours in which it
    may begin, with events that come evenly.
    """
    sizes = prepared.reference.n.astype(np.float64)
    seasonal = prepared.seasonal
    if seasonal is None:
        return sizes
    hours = seasonal.clock.season.hours
    cycles, rest = divmod(minutes, 60 * hours)
    in_hour = 60.0 * cycles + np.clip(rest - 60.0 * np.arange(hours), 0.0, 60.0)
    events = seasonal.events[:, seasonal.columns]
    of_start = [mixture_size(np.roll(in_hour, start) / minutes, events) for start in range(hours)]
    sizes[seasonal.columns] = np.median(of_start, axis=0)
    return sizes
