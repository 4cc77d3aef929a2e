"""An incident is closed by the columns that hold it, each by itself; a shorter scale ends it for longer ones."""

from dataclasses import replace

import msgspec

from alerting.incidents.observation import WindowObservation
from alerting.incidents.state import IncidentState, Step, decode_state, encode_state
from monitor.results import Finding
from monitor.types import IncidentKind, IncidentStatus, Statistic, Tier
from tests.unit.alerting.columns import SURE, Change, minute, shows, windows_of
from tests.unit.alerting.timeline import WHO, finding, play, steps

W, A, C = Tier.WARNING, Tier.ALERT, Tier.CRITICAL
QUALITY = replace(WHO, kind=IncidentKind.DATA_QUALITY)
PERFORMANCE = replace(WHO, kind=IncidentKind.PERFORMANCE)


def opened(*windows: WindowObservation) -> IncidentState:
    state, _ = play(list(windows))
    assert state is not None
    return state


def accuracy(end: int, tier: Tier, *, since: int = 0, length: int = 10, bound: float = 0.05) -> WindowObservation:
    """Return a window of accuracy whose finding is proven since a minute."""
    calm = (tier < W, tier < A, tier < C)
    fallen = Finding(
        kind=IncidentKind.PERFORMANCE,
        column="",
        statistic=Statistic.ACCURACY,
        tier=tier,
        endured=True,
        value=0.9,
        bound=bound,
        threshold=0.03,
        since=minute(since),
    )
    return WindowObservation(
        end=minute(end), length=length, step=5, tier=tier, calm=calm, findings=(fallen,) if tier else ()
    )


def test_a_restless_column_that_was_never_found_holds_nothing() -> None:
    """`noise` is never under the closing threshold and never a finding; `age` is calm twice: resolved."""
    windows = [shows(0, {"age": W}), *(shows(end, restless={"noise": SURE}) for end in (10, 20, 30))]
    state, decisions = play(windows)
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end == minute(20)


def test_each_column_counts_its_own_calm_windows() -> None:
    """`age` and `income` are never calm in the same two windows, and both are let go.

    ::

        end      0     10    20    30    40    50
        age      W     .     .     r     r     r      let go at 20; what it does then holds nothing
        income   W     r     r     r     .     .      let go at 50
    """
    restless = [None, {"income": SURE}, {"income": SURE}, {"age": SURE, "income": SURE}, {"age": SURE}, {"age": SURE}]
    windows = [
        shows(10 * place, {"age": W, "income": W} if place == 0 else None, restless=held)
        for place, held in enumerate(restless)
    ]
    between, _ = play(windows[:3])
    assert between is not None
    assert between.columns == {"income"}
    assert {shown.column for shown in between.findings} == {"income"}
    state, decisions = play(windows)
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end == minute(50)


def test_the_tier_is_the_highest_that_a_column_holds() -> None:
    """The critical column is let go, the warning stays: calmed, not resolved."""
    windows = [shows(0, {"age": C, "income": W}), shows(10, {"income": W}), shows(20, {"income": W})]
    state, decisions = play(windows)
    assert steps(decisions) == ["opened", "calmed"]
    assert state is not None
    assert (state.tier, state.columns) == (W, {"income"})


def test_a_column_with_too_few_values_says_nothing_of_itself() -> None:
    """It neither lets go nor starts again; a broken one that can no longer be judged is not calm."""
    few = [shows(end, unjudged=["age"]) for end in (20, 30, 40)]
    state, decisions = play([shows(0, {"age": W}), shows(10), *few, shows(50)])
    assert steps(decisions) == ["opened", "resolved"]
    broken = [shows(end, unjudged=["age"], restless={"age": SURE}) for end in (20, 30, 40)]
    state, decisions = play([shows(0, {"age": W}), shows(10), *broken, shows(50)])
    assert steps(decisions) == ["opened"]
    assert state is not None
    assert state.is_open


def test_a_burst_of_missing_values_does_not_hold_an_incident_for_the_longest_window() -> None:
    """45 minutes of missing values, found by 10 m, 1 h and 4 h: over within an hour, and longer windows reopen nothing.

    ::

        minutes  0 .. 300 ...... 345 ............ 700
        missing       |----------|
        10 m          |<- finding ->| . .  lets go
        1 h, 4 h      |<- finding ------ ... (their windows hold the burst until 585)
    """
    windows = []
    for end in range(240, 700, 5):
        for length in (10, 60, 240):
            share = max(0, min(end, 345) - max(end - length, 300)) / length
            bad = {"age": A} if share > 0.02 else None
            windows.append(shows(end, bad, length=length, kind=IncidentKind.DATA_QUALITY, statistic=Statistic.MISSING))
    state, decisions = play(windows, who=QUALITY)
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end is not None
    assert state.resolved_end <= minute(345 + 30)


def test_a_new_finding_after_the_recovery_holds_at_every_scale() -> None:
    """A change that only 4 h windows can prove, after one that 10 m showed over: open once their data is all new."""
    first = [shows(0, {"age": C}), shows(0, {"age": C}, length=240), shows(10), shows(20)]
    recovered, decisions = play(first)
    assert steps(decisions) == ["opened", "resolved"]
    old = [shows(end, {"age": W}, length=240) for end in (25, 100, 235)]
    state, decisions = play(old, state=recovered)
    assert steps(decisions) == []
    assert state is not None
    assert not state.is_open
    _, decisions = play([shows(240, {"age": W}, length=240)], state=state)
    assert steps(decisions) == ["opened"]


