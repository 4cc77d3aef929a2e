"""Warm-ups of a model whose prediction alone is watched: nothing is judged, and a fault is seen to be over."""

from dataclasses import dataclass

import msgspec

from alerting.incidents.observation import observation_of
from alerting.incidents.state import IncidentState
from alerting.incidents.transition import transition
from monitor.results import ColumnResult, Finding, WindowResult
from monitor.types import (
    EvaluationKind,
    IncidentKind,
    InconclusiveReason,
    Scale,
    SeriesKey,
    Statistic,
    Tier,
    Verdict,
)
from tests.unit.alerting.columns import minute
from tests.unit.alerting.timeline import RULES, WHO

SCORE = "prediction.score"
VERSION, SCALE = SeriesKey(1, "2"), Scale(length=10, step=5)
STUCK = Finding(
    kind=IncidentKind.DATA_QUALITY,
    column=SCORE,
    statistic=Statistic.STUCK,
    tier=Tier.ALERT,
    endured=True,
    value=1.0,
    bound=1.0,
    threshold=0.5,
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One window of the inputs of version 2."""

    window_end: int
    result: WindowResult
    series: SeriesKey = VERSION
    scale: Scale = SCALE
    kind: EvaluationKind = EvaluationKind.INPUTS
    driving: bool = True


def warming(*findings: Finding, reason: InconclusiveReason = InconclusiveReason.WARMING_UP) -> WindowResult:
    return WindowResult(
        verdict=Verdict.INCONCLUSIVE,
        events=500,
        columns=(ColumnResult(name=SCORE, n=500, psi=2.0, inconclusive=reason),),
        findings=findings,
        reason=reason,
    )


def played(kind: IncidentKind, *results: WindowResult) -> list[str]:
    state: IncidentState | None = None
    steps = []
    for number, result in enumerate(results):
        end = minute(10 * number)
        state, decision = transition(
            state,
            observation_of(kind, Judged(window_end=end, result=result)),
            identity=WHO,
            rules=RULES,
            now_millis=end,
        )
        if decision is not None and decision.step.value != "nothing":
            steps.append(f"{decision.step.value} {number}")
    return steps


def test_a_fault_of_the_only_column_is_over_in_its_warm_up() -> None:
    stuck = WindowResult(verdict=Verdict.ALERT, events=500, findings=(STUCK,), quality_calm=False)
    assert played(IncidentKind.DATA_QUALITY, stuck, warming(), warming()) == ["opened 0", "resolved 2"]


def test_windows_with_too_few_events_still_say_nothing() -> None:
    stuck = WindowResult(verdict=Verdict.ALERT, events=500, findings=(STUCK,), quality_calm=False)
    few = warming(reason=InconclusiveReason.TOO_FEW_EVENTS)
    assert played(IncidentKind.DATA_QUALITY, stuck, few, few, few) == ["opened 0"]


def test_a_fault_that_did_not_endure_yet_is_not_calm() -> None:
    stuck = WindowResult(verdict=Verdict.ALERT, events=500, findings=(STUCK,), quality_calm=False)
    unsettled = warming(msgspec.structs.replace(STUCK, endured=False))
    results = (stuck, warming(), unsettled, warming(), warming())
    assert played(IncidentKind.DATA_QUALITY, *results) == ["opened 0", "resolved 4"]


def test_a_warm_up_alone_opens_nothing() -> None:
    for kind in IncidentKind:
        assert played(kind, warming(), warming()) == []
