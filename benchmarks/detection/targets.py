"""The rows that must be reached, and whether they were."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.detection.catalogue import (
    burst_recipe,
    closing_recipes,
    dependent_truth_recipes,
    fall_recipes,
    long_memory_recipes,
    second_change_recipes,
)
from benchmarks.detection.measures import Detection, Rate, Run, detection_of, median, rate_of

QUIET = (
    "no change",
    "no change, anytime",
    "heavy tails",
    "ties and zeros",
    "sparse, 50 columns",
    "sparse, 200 columns",
)
MOVING = ("daily cycle", "wander 0.1", "wander 0.2")
LONG_MEMORY = tuple(recipe.name for recipe in long_memory_recipes(days=1.0))
TRUTHS = tuple(recipe.name for recipe in dependent_truth_recipes(days=1.0))
EVERY_QUIET = (*QUIET, *MOVING, *LONG_MEMORY, *TRUTHS)
CLOSING = tuple(recipe.name for recipe in closing_recipes())
SECOND = tuple(recipe.name for recipe in second_change_recipes())
FALLS = tuple(recipe.name for recipe in fall_recipes())
BURST = burst_recipe().name
FAULTS = ("missing 5 %", "new category 2 %", "new category 0.5 %", "unit change x100", "constant column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One target and what was measured.

    Attributes:
        stream: Or the name of several streams together.
        measure: What is measured, with its unit.
        limit: What it must not be above.
        bound: 95 % upper bound of the measured value; None where there is none.
        runs: Streams behind it.
    """

    stream: str
    measure: str
    limit: float
    measured: float
    bound: float | None
    runs: int

    @property
    def met(self) -> bool:
        """Whether the measured value is within the limit; what is not measured (NaN) is not."""
        return self.measured <= self.limit


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


def _targets() -> tuple[Target, ...]:
    rows: list[Target] = []
    for stream in QUIET:
        rows.append(_false_alarms(stream, 0.1))
    for stream in (*MOVING, *LONG_MEMORY):
        rows += [_false_alarms(stream, 0.5), _false_alerts(stream, 0.1)]
    rows += [_performance_alarms(stream) for stream in TRUTHS]
    rows += [_per_year("warnings", 1.0, _warnings), _per_year("alerts", 0.1, _alerts)]
    rows += [_above("warnings", 1.0, _warnings), _above("alerts", 0.1, _alerts)]
    rows += [_rollbacks(stream) for stream in (*EVERY_QUIET, *FAULTS)]
    rows.append(_no_alarm("shift 0.3"))
    rows += [_warning("shift 0.5", 1_500), _alert("shift 0.5", 60_000), _all_found("shift 0.5")]
    rows += [_warning("shift 0.7", 1_200), _alert("shift 0.7", 3_000)]
    rows += [_warning("shift 1", 1_000), _alert("shift 1", 2_000)]
    rows.append(_warning("shift 1, anytime", 200))
    rows.append(_warning("gradual 0.7", 24_000))
    rows += [_warning("shift 0.5 on daily cycle", 4_000), _warning("shift 1 on daily cycle", 2_000)]
    rows += [_warning("shift 0.5 on wander 0.2", 40_000), _warning("shift 1 on wander 0.2", 10_000)]
    for stream in FAULTS:
        rows += [_warning(stream, 3_000 if stream == "new category 0.5 %" else 1_000), _typed(stream)]
    rows.append(_warning("error rate 0.1 to 0.2", 500))
    rows += [_slowest_to_close(3.0), _not_closed(), _returned()]
    rows.append(_detected(BURST, "90 % closed within hours of opening", 2.0, _held_hours))
    rows += [_not_notified_of_second(stream) for stream in SECOND]
    for stream in FALLS:
        rows += [
            _falls_without("a message", stream, _without_message),
            _falls_without("a critical one", stream, _without_critical),
        ]
    return tuple(rows)


def reached(runs: Mapping[str, Sequence[Run]]) -> tuple[Reached, ...]:
    """Return each target whose stream is among *runs*, with what was measured."""
    answers = []
    for target in TARGETS:
        result = [run for stream in target.streams for run in runs.get(stream, ())]
        if result:
            measured, bound = target.value(result)
            answers.append(
                Reached(
                    stream=target.stream,
                    measure=target.measure,
                    limit=target.limit,
                    measured=measured,
                    bound=bound,
                    runs=len(result),
                )
            )
    return tuple(answers)


def detection(runs: Sequence[Run]) -> Detection | None:
    """Return the measures of detection of *runs*, None where nothing changes."""
    results = [run.change_result for run in runs if run.change_result is not None]
    return detection_of(results) if results else None


def _false_alarms(stream: str, limit: float) -> Target:
    return _per_thousand(stream, "false-alarm episodes per 1000 evaluations", limit, _warnings)


