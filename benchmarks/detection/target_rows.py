"""The rows of the target table, one function for each measure: which number of a stream's runs must be how small."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.detection.measures import Detection, Rate, Run, detection_of, median, rate_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One stream's target: *value* of all its runs must be at most *limit*.

    Attributes:
        of: The streams whose runs count; empty: the one that *stream* names.
    """

    stream: str
    measure: str
    limit: float
    value: Callable[[Sequence[Run]], tuple[float, float | None]]
    of: tuple[str, ...] = ()

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams whose runs count."""
        return self.of or (self.stream,)


def detection(runs: Sequence[Run]) -> Detection | None:
    """Return the measures of detection of *runs*, None where nothing changes."""
    results = [run.change_result for run in runs if run.change_result is not None]
    return detection_of(results) if results else None


def false_alarms(stream: str, limit: float) -> Target:
    """Return the target of all false alarms of a quiet stream."""
    return _per_thousand(stream, "false-alarm episodes per 1000 evaluations", limit, warnings)


def false_alerts(stream: str, limit: float) -> Target:
    """Return the target of those that became an alert."""
    return _per_thousand(stream, "false alert episodes per 1000 evaluations", limit, alerts)


def _per_thousand(stream: str, measure: str, limit: float, episodes: Callable[[Run], int]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = _rate(runs, episodes)
        return rate.per_thousand, rate.per_thousand_bound

    return Target(stream=stream, measure=measure, limit=limit, value=value)


def performance_alarms(stream: str) -> Target:
    """Return the target of false performance incidents of a quiet stream with truths."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = _rate(runs, lambda run: sum(alarm.kind == "performance" for alarm in run.false_alarms))
        return rate.per_month, rate.per_month_bound

    return Target(stream=stream, measure="false performance incidents per model and month", limit=0.0, value=value)


def per_year(measure: str, limit: float, episodes: Callable[[Run], int], *, of: tuple[str, ...]) -> Target:
    """Return the target of the episodes of many quiet streams together."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = _rate(runs, episodes)
        return rate.per_year, rate.per_year_bound

    name = f"false {measure} per model and year"
    return Target(stream="every quiet stream", measure=name, limit=limit, value=value, of=of)


def above(measure: str, limit: float, episodes: Callable[[Run], int], *, of: tuple[str, ...]) -> Target:
    """Return the target of how many quiet streams are above *limit* a year."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rates = [_rate(repeated, episodes) for repeated in _by_stream(runs).values()]
        return float(sum(rate.per_year > limit for rate in rates)), None

    name = f"streams with more than {limit:g} false {measure} per model and year"
    return Target(stream="every quiet stream", measure=name, limit=0.0, value=value, of=of)


def slowest_to_close(limit: float, *, of: tuple[str, ...]) -> Target:
    """Of the kinds of closing streams the largest median; their windows are hours."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        closed = [hours for repeated in _by_stream(runs).values() if (hours := closing_hours(repeated))]
        return max(map(median, closed), default=math.nan), None

    return Target(
        stream="over after 3 h, few events",
        measure="largest median of window lengths to close",
        limit=limit,
        value=value,
        of=of,
    )


def not_closed(*, of: tuple[str, ...]) -> Target:
    """Return the target of incidents that a day was not enough for, of those that were opened."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        closed = closing_hours(runs)
        return sum(hours > 24.0 for hours in closed) / len(closed) if closed else math.nan, None

    name = "share not closed within 24 h"
    return Target(stream="over after 3 h, few events", measure=name, limit=0.0, value=value, of=of)


def returned(*, of: tuple[str, ...]) -> Target:
    """Return the target of incidents that opened again after the change was over."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        results = [run.change_result for run in runs if run.change_result is not None]
        return sum(result.returns > 0 for result in results) / len(results), None

    name = "share that opened again"
    return Target(stream="over after 3 h, few events", measure=name, limit=0.0, value=value, of=of)


def closing_hours(runs: Sequence[Run]) -> list[float]:
    """Return for each detected change that ends the hours from its end to the incident's close; never: infinite."""
    results = [run.change_result for run in runs if run.change_result is not None]
    return [result.close_hours for result in results if result.close_hours is not None]


def held_hours(measured: Detection) -> float:
    """Return the 90th percentile of the hours from opening to close."""
    return math.nan if measured.ninetieth_held_hours is None else measured.ninetieth_held_hours


def not_notified_of_second(stream: str) -> Target:
    """Return the target of second changes that no message named."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        results = [run.second_result for run in runs if run.second_result is not None]
        return sum(math.isinf(result.notified_events) for result in results) / len(results), None

    return Target(stream=stream, measure="share without a message of the second", limit=0.0, value=value)


def falls_without(message: str, stream: str, count: Callable[[Run], int]) -> Target:
    """Return the target of falls of the accuracy without some message, *count* of each run."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        return sum(map(count, runs)) / sum(len(run.fall_results) for run in runs), None

    return Target(stream=stream, measure=f"share of falls without {message}", limit=0.0, value=value)


def without_message(run: Run) -> int:
    """Return how many falls of one run nobody was notified of."""
    return sum(not result.notified for result in run.fall_results)


def without_critical(run: Run) -> int:
    """Return how many falls of one run had no critical message."""
    return sum(math.isinf(result.critical_hours) for result in run.fall_results)


def warnings(run: Run) -> int:
    """Return the false alarms of one run."""
    return len(run.false_alarms)


def alerts(run: Run) -> int:
    """Return those of them that became an alert."""
    return run.false_alerts


def _rate(runs: Sequence[Run], episodes: Callable[[Run], int]) -> Rate:
    return rate_of(
        sum(map(episodes, runs)),
        evaluations=sum(run.evaluations for run in runs),
        days=sum(run.days for run in runs),
    )


def _by_stream(runs: Sequence[Run]) -> dict[str, list[Run]]:
    streams: dict[str, list[Run]] = {}
    for run in runs:
        streams.setdefault(run.stream, []).append(run)
    return streams


def rollbacks(stream: str) -> Target:
    """Return the target of proposed rollbacks."""
    return Target(
        stream=stream,
        measure="rollbacks",
        limit=0.0,
        value=lambda runs: (float(sum(run.rollbacks for run in runs)), None),
    )


def no_alarm(stream: str) -> Target:
    """Return the target of a change that is none by definition."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        return float(sum(run.change_result.episodes for run in runs if run.change_result is not None)), None

    return Target(stream=stream, measure="alarms of a PSI under 0.1", limit=0.0, value=value)


def warning(stream: str, limit: float) -> Target:
    """Return the target of the median delay to a warning."""
    unit = "truths" if stream.startswith("error") else "events"
    return detected(stream, f"median {unit} to warning", limit, lambda result: result.median_warning)


def alert(stream: str, limit: float) -> Target:
    """Return the target of the median delay to an alert."""
    return detected(stream, "median events to alert", limit, lambda result: result.median_alert)


def all_found(stream: str) -> Target:
    """Return the target that every change is found."""
    return detected(stream, "share not found", 0.0, lambda result: 1.0 - result.recall)


def typed(stream: str) -> Target:
    """Return the target that every fault is reported as one."""
    return detected(stream, "share not typed data_quality", 0.0, lambda result: 1.0 - result.typed)


def detected(stream: str, measure: str, limit: float, number: Callable[[Detection], float]) -> Target:
    """Return the target of one number of many detections."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        measured = detection(runs)
        return math.nan if measured is None else number(measured), None

    return Target(stream=stream, measure=measure, limit=limit, value=value)
