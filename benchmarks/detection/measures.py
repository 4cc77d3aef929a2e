"""The benchmark's measures of one run, and of many: false alarms with their bound, recall, delay, time to close."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from benchmarks.detection.concept import DELAY
from benchmarks.detection.episodes import Episode, Message
from benchmarks.detection.stream import DAY, HOUR, Change, Fall
from monitor.arrays import Int64s

CONFIDENCE = 0.95
DAYS_A_YEAR, DAYS_A_MONTH = 365.25, 30.0
CRITICAL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One stream judged by one rule.

    Attributes:
        evaluations: Windows that could be judged; *inconclusive* could not.
        days: Length of the current part.
        false_alarms: Episodes before anything changed (all of them where nothing does).
        false_alerts: Those of them that became an alert.
        rollbacks, retrainings: Actions proposed in the whole run.
        messages: That people would have got in the whole run.
        change_result: None where nothing changes.
        second_result: Of a second change of another column; None where there is none.
        fall_results: Of each fall of the accuracy.
    """

    stream: str
    seed: int
    evaluations: int
    inconclusive: int
    days: float
    false_alarms: tuple[Episode, ...]
    false_alerts: int
    rollbacks: int
    retrainings: int
    messages: int = 0
    change_result: "ChangeResult | None" = None
    second_result: "SecondResult | None" = None
    fall_results: "tuple[FallResult, ...]" = ()
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResult:
    """When and how one true change was detected; infinite where it was not.

    Attributes:
        warning_events, alert_events: Events (for errors: truths that had arrived) from the change's start to the end
            of the window that first reported it, and of the first that was an alert.
        typed: The first episode after the change is of the kind that names it as what it is.
        named_first: The first column it names is one that changed.
        close_hours: From the change's end to the episode's close, infinite where one stayed open; None where the change
            never ends or was not detected.
        episodes: Episodes that opened at or after the change's start.
        held_hours: The longest of the right episodes, from opening to close, infinite where one stayed open; None where
            the change never ends or was not detected.
        returns: How often one of the right kind opened again after the first.
    """

    warning_events: float
    alert_events: float
    typed: bool
    named_first: bool
    close_hours: float | None
    episodes: int
    held_hours: float | None = None
    returns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondResult:
    """When people were notified of a second change: events from its start to the first message that names its column.

    Infinite where no message ever named it.
    """

    notified_events: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FallResult:
    """What people were notified of during one fall of the accuracy.

    Attributes:
        notified: Any message of it came before it was over (and its last truths known).
        critical_hours: From its start to the first message that was critical; infinite without one.
        last_accuracy: The true accuracy of the newest predictions that the last message can be about; None without any.
    """

    notified: bool
    critical_hours: float
    last_accuracy: float | None


def change_result_of(change: Change, episodes: Sequence[Episode], *, arrivals: Int64s) -> ChangeResult:
    """Return when and how *change* was detected.

    Args:
        episodes: In order of opening; those that opened before the change are no answer to it.
        arrivals: Shape ``(events,)``, increasing. When each event since the change's start could be known, in ms.
    """
    after = [episode for episode in episodes if episode.opened > change.start]
    right = [episode for episode in after if episode.kind == change.kind.expected_incident]
    first = right[0] if right else None
    alerted = [episode.alerted for episode in right if episode.alerted is not None]
    return ChangeResult(
        warning_events=_events_until(first.opened if first else None, arrivals),
        alert_events=_events_until(min(alerted) if alerted else None, arrivals),
        typed=bool(after) and after[0].kind == change.kind.expected_incident,
        named_first=first is not None and (not change.columns or first.columns[:1] == change.columns[:1]),
        close_hours=_close_hours(change, right),
        episodes=len(after),
        held_hours=_held_hours(change, right),
        returns=max(0, len(right) - 1) + sum(episode.reopened for episode in right),
    )


def second_result_of(change: Change, episodes: Sequence[Episode], *, arrivals: Int64s) -> SecondResult:
    """Return when people were notified of *change*, a second one of another column, by a message of any incident.

    Args:
        arrivals: As of `change_result_of`, from this change's start on.
    """
    naming = [
        message.at
        for message in _messages(episodes, kind=change.kind.expected_incident)
        if message.at > change.start and set(change.columns) & set(message.columns)
    ]
    return SecondResult(notified_events=_events_until(min(naming, default=None), arrivals))


def fall_result_of(fall: Fall, episodes: Sequence[Episode]) -> FallResult:
    """Return what people were notified of during *fall*, with an hour and the truths' delay after its end."""
    until = fall.stop + DELAY + HOUR  # the backtest judges hour by hour
    during = [message for message in _messages(episodes, kind="performance") if fall.start < message.at <= until]
    critical = [message.at for message in during if message.tier >= CRITICAL]
    last = max((message.at for message in during), default=None)
    return FallResult(
        notified=bool(during),
        critical_hours=(min(critical) - fall.start) / HOUR if critical else math.inf,
        last_accuracy=None if last is None else fall.accuracy_at(max(fall.start, last - DELAY)),
    )


