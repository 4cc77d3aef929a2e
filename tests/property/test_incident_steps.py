"""Properties of `transition` over any sequence of windows of two scales."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerting.incidents.observation import WindowObservation
from alerting.incidents.state import IncidentDecision, Step, encode_state
from tests.unit.alerting.timeline import line, play

LETTERS = st.text(alphabet=".~wac?", max_size=40)
HELD_BACK = st.frozensets(st.integers(0, 80))
AGES = st.sampled_from((60_000, 3_600_000))


def merged(short: str, long: str) -> list[WindowObservation]:
    return sorted([*line(short), *line(long, length=30)], key=lambda window: (window.end, window.length))


def notices(decisions: list[IncidentDecision]) -> list[tuple[str, Step, int]]:
    return [(decision.incident_id, decision.step, decision.window_end) for decision in decisions if decision.notifies]


@given(short=LETTERS, long=LETTERS, held_back=HELD_BACK)
def test_a_step_is_notified_once(short: str, long: str, held_back: frozenset[int]) -> None:
    """No two messages report the same step, tier and incident without another step of that incident between them."""
    _, decisions = play(merged(short, long), inhibited=held_back)
    last: dict[str, tuple[Step, int]] = {}
    for decision in decisions:
        if decision.step is Step.NOTHING:
            continue
        if decision.notifies:
            assert last.get(decision.incident_id) != (decision.step, decision.tier)
            last[decision.incident_id] = (decision.step, decision.tier)
        elif decision.step in (Step.RESOLVED, Step.REOPENED):
            last.pop(decision.incident_id, None)


@given(short=LETTERS, long=LETTERS)
def test_inconclusive_windows_are_as_if_they_were_not(short: str, long: str) -> None:
    """Leaving them out gives the same state and the same steps."""
    windows = merged(short, long)
    state, decisions = play(windows)
    without, fewer = play([window for window in windows if window.conclusive])
    assert state == without
    assert [decision for decision in decisions if decision.reason != "inconclusive"] == fewer


@given(short=LETTERS, long=LETTERS, cut=st.integers(0, 80), held_back=HELD_BACK)
def test_replaying_any_prefix_decides_the_same(short: str, long: str, cut: int, held_back: frozenset[int]) -> None:
    """A stop anywhere, with the state written and read again, changes no decision and no id."""
    windows = merged(short, long)
    whole_state, whole = play(windows, inhibited=held_back)
    half_state, first = play(windows[:cut], inhibited=held_back)
    rest = frozenset(place - cut for place in held_back)
    end_state, second = play(windows[cut:], state=half_state, inhibited=rest)
    assert [*first, *second] == whole
    assert end_state == whole_state


@given(short=LETTERS, long=LETTERS, repeat=st.integers(0, 80))
def test_windows_that_come_again_change_nothing(short: str, long: str, repeat: int) -> None:
    """A crash between evaluation and commit, then the same windows again: nothing moves, nobody is notified."""
    windows = merged(short, long)
    state, _ = play(windows)
    if state is None:
        return
    again, decisions = play(windows[repeat:], state=state)
    assert again is not None
    # `window_ends` may learn of calm windows of another scale from before the opening, which no state held yet
    assert encode_state(msgspec.structs.replace(again, window_ends={})) == encode_state(
        msgspec.structs.replace(state, window_ends={})
    )
    assert notices(decisions) == []


@given(short=LETTERS, long=LETTERS)
def test_an_open_incident_holds_the_highest_tier_held(short: str, long: str) -> None:
    """Open exactly as long as some scale holds it, at that tier; resolved holds nothing."""
    state, _ = play(merged(short, long))
    if state is None:
        return
    held = max((hold.tier for hold in state.holds.values()), default=0)
    assert (state.is_open and held == state.tier > 0) or (not state.is_open and held == 0)


@given(short=LETTERS, long=LETTERS, age=AGES)
def test_only_fresh_windows_notify(short: str, long: str, age: int) -> None:
    """Windows an hour old move the state as fresh ones do, and nobody is notified."""
    state, decisions = play(merged(short, long), age_millis=age)
    fresh_state, _ = play(merged(short, long))
    if age == 3_600_000:
        assert notices(decisions) == []
    if state is not None and fresh_state is not None:
        assert (state.id, state.status, state.tier, state.holds) == (
            fresh_state.id,
            fresh_state.status,
            fresh_state.tier,
            fresh_state.holds,
        )
