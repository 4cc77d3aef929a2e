"""Measures a window: every number of each column, before anything is judged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.detection.comparison import INVALID, MISSING, UNSEEN, Sample
from monitor.detection.prepared_reference import PreparedReference
from monitor.detection.scale_movement import ScaleMovement
from monitor.detection.seasonal import Hours, WindowHours
from monitor.results import ColumnResult, FurtherStatistics
from monitor.spec.model import FurtherStatistic
from monitor.stats.chi_squared import chi_squared_tests
from monitor.stats.columnar import Counts
from monitor.stats.divergences import (
    hellinger_distances,
    jensen_shannon_distances,
    kullback_leibler_divergences,
    l_infinity_distances,
    total_variation_distances,
)
from monitor.stats.kolmogorov_smirnov import KolmogorovSmirnovDistances, kolmogorov_smirnov_distances
from monitor.stats.psi import population_stability_indexes
from monitor.stats.wasserstein import wasserstein_distances
from monitor.types import Calibration, InconclusiveReason, Scale

Numbers = list[float | None]

DISTANCES: dict[FurtherStatistic, Callable[..., Float64s]] = {
    FurtherStatistic.JENSEN_SHANNON: jensen_shannon_distances,
    FurtherStatistic.KULLBACK_LEIBLER: kullback_leibler_divergences,
    FurtherStatistic.HELLINGER: hellinger_distances,
    FurtherStatistic.TOTAL_VARIATION: total_variation_distances,
    FurtherStatistic.L_INFINITY: l_infinity_distances,
}
"""Those of the bins alone; each is the field of its name in `FurtherStatistics`."""


def further_statistics(
    prepared: PreparedReference, *, reference: Sample, current: Sample
) -> tuple[FurtherStatistics | None, ...]:
    """Return the wanted statistics of each column of the layout, None where the spec wants none.

    On the reference's bins; the Wasserstein distance of numeric columns on their cells.
    """
    wanted, order = prepared.drift.statistics, prepared.order
    if not wanted:
        return (None,) * len(prepared.layout.columns)
    numbers: dict[str, Numbers] = {
        name: _numbers(distances(reference.bins, current.bins, starts=order.columns_of_bins))
        for name, distances in DISTANCES.items()
        if name in wanted
    }
    freedoms: list[int] | list[None] = [None] * len(prepared.layout.columns)
    if FurtherStatistic.CHI_SQUARED in wanted:
        tests = chi_squared_tests(reference.bins, current.bins, starts=order.columns_of_bins)
        numbers |= {"chi_squared": _numbers(tests.statistics), "chi_squared_p": _numbers(tests.p_values)}
        freedoms = tests.freedoms.tolist()
    if prepared.widths is not None:
        distances = wasserstein_distances(reference.cells, current.cells, widths=prepared.widths, starts=order.columns)
        numbers["wasserstein"] = _numbers(distances)
    return tuple(
        FurtherStatistics(chi_squared_freedom=freedom, **{name: values[at] for name, values in numbers.items()})
        for at, freedom in enumerate(freedoms)
    )


def _numbers(values: Float64s) -> Numbers:
    return [None if value != value else value for value in values.tolist()]


@dataclass(frozen=True, kw_only=True)
class HalfWindow:
    """One half of a window, computed only where a column may have moved; arrays of shape ``(columns,)``."""

    prepared: PreparedReference
    counts: Counts
    hours: Hours | None

    @cached_property
    def reference(self) -> Sample:
        """What the half is compared with."""
        return self.prepared.reference_of(self.hours)

    @cached_property
    def sample(self) -> Sample:
        """The half's counts."""
        return self.prepared.sample(self.counts)

    @cached_property
    def psi(self) -> Float64s:
        """PSI of each column, NaN without values."""
        return column_psi(self.prepared, reference=self.reference, current=self.sample)

    @cached_property
    def distances(self) -> Float64s:
        """KS distance of each column, NaN without values."""
        return column_distances(self.prepared, reference=self.reference, current=self.sample).distances


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredWindow:
    """Numbers of one window of at least ``min_events`` events; arrays have shape ``(columns,)``.

    Attributes:
        reference: What the window is compared with: the reference, or its mixture of the window's own hours.
        previous_hours: When the events of the disjoint window before came.
        psi, distances, distance_bounds: NaN without values. Distances mean nothing for categorical columns.
        conclusive: PSI and D can be judged: enough values here, and a reference.
        phi: How much larger the variance is than sampling makes it.
    """

    scale: Scale
    events: int
    movement: ScaleMovement
    reference: Sample
    whole: Sample
    previous_hours: Hours | None
    halves: tuple[HalfWindow, HalfWindow]
    psi: Float64s
    distances: Float64s
    distance_bounds: Float64s
    conclusive: Mask
    phi: Float64s


