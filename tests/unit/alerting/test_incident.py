"""One incident's life, each case with its time line."""

from uuid import UUID

import pytest

from alerting.incidents.state import Reason, Step, decode_state, encode_state, incident_id
from monitor.types import IncidentStatus, Tier
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.timeline import T0, WHO, line, play, steps


def test_an_incident_opens_escalates_calms_and_resolves() -> None:
    """Two disjoint calm windows (10 m long, each 5 m) give up first the higher tier, then the incident."""
    # end (x5 m)      0  1  2  3 | alert is calm at 3 and 5 | warning at 6 and 8
    letters = "w" + "a" + "a" + "www" + "..."
    state, decisions = play(line(letters))
    assert steps(decisions) == ["opened", "escalated", "calmed", "resolved"]
    assert state is not None
    assert state.status is IncidentStatus.RESOLVED
    assert decisions[3].step is Step.NOTHING  # one window below alert is not two
    assert state.resolved_end == T0 + 8 * 5 * MINUTE_MILLIS


def test_overlapping_calm_windows_count_once() -> None:
    """Windows of 10 m every minute: the second that counts ends 10 minutes after the first."""
    #        0 | 1 .. 10 overlap with the first calm one at 1 | 11 is disjoint from it
    state, decisions = play(line("w" + "." * 11, step=1))
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end == T0 + 11 * MINUTE_MILLIS


def test_inside_the_hysteresis_calm_starts_anew() -> None:
    """Neither finding nor calm keeps the incident open and interrupts the count."""
    #                        w . ~ . ~ . ~  never two disjoint calm ones without a break
    state, decisions = play(line("w.~.~.~.~"))
    assert steps(decisions) == ["opened"]
    assert state is not None
    assert state.is_open


@pytest.mark.parametrize("letters", ["w?????????", "w.???????", "?????"])
def test_inconclusive_windows_change_nothing(letters: str) -> None:
    """No data neither opens, advances nor resolves, however long it lasts."""
    _, decisions = play(line(letters))
    assert steps(decisions) == (["opened"] if letters.startswith("w") else [])
    assert not any(decision.notifies for decision in decisions if decision.reason is Reason.INCONCLUSIVE)


def test_inconclusive_windows_do_not_break_the_calm() -> None:
    """Calm, unknown, calm: consecutive among the conclusive ones."""
    _, decisions = play(line("w.??."))
    assert steps(decisions) == ["opened", "resolved"]


def test_every_scale_that_held_it_must_be_calm() -> None:
    """The 10 m scale is calm long before the 60 m scale, which holds the incident too."""
    # 10 m:  w w . . . . . . . . . . . .      lets go at 4
    # 60 m:    w . . . . . . . . . . . . .    lets go at 2 and 14 (disjoint)
    short = line("ww" + "." * 14, length=10)
    long = line(" w" + "." * 14, length=60)
    merged = sorted([*short, *long], key=lambda window: (window.end, window.length))
    state, decisions = play(merged)
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end == T0 + 14 * 5 * MINUTE_MILLIS


def test_a_return_within_keep_firing_for_is_the_same_incident() -> None:
    """Bad again 60 minutes after the resolve: same id, re-opened; 61 minutes after: another one."""
    state, decisions = play(line("w..."))
    assert steps(decisions) == ["opened", "resolved"]
    resolved_end = state.resolved_end if state else None
    assert state is not None
    assert resolved_end is not None
    again, decided = play(line("a", start=resolved_end + 60 * MINUTE_MILLIS), state=state)
    assert steps(decided) == ["re-opened"]
    assert again is not None
    assert again.id == state.id
    other, decided = play(line("a", start=resolved_end + 61 * MINUTE_MILLIS), state=state)
    assert steps(decided) == ["opened"]
    assert other is not None
    assert other.id != state.id


def test_ids_come_from_what_was_decided() -> None:
    """The id is a UUIDv5 of namespace, model, version, kind and first end: known here by value for ever."""
    identifier = incident_id(WHO, first_end=T0)
    assert UUID(identifier).version == 5
    state, _ = play(line("a"))
    assert state is not None
    assert state.id == identifier == "5f53212c-dacf-57f7-b9d8-e794ffb5b5e6"


def test_a_window_is_seen_once_and_never_backwards() -> None:
    """The same window again, or an older one of the scale, is refused as not newer."""
    windows = line("wa")
    state, _ = play(windows)
    after, decisions = play([windows[1], windows[0]], state=state)
    assert after == state
    assert [decision.reason for decision in decisions] == [Reason.NOT_NEWER, Reason.NOT_NEWER]


def test_stale_windows_move_the_state_and_tell_nobody() -> None:
    """Older than max(2 steps, 10 minutes): recorded, not told; told when a fresh window still shows it."""
    state, decisions = play(line("w"), age_millis=10 * MINUTE_MILLIS + 1)
    assert [(decision.step, decision.reason, decision.notifies) for decision in decisions] == [
        (Step.OPENED, Reason.STALE, False)
    ]
    state, decisions = play(line("w", start=T0 + 5 * MINUTE_MILLIS), state=state)
    assert [(decision.step, decision.reason, decision.notifies) for decision in decisions] == [
        (Step.ANNOUNCED, Reason.NO_LONGER_HELD_BACK, True)
    ]
    _, decisions = play(line("w", start=T0 + 10 * MINUTE_MILLIS), state=state)
    assert [decision.notifies for decision in decisions] == [False]


def test_a_broken_field_holds_drift_back_until_it_is_repaired() -> None:
    """Held back while data quality is open, with the reason; announced with the first window after."""
    _, decisions = play(line("aaaa"), inhibited=frozenset({0, 1, 2}))
    assert [
        (decision.step, decision.reason, decision.notifies)
        for decision in decisions
        if decision.step is not Step.NOTHING
    ] == [
        (Step.OPENED, Reason.INHIBITED_BY_DATA_QUALITY, False),
        (Step.ANNOUNCED, Reason.NO_LONGER_HELD_BACK, True),
    ]


def test_good_news_goes_to_those_who_had_the_bad() -> None:
    """An incident nobody was told of resolves without a word."""
    state, _ = play(line("w"), inhibited=frozenset({0}))
    _, decisions = play(line("....", start=T0 + 5 * MINUTE_MILLIS), state=state)
    assert [(decision.step, decision.notifies) for decision in decisions if decision.step is Step.RESOLVED] == [
        (Step.RESOLVED, False)
    ]


def test_a_sine_around_the_threshold_is_one_incident_per_keep_firing_for() -> None:
    """Half an hour bad, half an hour calm, for two days: every return comes within keep_firing_for, so one id."""
    windows = line(("wwwwww" + "......") * 48)
    state, decisions = play(windows)
    assert len({decision.incident_id for decision in decisions}) == 1
    assert steps(decisions).count("opened") == 1
    assert state is not None


def test_a_slow_sine_is_a_new_incident_each_time() -> None:
    """Calm for longer than keep_firing_for between two bad spells: as many incidents as spells."""
    _, decisions = play(line(("wwww" + "." * 20) * 5))
    assert len({decision.incident_id for decision in decisions if decision.step is Step.OPENED}) == 5


def test_the_state_survives_its_own_encoding() -> None:
    """Canonical JSON: what is read back is equal and encodes to the same bytes."""
    state, _ = play(line("wac.w?"))
    assert state is not None
    encoded = encode_state(state)
    assert decode_state(encoded) == state
    assert encode_state(decode_state(encoded)) == encoded
    assert state.tier is Tier.CRITICAL
