"""Who is sent what of a decision, and what a newer message takes over: tables without a database."""

import msgspec
import pytest

from alerting.incidents.state import IncidentDecision, IncidentState, Step
from alerting.notifications.due import action_receivers, due_notices
from alerting.notifications.message import Message, Notice, message
from alerting.notifications.superseding import WaitingMessage, superseding
from monitor.spec.actions import AlertingSpec, ReceiverSpec, ReceiverType
from monitor.store.notified import NotifiedRow
from monitor.types import NoticeEvent, Tier
from tests.unit.alerting.timeline import T0, WHO, line, play

TEAM = ReceiverSpec(name="team", type=ReceiverType.LOG)
PAGER = ReceiverSpec(name="pager", type=ReceiverType.LOG, from_tier="critical")
W, A, C = Tier.WARNING, Tier.ALERT, Tier.CRITICAL


def decided(letters: str, **options: object) -> tuple[IncidentDecision, IncidentState]:
    """Return the last decision of a line of windows, and the incident after it."""
    state, decisions = play(line(letters), **options)  # type: ignore[arg-type]  # as `play` has them
    assert state is not None
    return decisions[-1], state


def standing(*tiers: tuple[ReceiverSpec, Tier]) -> dict[str, NotifiedRow]:
    """Return what receivers were sent before, at which tiers."""
    return {
        receiver.name: NotifiedRow(
            incident_id="", receiver=receiver.name, sequence=1, tier=tier, event=NoticeEvent.TRIGGER, outbox_id=None
        )
        for receiver, tier in tiers
    }


@pytest.mark.parametrize(
    ("letters", "before", "expected"),
    [
        pytest.param("w", standing(), ["team trigger opened"], id="below the pager's tier"),
        pytest.param("c", standing(), ["team trigger opened", "pager trigger opened"], id="for both"),
        pytest.param("wc", standing((TEAM, W)), ["team update escalated", "pager trigger escalated"], id="escalated"),
        pytest.param("ww", standing((TEAM, W)), [], id="as it was"),
        pytest.param(
            "cc", standing((TEAM, C)), ["pager trigger announced"], id="a receiver that the spec has only now"
        ),
        pytest.param(
            "ww", standing((TEAM, C), (PAGER, C)), ["team update calmed", "pager update calmed"], id="held back"
        ),
        pytest.param("w....", standing((TEAM, W)), ["team end resolved"], id="the end"),
        pytest.param("w....", standing((TEAM, W), (PAGER, C)), ["team end resolved", "pager end resolved"], id="ends"),
        pytest.param("w.", standing(), [], id="no finding, nobody is notified for the first time"),
        pytest.param("w?", standing((TEAM, C)), [], id="inconclusive"),
    ],
)
def test_what_was_sent_is_compared_with_what_is_so(
    letters: str, before: dict[str, NotifiedRow], expected: list[str]
) -> None:
    """The receivers are team, from warning on, and pager, from critical on."""
    decision, state = decided(letters)
    due = due_notices(before, (TEAM, PAGER), decision, state)
    assert [f"{notice.receiver} {notice.event} {notice.decision.step}" for notice in due] == expected


@pytest.mark.parametrize(
    ("letters", "expected"),
    [pytest.param("cw", [], id="a window"), pytest.param("c....", ["team"], id="an end")],
)
def test_an_old_window_sends_nothing_but_an_end(letters: str, expected: list[str]) -> None:
    """An hour after it ended."""
    decision, state = decided(letters, age_millis=3_600_000)
    due = due_notices(standing((TEAM, A)), (TEAM, PAGER), decision, state)
    assert [notice.receiver for notice in due] == expected


@pytest.mark.parametrize(
    ("tier", "waits", "expected"),
    [(A, False, {"team"}), (C, False, {"team", "pager"}), (A, True, {"team"})],
)
def test_an_action_has_receivers_of_its_own_tier(tier: Tier, waits: bool, expected: set[str]) -> None:
    """Whatever the steps next to it are."""
    assert action_receivers((TEAM, PAGER), tier, waits=waits) == expected


def test_what_waits_for_approval_reaches_somebody() -> None:
    """It would expire unseen where everyone is notified from critical on."""
    assert action_receivers((PAGER,), A, waits=False) == frozenset()
    assert action_receivers((PAGER,), A, waits=True) == {"pager"}


def said(*incidents: tuple[str, str, int], event: NoticeEvent = NoticeEvent.TRIGGER) -> Message:
    """Return a message of incidents: id, letter of the window, number."""
    notices = []
    for identifier, letter, number in incidents:
        decision, state = decided(letter)
        state = msgspec.structs.replace(state, id=identifier)
        notices.append(Notice(decision=decision, state=state, changed=None, sequence=number, event=event))
    return message(model=WHO.model, alerting=AlertingSpec(), window_end=T0, now_millis=T0, notices=notices, actions=())


def test_a_newer_message_takes_over_what_nobody_else_would_say() -> None:
    """Of two that wait, one shares an incident with it: its other incident and its tier go into the newer one."""
    newer = said(("x", "w", 3), event=NoticeEvent.UPDATE)
    waiting = [
        WaitingMessage("1", said(("x", "a", 2), ("y", "c", 1)), since=T0),
        WaitingMessage("2", said(("z", "c", 1)), since=T0),
    ]
    merged, outdated = superseding(newer, waiting)
    assert [old.id for old in outdated] == ["1"]
    assert {(part.id, part.sequence, part.tier) for part in merged.incidents} == {
        ("x", 3, "warning"),
        ("y", 1, "critical"),
    }
    assert merged.tier == "critical"
    assert next(part.event for part in merged.incidents if part.id == "x") is NoticeEvent.TRIGGER
    assert merged.type == f"model.incident.{Step.OPENED}"


def test_an_end_stays_an_end() -> None:
    """Though the trigger may never have arrived; then it says of what it is, which the trigger would have said."""
    decision, state = decided("c....")
    closed = msgspec.structs.replace(state, id="x")
    end = Notice(decision=decision, state=closed, changed=None, sequence=2, event=NoticeEvent.END)
    newer = message(model=WHO.model, alerting=AlertingSpec(), window_end=T0, now_millis=T0, notices=[end], actions=())
    trigger = said(("x", "c", 1))
    merged, _ = superseding(newer, [WaitingMessage("1", trigger, since=T0)])
    assert [(part.event, part.sequence) for part in merged.incidents] == [(NoticeEvent.END, 2)]
    assert newer.incidents[0].what == ()
    assert merged.incidents[0].what == trigger.incidents[0].what != ()
    assert (merged.type, merged.tier, merged.sentence) == (newer.type, newer.tier, newer.sentence)