def test_longer_windows_are_only_dropped_by_size() -> None:
    """Calm because the column moves so much at 10 m says nothing about what 4 h windows prove."""
    windows = [
        shows(0, {"age": W}),
        shows(0, {"age": W}, length=240),
        *(shows(end, restless={"age": (Tier.NONE, W)}) for end in (10, 20, 30)),
    ]
    state = opened(*windows)
    assert state.is_open
    assert set(state.holds) == {240}


def test_a_tier_that_a_shorter_scale_sees_left_is_left_at_longer_ones() -> None:
    """Critical at both scales; 10 m sees a warning and no more: the incident calms down, and 4 h does not raise it."""
    windows = [shows(0, {"age": C}), shows(0, {"age": C}, length=240)]
    for end in (10, 20, 30):
        windows += [shows(end, {"age": W}), shows(end, {"age": C}, length=240)]
    state, decisions = play(windows)
    assert steps(decisions) == ["opened", "calmed"]
    assert state is not None
    assert state.tier is W


def test_a_second_collapse_of_accuracy_is_an_opening_of_its_own() -> None:
    """0.98, 0.01, 0.99, 0.015: long windows still prove the first collapse and neither hold nor reopen the incident.

    ::

        minutes    0 ...... 100 ..... 160 ............. 400 ....... 460
        accuracy   0.98     0.01      0.99              0.015
        10 m                C C C C . . resolved        C
        24 h                  C C C C C C C C C C C C C C C C   (since 100)
    """
    windows = []
    for end in range(100, 460, 5):
        now = C if 105 <= end <= 165 or end >= 405 else Tier.NONE
        windows.append(accuracy(end, now, since=100 if end < 200 else 400))
        windows.append(accuracy(end, C if end >= 110 else Tier.NONE, since=100, length=1440))
    state, decisions = play(windows, who=PERFORMANCE)
    assert steps(decisions) == ["opened", "resolved", "opened"]
    assert all(decision.notifies for decision in decisions if decision.step is not Step.NOTHING)
    assert state is not None
    assert state.first_end == minute(405)


def test_two_hundred_columns_close_as_one_does() -> None:
    """Columns that are restless now and then, each at another time, do not keep each other open."""
    names = [f"column_{number:03}" for number in range(200)]
    windows = [shows(0, dict.fromkeys(names, W))]
    for end in range(5, 90, 5):
        late = {name: SURE for number, name in enumerate(names) if number % 10 == (end // 5) % 10}
        windows.append(shows(end, restless=late if end < 60 else None))
    state, decisions = play(windows)
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.status is IncidentStatus.RESOLVED


def test_changes_that_are_over_leave_nothing_open() -> None:
    """Three hours of 1 standard deviation, then quiet: closed within three of the shortest windows at every tier."""
    windows = windows_of([Change(start=600, stop=780, shift=1.0)], lengths=(10, 60, 240, 1440), step=5, until=3000)
    state, decisions = play(list(windows))
    assert [step for step in steps(decisions) if step != "escalated"] == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end is not None
    assert state.resolved_end <= minute(780 + 30)


OF_BEFORE = {
    "id": "00000000-0000-5000-8000-000000000000",
    "kind": "drift",
    "version": "1",
    "status": "open",
    "tier": 2,
    "first_end": minute(0),
    "opened_end": minute(0),
    "last_end": minute(20),
    "worst": 2,
    "told": 2,
    "retired": False,
    "resolved_end": None,
    "ends": {"10": minute(20), "60": minute(20)},
    "holds": {
        "10": {
            "tier": 2,
            "bad_end": minute(10),
            "calm": [1, 1, 1],
            "calm_ends": [minute(20), minute(20), minute(20)],
            "findings": [msgspec.to_builtins(finding(A, column="age")), msgspec.to_builtins(finding(W))],
            "moved": ["age", "income"],
        },
        "60": {
            "tier": 1,
            "bad_end": minute(20),
            "calm": [0, 0, 0],
            "calm_ends": [0, 0, 0],
            "findings": [msgspec.to_builtins(finding(W))],
            "moved": ["income"],
        },
    },
}


def of_before() -> IncidentState:
    return decode_state(msgspec.json.encode(OF_BEFORE).decode())


def test_an_incident_of_the_program_before_goes_on_where_it_was() -> None:
    """Its columns are those of its findings; one calm window is counted already; nobody is notified again."""
    state, decisions = play([shows(25, {"age": A, "income": W}, length=60)], state=of_before())
    assert steps(decisions) == []
    assert state is not None
    assert state.columns == {"age", "income"}
    state, decisions = play([shows(30), shows(90, length=60), shows(150, length=60)], state=of_before())
    assert steps(decisions) == ["resolved"]


def test_a_column_that_joins_an_incident_of_the_program_before_is_news() -> None:
    """What it had found or listed is known; another column is not."""
    state, decisions = play([shows(30, {"age": A, "income": W}), shows(60, {"city": W})], state=of_before())
    assert steps(decisions) == ["joined"]
    assert decisions[-1].joined == ("city",)
    assert state is not None


def test_the_program_before_can_go_on_with_what_is_stored() -> None:
    """Every key that it reads is there with its meaning; calm windows are those of the column with the fewest."""
    state = opened(shows(0, {"age": C, "income": W}), shows(10, {"income": W}))
    stored = msgspec.json.decode(encode_state(state).encode())
    assert set(OF_BEFORE) <= set(stored)
    hold = stored["holds"]["10"]
    assert set(OF_BEFORE["holds"]["10"]) <= set(hold)  # type: ignore[index]
    assert (hold["tier"], hold["calm"], hold["bad_end"]) == (3, [0, 1, 1], minute(10))