def measure_window(
    prepared: PreparedReference,
    *,
    scale: Scale,
    first_half: Counts,
    second_half: Counts,
    events: int,
    hours: WindowHours | None = None,
) -> MeasuredWindow:
    """Return the numbers of a window with at least one event.

    Raises:
        BinMismatchError: A half was not counted on the prepared layout.
        KeyError: *scale* is none of the spec's.
        ValueError: Columns are compared by the hour, and *hours* is None.
    """
    # Halves come in the narrow types in which they are stored; their sum must not wrap round.
    whole = prepared.sample(np.add(first_half, second_half, dtype=np.int64))
    reference = prepared.reference_of(None if hours is None else hours.whole)
    ks = column_distances(prepared, reference=reference, current=whole)
    movement = prepared.movements[scale.length]
    n, m = whole.n, reference.n
    return MeasuredWindow(
        scale=scale,
        events=events,
        movement=movement,
        reference=reference,
        whole=whole,
        previous_hours=None if hours is None else hours.previous,
        halves=(
            HalfWindow(prepared=prepared, counts=first_half, hours=None if hours is None else hours.first_half),
            HalfWindow(prepared=prepared, counts=second_half, hours=None if hours is None else hours.second_half),
        ),
        psi=column_psi(prepared, reference=reference, current=whole),
        distances=ks.distances,
        distance_bounds=ks.error_bounds,
        conclusive=(n >= prepared.min_events) & (m > 0),
        phi=1.0 + movement.kappa * n * m / np.maximum(n + m, 1),
    )


def column_psi(prepared: PreparedReference, *, reference: Sample, current: Sample) -> Float64s:
    """Return the PSI of each column of *current*, NaN without values or reference."""
    return population_stability_indexes(reference.bins, current.bins, starts=prepared.order.columns_of_bins)


def column_distances(prepared: PreparedReference, *, reference: Sample, current: Sample) -> KolmogorovSmirnovDistances:
    """Return the KS distance of each column of *current* and its error bound, NaN without values or reference."""
    order = prepared.order
    return kolmogorov_smirnov_distances(reference.cells, current.cells, point_cells=order.points, starts=order.columns)


def column_results(
    prepared: PreparedReference, measured: MeasuredWindow, *, psi_low: Float64s
) -> tuple[ColumnResult, ...]:
    """Return the numbers of each column of the layout, as they are stored.

    Args:
        psi_low: Shape ``(columns,)``; NaN where PSI passed no tier.
    """
    whole = measured.whole
    shares = (whole.shares / np.maximum(whole.totals, 1)).tolist()
    n = whole.n.tolist()
    psi, phi, lows = measured.psi.tolist(), measured.phi.tolist(), psi_low.tolist()
    ks, bounds = measured.distances.tolist(), measured.distance_bounds.tolist()
    conclusive, numeric = measured.conclusive.tolist(), prepared.numeric.tolist()
    calibrations = measured.movement.calibrations
    # A column that warms up and has too few values says so; with enough, its numbers are shown with the reason.
    enough = (whole.n >= prepared.min_events) & (measured.reference.n > 0)
    warming = (prepared.warming & ~measured.conclusive & enough).tolist()
    further = further_statistics(prepared, reference=measured.reference, current=whole)
    return tuple(
        ColumnResult(
            name=column.name,
            n=n[at],
            psi=psi[at],
            psi_low=None if lows[at] != lows[at] else lows[at],
            ks=ks[at] if numeric[at] else None,
            ks_bound=bounds[at] if numeric[at] else None,
            phi=phi[at],
            calibration=None if calibrations[at] is Calibration.MEASURED else calibrations[at],
            missing=shares[at][0],
            invalid=shares[at][1],
            unseen=shares[at][2],
            further=further[at],
            inconclusive=InconclusiveReason.WARMING_UP if warming[at] else InconclusiveReason.CONCLUSIVE,
        )
        if conclusive[at] or warming[at]
        else _unjudged(prepared, at, n=n[at], shares=shares[at])
        for at, column in enumerate(prepared.layout.columns)
    )


def unjudged_results(prepared: PreparedReference, whole: Sample) -> tuple[ColumnResult, ...]:
    """Return what is stored of the columns of a window with too few events to be judged."""
    shares = (whole.shares / np.maximum(whole.totals, 1)).tolist()
    return tuple(_unjudged(prepared, at, n=n, shares=shares[at]) for at, n in enumerate(whole.n.tolist()))


def _unjudged(prepared: PreparedReference, at: int, *, n: int, shares: list[float]) -> ColumnResult:
    return ColumnResult(
        name=prepared.layout.columns[at].name,
        n=n,
        missing=shares[MISSING],
        invalid=shares[INVALID],
        unseen=shares[UNSEEN],
        inconclusive=InconclusiveReason.TOO_FEW_EVENTS
        if prepared.reference.n[at] > 0
        else InconclusiveReason.NO_REFERENCE,
    )
