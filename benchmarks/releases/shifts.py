"""What windows show of each column's shift, and a new version's warm-up: what it holds back, and its own normal."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.releases.release import Release, VersionTruth
from monitor.arrays import Float64s, Int64s
from monitor.types import Tier
from monitor.units import MINUTE_MILLIS

_PREDICTION = ("score", "label")


@dataclass(frozen=True, slots=True)
class PredictionShift:
    """True PSI of a version's prediction, a number for each step."""

    score_psi: Float64s
    label_psi: Float64s


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """What one window shows of one column."""

    name: str
    tier: Tier
    psi: float


@dataclass(frozen=True, slots=True)
class ShownShift:
    """What the windows of one scale show of each column."""

    psis: Mapping[str, Float64s]
    tiers: Mapping[str, Int64s]

    def at(self, index: int) -> list[ShownColumn]:
        """Return the columns of one window."""
        return [
            ShownColumn(column, Tier(int(self.tiers[column][index])), float(psi[index]))
            for column, psi in self.psis.items()
        ]


@dataclass(frozen=True, slots=True)
class WarmUp:
    """The time in which a version's prediction is learnt; known once its deployment event is.

    Attributes:
        since, until: In ms; *first*, *last*: the steps that it is learnt from.
        reported_at: When (ms) the event came.
    """

    since: int
    until: int
    first: int
    last: int
    reported_at: int

    def holds(self, end: int, *, known_at: int) -> bool:
        """Return whether a window that ends at *end* (ms) is of the warm-up."""
        return self.since < end < self.until and self.reported_at <= known_at

    def is_over(self, end: int) -> bool:
        """Return whether a window that ends at *end* (ms) is judged by the version's own prediction."""
        return end >= self.until

    def own(self, truth: VersionTruth) -> PredictionShift:
        """Return how far the prediction is from what was learnt."""
        learnt = slice(self.first, self.last)

        def since_learnt(psi: Float64s) -> Float64s:
            amplitude = np.sqrt(psi)
            squared: Float64s = np.square(amplitude - amplitude[learnt].mean())
            return squared

        return PredictionShift(since_learnt(truth.score_psi), since_learnt(truth.label_psi))


def counts_in_warm_up(column: ShownColumn) -> bool:
    """Return whether a column is judged in a warm-up: inputs, and decisions that changed critically."""
    return column.name not in _PREDICTION or (column.name == "label" and column.tier >= Tier.CRITICAL)


def warm_up_of(release: Release, version: str) -> WarmUp | None:
    """Return the warm-up of a version whose first deployment event lies in the history; None: it has none."""
    events = [event for event in release.events if event.version == version]
    if not release.warm_up or not events:
        return None
    first_event = min(events, key=lambda event: event.event_time)
    end = release.start + release.steps * release.step * MINUTE_MILLIS
    if not release.start <= first_event.event_time < end:
        return None
    first = release.step_at(first_event.event_time)
    until = first_event.event_time + release.warm_up
    return WarmUp(
        since=first_event.event_time,
        until=until,
        first=first,
        last=max(release.step_at(until), first + 1),
        reported_at=first_event.reported_at,
    )
