"""What people are notified of while an incident stays open: columns that join it, and accuracy that gets worse."""

from dataclasses import replace

import msgspec

from alerting.incidents.state import IncidentDecision, Reason, Step
from alerting.notifications.message import Notice, message_incident, sentence_of
from monitor.types import IncidentKind, Tier
from tests.unit.alerting.columns import Change, minute, shows, windows_of
from tests.unit.alerting.test_closing import accuracy
from tests.unit.alerting.timeline import WHO, play, steps

W, A, C = Tier.WARNING, Tier.ALERT, Tier.CRITICAL
PERFORMANCE = replace(WHO, kind=IncidentKind.PERFORMANCE)


def joins(decisions: list[IncidentDecision]) -> list[tuple[int, tuple[str, ...]]]:
    """Return the minute and the columns of each joining that people were notified of."""
    joined = [decision for decision in decisions if decision.step is Step.JOINED]
    assert all(decision.notifies and decision.reason is Reason.COLUMN_JOINED for decision in joined)
    return [((decision.window_end - minute(0)) // 60_000, decision.joined) for decision in joined]


def test_a_column_that_joins_is_news_once() -> None:
    """`city` is found while `age` holds the incident: one message; the same again is none."""
    windows = [shows(0, {"age": W}), *(shows(end, {"age": W, "city": W}) for end in (10, 20, 30))]
    _, decisions = play(windows)
    assert steps(decisions) == ["opened", "joined"]
    assert joins(decisions) == [(10, ("city",))]


def test_a_second_change_while_the_first_is_open_is_notified() -> None:
    """1 standard deviation on `age` that lasts; 15 hours later half of one on `city` is notified too."""
    changes = [
        Change(start=100, stop=3000, shift=1.0, column="age"),
        Change(start=1000, stop=3000, shift=0.5, column="city"),
    ]
    _, decisions = play(list(windows_of(changes, lengths=(10, 60, 240), step=5, until=1600)))
    ((at, columns),) = joins(decisions)
    assert columns == ("city",)
    assert 1000 < at <= 1020


def test_what_was_listed_as_moved_is_no_news() -> None:
    """People saw the name in the list of columns that moved; it needs no second message."""
    windows = [shows(0, {"age": W}, moved=["age", "city"]), shows(20, {"age": W, "city": W})]
    _, decisions = play(windows)
    assert steps(decisions) == ["opened"]


def test_joining_columns_are_notified_together() -> None:
    """One joins every 5 minutes: a message for each window length of 10 minutes, and none is left out."""
    names = [f"column_{number}" for number in range(8)]
    windows = [shows(5 * place, dict.fromkeys(names[: place + 1], W)) for place in range(8)]
    windows += [shows(45, dict.fromkeys(names, W))]
    _, decisions = play(windows)
    assert joins(decisions) == [
        (10, ("column_1", "column_2")),
        (20, ("column_3", "column_4")),
        (30, ("column_5", "column_6")),
        (45, ("column_7",)),
    ]


def test_what_joined_when_nobody_could_be_notified_is_announced_later() -> None:
    """The window is an hour old, then a field is broken: notified with the first window after both."""
    state, decisions = play([shows(0, {"age": W})])
    state, decisions = play([shows(10, {"age": W, "city": W})], state=state, age_millis=3_600_000)
    assert steps(decisions) == []
    state, decisions = play([shows(20, {"age": W, "city": W})], state=state, inhibited=frozenset({0}))
    assert steps(decisions) == []
    state, decisions = play([shows(30, {"age": W, "city": W})], state=state)
    assert joins(decisions) == [(30, ("city",))]


def test_a_column_that_left_before_it_was_announced_is_not() -> None:
    """It joined and let go while a field was broken: there is nothing to look at."""
    windows = [
        shows(0, {"age": W}),
        shows(10, {"age": W, "city": W}),
        *(shows(end, {"age": W}) for end in (20, 30, 40)),
    ]
    _, decisions = play(windows, inhibited=frozenset({1}))
    assert steps(decisions) == ["opened"]


def test_the_message_begins_with_the_column_that_joined() -> None:
    """Its finding comes first, however small; the sentence names it."""
    state, decisions = play([shows(0, {"age": C}), shows(10, {"age": C, "city": W})])
    assert state is not None
    part = message_incident(WHO.model, Notice(decision=decisions[-1], state=state, changed=None))
    assert part.step == "joined"
    assert [shown.column for shown in part.what] == ["city", "age"]
    assert part.sentence == "credit 1: drift critical (joined: city). city moved."


def test_the_sentence_names_ten_of_many() -> None:
    """Two hundred columns join at once."""
    names = {f"column_{number:03}": W for number in range(200)}
    state, decisions = play([shows(0, {"age": C}), shows(10, {"age": C, **names})])
    assert state is not None
    assert " and 190 more)" in sentence_of(WHO.model, decisions[-1], state.findings)


def test_twenty_steps_down_are_a_few_messages() -> None:
    """Accuracy down from 0.86 to 0.46 in 20 steps: notified at each tier, and whenever the proven drop has doubled."""
    windows = []
    for step in range(20):
        drop = 0.02 * (step + 1)
        tier = C if drop > 0.12 else A if drop > 0.06 else W if drop > 0.03 else Tier.NONE
        windows += [accuracy(60 * step + end, tier, since=60 * step, bound=drop) for end in (10, 20, 30)]
    _, decisions = play(windows, who=PERFORMANCE)
    notified = [decision.step.value for decision in decisions if decision.notifies]
    assert notified == ["opened", "escalated", "escalated", "worsened"]
    assert next(decision.reason for decision in decisions if decision.step is Step.WORSENED) is Reason.TWICE_AS_BAD


def test_a_floor_is_worse_when_errors_have_doubled() -> None:
    """What is proven under a floor of 0.9 is an accuracy of at most 0.88: worse at 0.76, not at 0.8."""
    windows = []
    for end, bound in ((0, 0.88), (10, 0.80), (20, 0.75)):
        window = accuracy(end, C)
        under = tuple(msgspec.structs.replace(drop, bound=bound, threshold=0.9) for drop in window.findings)
        windows.append(msgspec.structs.replace(window, findings=under))
    _, decisions = play(windows, who=PERFORMANCE)
    assert steps(decisions) == ["opened", "worsened"]
    assert decisions[-1].window_end == minute(20)
