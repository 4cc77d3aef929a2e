"""What closes an incident and what does not, where a version, a scale or a column's values went away."""

from dataclasses import replace

import msgspec

from alerting.incidents.state import IncidentState, Reason, Step
from alerting.incidents.tracker import IncidentTracker, states_by_key
from alerting.incidents.transition import retire
from monitor.types import IncidentKind, Statistic
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.timeline import RULES, T0, WHO, facts, finding, line, play, steps

AT = T0 + 60 * MINUTE_MILLIS


def opened(letters: str = "c", *, kind: IncidentKind = IncidentKind.DRIFT) -> IncidentState:
    state, _ = play(line(letters), who=replace(WHO, kind=kind))
    assert state is not None
    return state


def closed_with_its_version() -> IncidentState:
    state, _ = retire(opened(), window_end=AT, rules=RULES, now_millis=AT)
    return state


def test_late_truths_of_a_version_that_serves_no_more_move_nothing() -> None:
    """Windows of its last hour mature one after the other: none of them opens the incident again."""
    late = [facts("c", T0 + minutes * MINUTE_MILLIS) for minutes in (5, 30, 60)]
    state, decisions = play(late, state=closed_with_its_version())
    assert [(decision.step, decision.reason, decision.notifies) for decision in decisions] == [
        (Step.NOTHING, Reason.NOT_NEWER, False),
    ] * 3
    assert state == closed_with_its_version()


def test_a_version_taken_away_as_bad_stays_marked_until_it_is_seen_to_be_well() -> None:
    """Neither time, nor silence, nor a window inside the hysteresis clears it; a calm window after its return does."""
    state = closed_with_its_version()
    assert state.retired
    unsure, _ = play(line("?~", start=AT + MINUTE_MILLIS), state=state)
    well, _ = play(line(".", start=AT + MINUTE_MILLIS), state=state)
    assert unsure is not None
    assert well is not None
    assert (unsure.retired, well.retired) == (True, False)


def test_an_older_end_does_not_close_what_is_open_now() -> None:
    """Version 1 serves again; a window of the time in which it did not comes with its truths: nothing is closed."""
    state = opened("cc")
    tracker = IncidentTracker(model=WHO.model, rules=RULES, now_millis=AT, states=states_by_key([state]))
    tracker.feed(End(T0 - 60 * MINUTE_MILLIS), retired=frozenset({"1"}))
    assert tracker.open_of("1", IncidentKind.DRIFT) == state
    tracker.feed(End(AT), retired=frozenset({"1"}))
    assert tracker.open_of("1", IncidentKind.DRIFT) is None


class End(msgspec.Struct, frozen=True):
    window_end: int
    evaluations: tuple[()] = ()


def test_whoever_heard_of_it_hears_of_its_end_after_an_outage_too() -> None:
    """The calm windows are an hour old when they are judged: those who were paged are told that it is over."""
    _, decisions = play(line("...", start=AT), state=opened(), age_millis=3_600_000)
    assert [(decision.step, decision.notifies) for decision in decisions if decision.step is not Step.NOTHING] == [
        (Step.RESOLVED, True)
    ]
    _, decisions = play(line("...", start=AT), state=opened(), inhibited=frozenset(range(3)))
    assert [(decision.step, decision.notifies) for decision in decisions if decision.step is not Step.NOTHING] == [
        (Step.RESOLVED, True)
    ]


def test_a_scale_that_the_spec_gave_up_holds_nothing() -> None:
    """Held by 10 m windows, which the new spec has no more; the next window of another scale ends it."""
    rules = replace(RULES, lengths=frozenset({30}))
    _, decisions = play(line(".", length=30, start=AT), state=opened(), rules=rules)
    assert [(decision.step, decision.reason) for decision in decisions] == [(Step.RESOLVED, Reason.SCALE_REMOVED)]
    state, _ = play(line(".", length=30, start=AT), state=opened())
    assert state is not None
    assert state.is_open


def test_a_column_that_fell_silent_is_not_calm() -> None:
    """Other columns are calm; the one that drifted has too few values: open, and calm counts on when it is back."""
    silent = [msgspec.structs.replace(window, unjudged=frozenset({"income"})) for window in line("......", start=AT)]
    state, decisions = play(silent, state=opened())
    assert steps(decisions) == []
    _, decisions = play(line("...", start=AT + 60 * MINUTE_MILLIS), state=state)
    assert steps(decisions) == ["resolved"]


def test_a_missing_share_needs_no_values_to_be_calm() -> None:
    """A sparse column's missing share is of all events: that its values are too few for PSI holds nothing open."""
    missing = finding(kind=IncidentKind.DATA_QUALITY, statistic=Statistic.MISSING)
    broken = msgspec.structs.replace(facts("a", T0), findings=(missing,))
    calm = [msgspec.structs.replace(window, unjudged=frozenset({"income"})) for window in line("...", start=AT)]
    _, decisions = play([broken, *calm], who=replace(WHO, kind=IncidentKind.DATA_QUALITY))
    assert steps(decisions) == ["opened", "resolved"]


def test_a_silent_versions_broken_field_does_not_hold_the_others_back_for_ever() -> None:
    """Open for as long as nothing shows it repaired, but heard of only for twice the scale that saw it (10 m)."""
    state = opened(kind=IncidentKind.DATA_QUALITY)
    tracker = IncidentTracker(model=WHO.model, rules=RULES, now_millis=AT, states=states_by_key([state]))
    assert tracker.quality_open(at=T0 + 20 * MINUTE_MILLIS)
    assert not tracker.quality_open(at=T0 + 21 * MINUTE_MILLIS)
    assert tracker.open_of("1", IncidentKind.DATA_QUALITY) is not None
