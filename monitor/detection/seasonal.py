"""The reference of the same hours: what a window is compared with where columns follow the hour."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from monitor.arrays import Float64s, Indices, Int64s, Mask
from monitor.detection.comparison import ComparisonOrder, Sample
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.season_clock import SeasonClock
from monitor.spec.model import DriftRule, DriftSpec, Seasonality
from monitor.stats.natural_movement import mixture_shares, mixture_size

Hours = Int64s
"""Events per hour of the season, shape ``(season.hours,)``."""


class WindowHours(NamedTuple):
    """When the events of a window's halves, and of the disjoint window before it, came; None: not there."""

    first_half: Hours
    second_half: Hours
    previous: Hours | None = None

    @property
    def whole(self) -> Hours:
        return self.first_half + self.second_half


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalReference:
    """Hour profiles of the columns that are compared by the hour.

    Attributes:
        columns: Shape ``(columns,)``. Which ones.
        places: Shape ``(seasonal,)``. Their compared counts, in the order of comparison.
        shares: Shape ``(hours, seasonal)``. Of each hour; an hour that the reference lacks has the whole one's.
        events: Shape ``(hours, columns)``. What these shares are of.
    """

    clock: SeasonClock
    columns: Mask
    places: Indices
    shares: Float64s
    events: Float64s

    def mixed(self, reference: Sample, hours: Hours, order: ComparisonOrder) -> Sample:
        """Return *reference* with its seasonal columns mixed of the hours in which a window's events came."""
        total = int(hours.sum())
        if total == 0:
            return reference
        weights = hours / total
        n = reference.n.astype(np.float64)
        n[self.columns] = mixture_size(weights, self.events[:, self.columns])
        lengths = np.diff(order.columns, append=len(order.gather))
        cells = reference.cells.astype(np.float64)
        cells[self.places] = mixture_shares(weights, self.shares) * np.repeat(n[self.columns], lengths[self.columns])
        return replace(reference, cells=cells, bins=np.add.reduceat(cells, order.bins), n=n)


def seasonal_reference(
    profile: ReferenceProfile,
    references: tuple[ColumnReference, ...],
    *,
    drift: DriftSpec,
    reference: Sample,
    order: ComparisonOrder,
) -> SeasonalReference | None:
    """Return the hour profiles that the rules ask for, None where no column is compared by the hour.

    With `seasonality: auto` these are the columns that follow the hour, with a named season all that have profiles of
    that season. The textbook rule knows no hours.
    """
    hours, season = profile.hours, profile.season
    if hours is None or season is None or drift.rule is DriftRule.TEXTBOOK:
        return None
    if drift.seasonality not in (Seasonality.AUTO, Seasonality(season.value)):
        return None
    forced = drift.seasonality is not Seasonality.AUTO
    columns = np.array(
        [(column.seasonal or forced) and bool(column.seasonal_movement) for column in references], dtype=np.bool_
    )
    columns &= reference.n > 0
    if not columns.any():
        return None
    counts = hours[:, order.gather].astype(np.float64)
    events = np.add.reduceat(counts, order.columns, axis=1)
    uncovered = events == 0
    lengths = np.diff(order.columns, append=len(order.gather))
    counts = np.where(np.repeat(uncovered, lengths, axis=1), reference.cells, counts)
    events = np.where(uncovered, reference.n, events)
    places = np.flatnonzero(np.repeat(columns, lengths))
    shares = counts[:, places] / np.repeat(events[:, columns], lengths[columns], axis=1)
    clock = SeasonClock(season, profile.timezone)
    return SeasonalReference(clock=clock, columns=columns, places=places, shares=shares, events=events)