def _messages(episodes: Sequence[Episode], *, kind: str) -> list[Message]:
    """Return every message that an incident of *kind* is there, in no order."""
    return [
        message for episode in episodes if episode.kind == kind for message in episode.messages if not message.resolved
    ]


def _events_until(end: int | None, arrivals: Int64s) -> float:
    return math.inf if end is None else float(np.searchsorted(arrivals, end, side="left"))


def _close_hours(change: Change, right: Sequence[Episode]) -> float | None:
    if change.stop is None or not right:
        return None
    if any(episode.closed is None for episode in right):
        return math.inf
    return max(episode.closed - change.stop for episode in right if episode.closed is not None) / HOUR


def _held_hours(change: Change, right: Sequence[Episode]) -> float | None:
    if change.stop is None or not right:
        return None
    return max(math.inf if episode.closed is None else (episode.closed - episode.opened) / HOUR for episode in right)


def false_alarms_of(quiet_until: int | None, episodes: Sequence[Episode]) -> tuple[Episode, ...]:
    """Return the episodes that nothing justifies: those that opened before *quiet_until* (ms), without one all."""
    return tuple(episode for episode in episodes if quiet_until is None or episode.opened <= quiet_until)


def upper_bound(count: int, exposure: float, *, confidence: float = CONFIDENCE) -> float:
    """Return the exact one-sided upper bound of a Poisson rate per unit of *exposure*.

    ``chi2.ppf(confidence, 2 (count + 1)) / 2 / exposure`` (Garwood 1936); infinite without exposure.
    """
    return float(chi2.ppf(confidence, 2 * (count + 1)) / 2.0 / exposure) if exposure > 0 else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Episodes and how many there are per 1000 evaluations, day and year of a model, each with its 95 % upper bound."""

    episodes: int
    evaluations: int
    days: float
    per_thousand: float
    per_thousand_bound: float
    per_day: float
    per_day_bound: float

    @property
    def per_year(self) -> float:
        """Per model and year."""
        return self.per_day * DAYS_A_YEAR

    @property
    def per_year_bound(self) -> float:
        """95 % upper bound per model and year."""
        return self.per_day_bound * DAYS_A_YEAR

    @property
    def per_month(self) -> float:
        """Per model and 30 days."""
        return self.per_day * DAYS_A_MONTH

    @property
    def per_month_bound(self) -> float:
        """95 % upper bound per model and 30 days."""
        return self.per_day_bound * DAYS_A_MONTH


def rate_of(episodes: int, *, evaluations: int, days: float) -> Rate:
    """Return the rates of *episodes* seen in *evaluations* windows over *days*."""
    thousands = evaluations / 1000
    return Rate(
        episodes=episodes,
        evaluations=evaluations,
        days=days,
        per_thousand=episodes / thousands if evaluations else math.nan,
        per_thousand_bound=upper_bound(episodes, thousands),
        per_day=episodes / days if days else math.nan,
        per_day_bound=upper_bound(episodes, days),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Many runs of one kind of change; delays are in events, infinite where over half (a tenth) was not detected."""

    runs: int
    recall: float
    alert_recall: float
    typed: float
    named_first: float
    median_warning: float
    ninetieth_warning: float
    median_alert: float
    ninetieth_alert: float
    median_close_hours: float | None
    ninetieth_held_hours: float | None = None


def detection_of(results: Sequence[ChangeResult]) -> Detection:
    """Return the measures of *results*, of at least one run."""
    warning = np.array([result.warning_events for result in results])
    alert = np.array([result.alert_events for result in results])
    closed = [result.close_hours for result in results if result.close_hours is not None]
    held = [result.held_hours for result in results if result.held_hours is not None]
    return Detection(
        runs=len(results),
        recall=float(np.isfinite(warning).mean()),
        alert_recall=float(np.isfinite(alert).mean()),
        typed=float(np.mean([result.typed for result in results])),
        named_first=float(np.mean([result.named_first for result in results])),
        median_warning=_quantile(warning, 0.5),
        ninetieth_warning=_quantile(warning, 0.9),
        median_alert=_quantile(alert, 0.5),
        ninetieth_alert=_quantile(alert, 0.9),
        median_close_hours=_quantile(np.array(closed), 0.5) if closed else None,
        ninetieth_held_hours=_quantile(np.array(held), 0.9) if held else None,
    )


def median(values: Sequence[float]) -> float:
    """Return the median of *values*, at least one: of an even number the lower of the two in the middle."""
    return _quantile(np.array(values), 0.5)


def _quantile(values: np.ndarray, share: float) -> float:
    # An order statistic, never between two: between a detected and a missed one there is no number.
    return float(np.quantile(values, share, method="higher" if share > 0.5 else "inverted_cdf"))


def days_of(times: Int64s) -> float:
    """Return how many days lie between the first and the last of *times* (ms, increasing)."""
    return float((times[-1] - times[0]) / DAY)
