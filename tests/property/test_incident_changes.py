"""Any sequence of real changes, seen by windows of four scales: each is notified once, and each incident ends."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.incidents.state import Step
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.columns import Change, minute, windows_of
from tests.unit.alerting.timeline import play

LENGTHS = (10, 30, 120, 480)
STEP = 5
BEGINS = (Step.OPENED, Step.REOPENED)


@st.composite
def one_column(draw: st.DrawFn, shortest: int = 1) -> list[Change]:
    """Up to five changes of one column, each of *shortest* minutes or more, at least half an hour apart."""
    changes, at = [], 30
    for _ in range(draw(st.integers(1, 5))):
        start = at + draw(st.integers(0, 200))
        stop = start + draw(st.integers(shortest, 300))
        changes.append(Change(start=start, stop=stop, shift=draw(st.sampled_from((0.2, 0.4, 0.6, 1.0, 2.0)))))
        at = stop + 30
    return changes


@settings(deadline=None)
@given(changes=one_column())
def test_a_change_opens_and_resolves_once(changes: list[Change]) -> None:
    """No more openings than changes; what is open in the end is closed within three windows of the longest scale."""
    quiet_until = changes[-1].stop + 3 * max(LENGTHS)
    state, decisions = play(list(windows_of(changes, lengths=LENGTHS, step=STEP, until=quiet_until)))
    begun = [decision for decision in decisions if decision.step in BEGINS]
    resolved = [decision for decision in decisions if decision.step is Step.RESOLVED]
    assert len(begun) <= len(changes)
    assert len(resolved) == len(begun)
    assert state is None or not state.is_open


@settings(deadline=None)
@given(changes=one_column(shortest=20))
def test_a_change_that_ten_minutes_show_ends_ten_minutes_twice_after_it(changes: list[Change]) -> None:
    """Whatever longer windows still hold of it; and the next change, however soon, is notified again."""
    changes = [replace(change, shift=1.0) for change in changes]
    _, decisions = play(list(windows_of(changes, lengths=LENGTHS, step=STEP, until=changes[-1].stop + 60)))
    moves = [decision for decision in decisions if decision.step in (*BEGINS, Step.RESOLVED)]
    assert [decision.step is Step.RESOLVED for decision in moves] == [False, True] * len(changes)
    for change, begun, resolved in zip(changes, moves[::2], moves[1::2], strict=True):
        assert begun.notifies
        assert resolved.notifies
        assert minute(change.start) < begun.window_end <= minute(change.start + 15)
        assert resolved.window_end <= minute(change.stop) + 25 * MINUTE_MILLIS


@settings(deadline=None)
@given(first=st.integers(60, 400), later=st.integers(60, 1000), shift=st.sampled_from((0.4, 0.6, 1.0)))
def test_a_change_of_another_column_is_always_notified(first: int, later: int, shift: float) -> None:
    """While the first is open, right after it or long after: some message names the second column."""
    changes = [
        Change(start=60, stop=60 + first, shift=1.0, column="age"),
        Change(start=60 + later, stop=60 + later + 600, shift=shift, column="city"),
    ]
    state, named = None, False
    for window in windows_of(changes, lengths=LENGTHS, step=STEP, until=60 + later + 600):
        state, decisions = play([window], state=state)
        if any(decision.notifies for decision in decisions) and state is not None:
            named = named or "city" in {finding.column for finding in state.findings}
    assert named
