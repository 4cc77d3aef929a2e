"""Periods of stages cut from the deployments' history."""

from dataclasses import dataclass

from alerting.actions.rollback_targets import rollback_targets, serving_period
from monitor.deployments import Period, Replacement, history_until, periods, replaced_versions
from monitor.types import Stage


@dataclass(frozen=True)
class Event:
    version: str
    event_time: int
    stage: Stage
    traffic: float | None = None
    assumed: bool = False


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


def replaced_at(history: tuple[Event, ...], at: int) -> dict[str, tuple[int, str | None]]:
    past = history_until(history, at=at)
    return {version: (replaced.since, replaced.by) for version, replaced in replaced_versions(past).items()}


def test_a_version_is_replaced_once_no_stage_serves_it() -> None:
    """Replaced in production or sent to RETIRED: from that moment on; before, or never deployed: not."""
    #  time  0      10      20      30     40
    #  1     ├─prod─────────┤              ├─canary►
    #  2            ├canary─┼─prod────────────────►
    #  3            ├shadow─────────┤
    history = (
        Event("1", 0, Stage.PRODUCTION),
        Event("2", 10, Stage.CANARY),
        Event("3", 10, Stage.SHADOW),
        Event("2", 20, Stage.PRODUCTION),
        Event("3", 30, Stage.RETIRED),
        Event("1", 40, Stage.CANARY),
    )
    assert [replaced_at(history, at) for at in (0, 19, 20, 30, 40)] == [
        {},
        {},
        {"1": (20, "2")},
        {"1": (20, "2"), "3": (30, None)},
        {"3": (30, None)},
    ]


def test_versions_share_production_until_one_serves_all_of_it() -> None:
    """A share below 1 ends no other version; a share of 1, or none given, does; a share of 0 ends its own."""
    #  time  0      10      20      30      40
    #  1     ├─prod 1───────┼─0.7───┤
    #  2            ├─0.1───┼─0.3───┼─1─────────►
    #  3                                    ├0 (never began)
    history = (
        Event("1", 0, Stage.PRODUCTION),
        Event("2", 10, Stage.PRODUCTION, 0.1),
        Event("1", 20, Stage.PRODUCTION, 0.7),
        Event("2", 20, Stage.PRODUCTION, 0.3),
        Event("2", 30, Stage.PRODUCTION, 1.0),
        Event("3", 40, Stage.PRODUCTION, 0.0),
    )
    assert periods(history[:4]) == (
        Period("1", Stage.PRODUCTION, 0, None),
        Period("2", Stage.PRODUCTION, 10, None),
    )
    assert replaced_at(history, 29) == {}
    assert periods(history) == (Period("1", Stage.PRODUCTION, 0, 30), Period("2", Stage.PRODUCTION, 10, None))
    assert replaced_at(history, 40) == {"1": (30, "2")}
    drained = (*history[:4], Event("1", 25, Stage.PRODUCTION, 0.0))
    assert replaced_at(drained, 25) == {"1": (25, None)}


def test_what_shares_production_is_a_target_for_the_other() -> None:
    """Of two versions in production the older one can take all of it back."""
    history = (Event("1", 0, Stage.PRODUCTION), Event("2", 50, Stage.PRODUCTION, 0.2))
    judged = serving_period(history, "2")
    assert judged is not None
    assert rollback_targets(history, judged, min_healthy=50) == ("1",)
    assert serving_period(history, "1") == Period("1", Stage.PRODUCTION, 0, None)


def test_a_deployment_dated_later_decides_nothing_yet() -> None:
    """The version in production stays it until the moment that the event names."""
    history = (Event("1", 0, Stage.PRODUCTION), Event("2", 100, Stage.PRODUCTION))
    today = history_until(history, at=99)
    assert today == history[:1]
    assert serving_period(today, "1") == Period("1", Stage.PRODUCTION, 0, None)
    assert history_until(history, at=100) == history


def test_an_assumed_replacement_says_so() -> None:
    """What follows from an accepted rollback is marked as that."""
    history = (
        Event("1", 0, Stage.PRODUCTION),
        Event("2", 10, Stage.PRODUCTION),
        Event("1", 20, Stage.PRODUCTION, None, assumed=True),
    )
    assert replaced_versions(history) == {"2": Replacement(version="2", since=20, by="1", assumed=True)}
