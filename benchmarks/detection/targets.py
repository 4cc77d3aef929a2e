"""The rows that must be reached, and whether they were."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.detection.measures import Detection, Run, detection_of, rate_of

QUIET = (
    "no change",
    "no change, anytime",
    "heavy tails",
    "ties and zeros",
    "sparse, 50 columns",
    "sparse, 200 columns",
)
MOVING = ("daily cycle", "wander 0.1", "wander 0.2")
FAULTS = ("missing 5 %", "new category 2 %", "new category 0.5 %", "unit change x100", "constant column")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """One target and what was measured.

    Attributes:
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
    """One stream's target: *value* of all its runs must be at most *limit*."""

    stream: str
    measure: str
    limit: float
    value: Callable[[Sequence[Run]], tuple[float, float | None]]


def _targets() -> tuple[Target, ...]:
    rows: list[Target] = []
    for stream in QUIET:
        rows.append(_false_alarms(stream, 0.1))
    for stream in MOVING:
        rows += [_false_alarms(stream, 0.5), _false_alerts(stream, 0.1)]
    rows += [_rollbacks(stream) for stream in (*QUIET, *MOVING, *FAULTS)]
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
    return tuple(rows)


def reached(runs: Mapping[str, Sequence[Run]]) -> tuple[Reached, ...]:
    """Return each target whose stream is among *runs*, with what was measured."""
    answers = []
    for target in TARGETS:
        result = runs.get(target.stream, ())
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
    return _per_thousand(stream, "false-alarm episodes per 1000 evaluations", limit, lambda run: len(run.false_alarms))


def _false_alerts(stream: str, limit: float) -> Target:
    return _per_thousand(stream, "false alert episodes per 1000 evaluations", limit, lambda run: run.false_alerts)


def _per_thousand(stream: str, measure: str, limit: float, episodes: Callable[[Run], int]) -> Target:
    def value(runs: Sequence[Run]) -> tuple[float, float | None]:
        rate = rate_of(
            sum(map(episodes, runs)),
            evaluations=sum(run.evaluations for run in runs),
            days=sum(run.days for run in runs),
        )
        return rate.per_thousand, rate.per_thousand_bound

    return Target(stream=stream, measure=measure, limit=limit, value=value)


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
