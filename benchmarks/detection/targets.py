"""The rows that must be reached, and whether they were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.detection.catalogue import (
    burst_recipe,
    closing_recipes,
    dependent_truth_recipes,
    fall_recipes,
    long_memory_recipes,
    second_change_recipes,
)
from benchmarks.detection.measures import Run
from benchmarks.detection.target_rows import (
    Target,
    above,
    alert,
    alerts,
    all_found,
    detected,
    falls_without,
    false_alarms,
    false_alerts,
    held_hours,
    no_alarm,
    not_closed,
    not_notified_of_second,
    per_year,
    performance_alarms,
    returned,
    rollbacks,
    slowest_to_close,
    typed,
    warning,
    warnings,
    without_critical,
    without_message,
)

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

FEW_RUNS = 7
"""Streams of a kind in the short run, at most; the median of 7 misses a target that it meets in the long run by 8 % in
three runs of ten, as simulated of new category 0.5 %."""


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

    @property
    def is_near(self) -> bool:
        """Whether a median is within a quarter of its limit: so few streams cannot say more."""
        return self.runs <= FEW_RUNS and self.measure.startswith("median") and self.measured <= 1.25 * self.limit


def _targets() -> tuple[Target, ...]:
    rows: list[Target] = []
    for stream in QUIET:
        rows.append(false_alarms(stream, 0.1))
    for stream in (*MOVING, *LONG_MEMORY):
        rows += [false_alarms(stream, 0.5), false_alerts(stream, 0.1)]
    rows += [performance_alarms(stream) for stream in TRUTHS]
    for measure, limit, episodes in (("warnings", 1.0, warnings), ("alerts", 0.1, alerts)):
        rows.append(per_year(measure, limit, episodes, of=EVERY_QUIET))
        rows.append(above(measure, limit, episodes, of=EVERY_QUIET))
    rows += [rollbacks(stream) for stream in (*EVERY_QUIET, *FAULTS)]
    rows.append(no_alarm("shift 0.3"))
    rows += [warning("shift 0.5", 1_500), alert("shift 0.5", 60_000), all_found("shift 0.5")]
    rows += [warning("shift 0.7", 1_200), alert("shift 0.7", 3_000)]
    rows += [warning("shift 1", 1_000), alert("shift 1", 2_000)]
    rows.append(warning("shift 1, anytime", 200))
    rows.append(warning("gradual 0.7", 24_000))
    rows += [warning("shift 0.5 on daily cycle", 4_000), warning("shift 1 on daily cycle", 2_000)]
    rows += [warning("shift 0.5 on wander 0.2", 40_000), warning("shift 1 on wander 0.2", 10_000)]
    for stream in FAULTS:
        rows += [warning(stream, 3_000 if stream == "new category 0.5 %" else 1_000), typed(stream)]
    rows.append(warning("error rate 0.1 to 0.2", 500))
    rows += [slowest_to_close(3.0, of=CLOSING), not_closed(of=CLOSING), returned(of=CLOSING)]
    rows.append(detected(BURST, "90 % closed within hours of opening", 2.0, held_hours))
    rows += [not_notified_of_second(stream) for stream in SECOND]
    for stream in FALLS:
        rows += [
            falls_without("a message", stream, without_message),
            falls_without("a critical message", stream, without_critical),
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


TARGETS = _targets()
