"""Periods of stages cut from the deployments' history."""

from dataclasses import dataclass

from alerting.actions.rollback_targets import retired_versions, rollback_targets, serving_period
from monitor.deployments import Period, periods
from monitor.types import Stage


@dataclass(frozen=True)
class Event:
    version: str
    event_time: int
    stage: Stage


def test_a_version_that_enters_production_ends_the_one_there() -> None:
    """1 canary, production; 2 canary next to it, then production; a change of traffic cuts nothing."""
    #  time  0    10        20      30      40
    #  1     ├can─┼─prod────────────────────┤
    #  2                    ├─canary┴───────┼─prod──►
    history = (
        Event("1", 0, Stage.CANARY),
        Event("1", 10, Stage.PRODUCTION),
        Event("2", 20, Stage.CANARY),
        Event("2", 30, Stage.CANARY),
        Event("2", 40, Stage.PRODUCTION),
    )
    assert periods(history) == (
        Period("1", Stage.CANARY, 0, 10),
        Period("1", Stage.PRODUCTION, 10, 40),
        Period("2", Stage.CANARY, 20, 40),
        Period("2", Stage.PRODUCTION, 40, None),
    )
    judged = serving_period(history, "2")
    assert judged == Period("2", Stage.PRODUCTION, 40, None)
    assert rollback_targets(history, judged, min_healthy=30) == ("1",)
    assert rollback_targets(history, judged, min_healthy=31) == ()


def test_a_shadow_serves_nobody() -> None:
    """Neither a shadow nor a retired version takes traffic."""
    history = (Event("1", 0, Stage.SHADOW), Event("2", 0, Stage.CANARY), Event("2", 5, Stage.RETIRED))
    assert serving_period(history, "1") is None
    assert serving_period(history, "2") is None


def test_a_canary_goes_back_to_what_is_in_production_now() -> None:
    """Not to a version that production left before."""
    history = (Event("0", 0, Stage.PRODUCTION), Event("1", 50, Stage.PRODUCTION), Event("2", 90, Stage.CANARY))
    judged = serving_period(history, "2")
    assert judged is not None
    assert rollback_targets(history, judged, min_healthy=10) == ("1",)
    assert rollback_targets(history, judged, min_healthy=45) == ()


def test_a_version_is_retired_once_no_stage_serves_it() -> None:
    """Replaced in production or sent to RETIRED: from that moment on; before, or never deployed: not."""
    #  time  0      10      20      30
    #  1     ├─prod─────────┤
    #  2            ├canary─┼─prod──────►
    #  3            ├shadow─────────┤
    history = (
        Event("1", 0, Stage.PRODUCTION),
        Event("2", 10, Stage.CANARY),
        Event("3", 10, Stage.SHADOW),
        Event("2", 20, Stage.PRODUCTION),
        Event("3", 30, Stage.RETIRED),
    )
    retired = {at: retired_versions(history, at=at) for at in (0, 19, 20, 30)}
    assert retired == {0: frozenset(), 19: frozenset(), 20: {"1"}, 30: {"1", "3"}}
