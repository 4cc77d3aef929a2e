"""One incident's life, each case with its time line."""

import json
from dataclasses import replace
from uuid import UUID

import msgspec
import pytest

from alerting.incidents.state import IncidentState, Reason, Step, decode_state, encode_state, incident_id
from alerting.incidents.transition import end_by_deployment
from monitor.types import IncidentKind, IncidentStatus, Statistic, Tier
from monitor.units import MINUTE_MILLIS
from tests.unit.alerting.timeline import RULES, T0, WHO, facts, finding, line, play, steps

AT = T0 + 60 * MINUTE_MILLIS


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


def test_a_window_inside_the_hysteresis_restarts_the_calm_count() -> None:
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
    """The 60 m scale lets go after 2 h; the 10 m scale, which is not calm in between, holds the incident still."""
    # 60 m:  w . . . . . . . . . . . . .              lets go at 1 and 13 (disjoint)
    # 10 m:  w ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ . . .      lets go at 15 and 17
    short = line("w" + "~" * 14 + "...", length=10)
    long = line("w" + "." * 17, length=60)
    merged = sorted([*short, *long], key=lambda window: (window.end, window.length))
    state, decisions = play(merged)
    assert steps(decisions) == ["opened", "resolved"]
    assert state is not None
    assert state.resolved_end == T0 + 17 * 5 * MINUTE_MILLIS


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


def test_stale_windows_move_the_state_and_notify_nobody() -> None:
    """Older than max(2 steps, 10 minutes): recorded without a notice; notified when a fresh window still shows it."""
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


def test_a_resolution_goes_to_those_who_were_notified() -> None:
    """An incident nobody was notified of resolves without a message."""
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


def opened(letters: str = "c", *, kind: IncidentKind = IncidentKind.DRIFT) -> IncidentState:
    state, _ = play(line(letters), who=replace(WHO, kind=kind))
    assert state is not None
    return state


def closed_with_its_version() -> IncidentState:
    state, _ = end_by_deployment(opened(), Reason.VERSION_RETIRED, window_end=AT, rules=RULES, now_millis=AT)
    return state


def test_late_truths_of_a_version_that_serves_no_more_move_nothing() -> None:
    """Windows of its last hour mature one after the other: none of them opens the incident again."""
    late = [facts("c", T0 + minutes * MINUTE_MILLIS) for minutes in (5, 30, 60)]
    state, decisions = play(late, state=closed_with_its_version())
    assert [(decision.step, decision.reason, decision.notifies) for decision in decisions] == [
        (Step.NOTHING, Reason.NOT_NEWER, False),
    ] * 3
    assert state == closed_with_its_version()


def test_a_version_retired_as_bad_stays_marked_until_it_is_seen_to_be_well() -> None:
    """Neither time, nor silence, nor a window inside the hysteresis clears it; a calm window after its return does."""
    state = closed_with_its_version()
    assert state.retired
    unsure, _ = play(line("?~", start=AT + MINUTE_MILLIS), state=state)
    well, _ = play(line(".", start=AT + MINUTE_MILLIS), state=state)
    assert unsure is not None
    assert well is not None
    assert (unsure.retired, well.retired) == (True, False)


def test_everyone_notified_is_notified_of_the_end_after_an_outage_too() -> None:
    """The calm windows are an hour old when they are judged: those who were paged are notified that it is over."""
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


def test_the_state_survives_its_own_encoding() -> None:
    """Canonical JSON: what is read back is equal and encodes to the same bytes."""
    state, _ = play(line("wac.w?"))
    assert state is not None
    encoded = encode_state(state)
    assert decode_state(encoded) == state
    assert encode_state(decode_state(encoded)) == encoded
    assert state.tier is Tier.CRITICAL


STORED = (
    '{"ends":{"10":120000,"60":60000},"first_end":60000,"holds":{"10":{"bad_end":120000,"calm":[0,0,1],'
    '"calm_ends":[0,0,120000],"findings":[{"bound":0.25,"column":"age","endured":true,"kind":"drift",'
    '"statistic":"psi","threshold":0.2,"tier":2,"value":0.5}],"moved":["age","income"],"tier":2}},'
    '"id":"00000000-0000-5000-8000-000000000000","kind":"drift","last_end":120000,"opened_end":60000,'
    '"resolved_end":null,"retired":false,"status":"open","tier":2,"told":1,"version":"1","worst":3}'
)


def test_an_incident_that_another_build_stored_is_read_and_written_as_it_is() -> None:
    """An unknown key is ignored and its field takes the default: everybody would be notified again."""
    state = decode_state(STORED)
    assert state.notified is Tier.WARNING
    assert state.window_ends == {10: 120_000, 60: 60_000}
    assert state.findings[0].statistic is Statistic.PSI
    before, now = json.loads(STORED), json.loads(encode_state(state))
    assert {key: now[key] for key in before if key != "holds"} == {k: v for k, v in before.items() if k != "holds"}
    assert {key: now["holds"]["10"][key] for key in before["holds"]["10"]} == before["holds"]["10"]
    assert decode_state(encode_state(state)) == state