def _false_alerts(stream: str, limit: float) -> Target:
    return _per_thousand(stream, "false alert episodes per 1000 evaluations", limit, _alerts)


def _per_thousand(stream: str, measure: str, limit: float, episodes: Callable[[Run], int]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = _rate(runs, episodes)
        return rate.per_thousand, rate.per_thousand_bound

    return Target(stream=stream, measure=measure, limit=limit, value=value)


def _performance_alarms(stream: str) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = _rate(runs, lambda run: sum(alarm.kind == "performance" for alarm in run.false_alarms))
        return rate.per_month, rate.per_month_bound

    return Target(stream=stream, measure="false performance incidents per model and month", limit=0.0, value=value)


def _per_year(measure: str, limit: float, episodes: Callable[[Run], int]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = _rate(runs, episodes)
        return rate.per_year, rate.per_year_bound

    name = f"false {measure} per model and year"
    return Target(stream="every quiet stream", measure=name, limit=limit, value=value, of=EVERY_QUIET)


def _above(measure: str, limit: float, episodes: Callable[[Run], int]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rates = [_rate(repeated, episodes) for repeated in _by_stream(runs).values()]
        return float(sum(rate.per_year > limit for rate in rates)), None

    name = f"streams with more than {limit:g} false {measure} per model and year"
    return Target(stream="every quiet stream", measure=name, limit=0.0, value=value, of=EVERY_QUIET)


def _slowest_to_close(limit: float) -> Target:
    """Of the kinds of closing streams the largest median; their windows are hours."""

    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        return max(median(closing_hours(repeated)) for repeated in _by_stream(runs).values()), None

    return Target(
        stream="over after 3 h, few events",
        measure="largest median of window lengths to close",
        limit=limit,
        value=value,
        of=CLOSING,
    )


def _not_closed() -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        return sum(hours > 24.0 for hours in closing_hours(runs)) / len(runs), None

    name = "share not closed within 24 h"
    return Target(stream="over after 3 h, few events", measure=name, limit=0.0, value=value, of=CLOSING)


def _returned() -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        results = [run.change_result for run in runs if run.change_result is not None]
        return sum(result.returns > 0 for result in results) / len(results), None

    name = "share that opened again"
    return Target(stream="over after 3 h, few events", measure=name, limit=0.0, value=value, of=CLOSING)


def closing_hours(runs: Sequence[Run]) -> list[float]:
    """Return for each run with a change that ends the hours from its end to the incident's close; never: infinite."""
    results = [run.change_result for run in runs if run.change_result is not None]
    return [result.close_hours for result in results if result.close_hours is not None]


def _held_hours(measured: Detection) -> float:
    return math.nan if measured.ninetieth_held_hours is None else measured.ninetieth_held_hours


def _not_notified_of_second(stream: str) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        results = [run.second_result for run in runs if run.second_result is not None]
        return sum(math.isinf(result.notified_events) for result in results) / len(results), None

    return Target(stream=stream, measure="share without a message of the second", limit=0.0, value=value)


def _falls_without(message: str, stream: str, count: Callable[[Run], int]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        return sum(map(count, runs)) / sum(len(run.fall_results) for run in runs), None

    return Target(stream=stream, measure=f"share of falls without {message}", limit=0.0, value=value)


def _without_message(run: Run) -> int:
    return sum(not result.notified for result in run.fall_results)


def _without_critical(run: Run) -> int:
    return sum(math.isinf(result.critical_hours) for result in run.fall_results)


def _warnings(run: Run) -> int:
    return len(run.false_alarms)


def _alerts(run: Run) -> int:
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


def _rollbacks(stream: str) -> Target:
    return Target(
        stream=stream,
        measure="rollbacks",
        limit=0.0,
        value=lambda runs: (float(sum(run.rollbacks for run in runs)), None),
    )


def _no_alarm(stream: str) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        return float(sum(run.change_result.episodes for run in runs if run.change_result is not None)), None

    return Target(stream=stream, measure="alarms of a PSI under 0.1", limit=0.0, value=value)


def _warning(stream: str, limit: float) -> Target:
    unit = "truths" if stream.startswith("error") else "events"
    return _detected(stream, f"median {unit} to warning", limit, lambda result: result.median_warning)


def _alert(stream: str, limit: float) -> Target:
    return _detected(stream, "median events to alert", limit, lambda result: result.median_alert)


def _all_found(stream: str) -> Target:
    return _detected(stream, "share not found", 0.0, lambda result: 1.0 - result.recall)


def _typed(stream: str) -> Target:
    return _detected(stream, "share not typed data_quality", 0.0, lambda result: 1.0 - result.typed)


def _detected(stream: str, measure: str, limit: float, number: Callable[[Detection], float]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        measured = detection(runs)
        return math.nan if measured is None else number(measured), None

    return Target(stream=stream, measure=measure, limit=limit, value=value)


TARGETS = _targets()
