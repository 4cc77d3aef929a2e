"""The plan's values: traffic, false alarms, columns and scales, detection delays, advice."""

from dataclasses import dataclass

from monitor.humanize import duration_words
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import DriftRule
from monitor.types import Calibration
from monitor.units import MINUTE_MILLIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Average traffic of one version.

    Attributes:
        source: Where the number is from, for people.
    """

    events_per_minute: float
    source: str


def reference_traffic(profile: ReferenceProfile) -> Traffic | None:
    """Return the reference's rows per minute from its first to its last event; None where it has no time span."""
    if profile.start is None or profile.end is None or profile.end <= profile.start:
        return None
    minutes = (profile.end - profile.start) / MINUTE_MILLIS
    # The span from first to last row holds one row less than there are: two rows a minute apart are one a minute.
    return Traffic(
        events_per_minute=(profile.rows - 1) / minutes,
        source=f"the reference: {profile.rows:,} rows in {duration_words(minutes)}",
    )


MONTHS_A_YEAR = 365 / 30
"""Months are 30 days here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """Windows of one version in 30 days that raise something although they should not.

    Attributes:
        evaluations: Windows that are judged.
        at_the_boundary: At most so many where every test of every column sits exactly at its tier, which is all that
            alpha speaks of.
        at_the_boundary_disjoint: The same if only windows without overlap were looked at.
        no_change: Expected where nothing changes but what the reference itself shows.
        accuracy: False warnings of accuracy, at most, while it is what it was.
        textbook: Windows in which the textbook rule alarms where nothing changes at all, for comparison.
    """

    evaluations: int
    at_the_boundary: float
    at_the_boundary_disjoint: float
    no_change: float
    accuracy: float
    textbook: float

    @property
    def quiet(self) -> float:
        """Of drift, shares and accuracy together, while nothing changes."""
        return self.no_change + self.accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsNeeded:
    """Events in a window that reach a tier with a probability of 90 % when the column's true PSI is *psi*."""

    tier: str
    psi: float
    events: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """One judged column at one scale, at the model's traffic.

    Attributes:
        values: In a window, without missing ones.
        concludes: These are enough to be judged.
        kappa, nu, status: Natural movement.
        overdispersion: How much larger the variance is than sampling makes it.
        proven_from: The observed PSI that proves a warning, proven from there on.
        blunt: Not even the critical tier's PSI would prove a warning.
    """

    column: str
    bins: int
    values: float
    concludes: bool
    kappa: float
    nu: float
    status: Calibration
    overdispersion: float
    proven_from: float | None
    blunt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePlan:
    """One scale at the model's traffic.

    Attributes:
        length, step: Minutes.
        events: In a window, on average.
        concludes: The events are enough for a verdict.
        evaluations: Windows in 30 days.
        typical, worst: The judged column whose proof takes a middling and the largest PSI.
        needed, needed_by_worst: Events for each tier and PSI, for these two.
        columns: All judged ones, the largest `proven_from` first.
    """

    scale: str
    length: int
    step: int
    events: float
    concludes: bool
    evaluations: int
    typical: str
    worst: str
    needed: tuple[EventsNeeded, ...]
    needed_by_worst: tuple[EventsNeeded, ...]
    columns: tuple[ColumnPlan, ...]

    def column(self, name: str) -> ColumnPlan:
        """Return the column of that name."""
        return next(column_plan for column_plan in self.columns if column_plan.column == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """By when a tier is reached with a probability of 90 %, and at which scale; both None: at no scale."""

    tier: str
    minutes: float | None
    scale: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftPlan:
    """When a sudden shift of a column's mean is detected, for the typical and the worst column of each scale."""

    sigmas: float
    psi: float
    typical: tuple[Detected, ...]
    worst: tuple[Detected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Something to change: which key of the spec or the reference, what is wrong, and what to do."""

    about: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything at once.

    Attributes:
        alpha: Error probability of the spec; alpha_of_one_test: what is left of it for each of the tests, and
            alpha_of_unseen for each that is about unseen values.
        columns: Judged ones.
        tests, segments: Of one series, and series of one version.
    """

    model: str
    rule: DriftRule
    traffic: Traffic
    alpha: float
    alpha_of_one_test: float
    alpha_of_unseen: float
    columns: int
    tests: int
    segments: int
    min_events: int
    false_alarms: FalseAlarms
    scales: tuple[ScalePlan, ...]
    shifts: tuple[ShiftPlan, ...]
    advice: tuple[Advice, ...]
