"""The soak's verdict on refused records: what it lets pass, and that it can fail."""

from collections import Counter
from dataclasses import replace

import pytest

from monitor.settings import Settings
from tests.soak.compare import Compared
from tests.soak.dead_letters import Content, RefusedOf, StoredRefusals, compare_refusals
from tests.soak.installation import Tally
from tests.soak.plan import SoakPlan
from tests.soak.report import SoakReport

SETTINGS = Settings(dead_letter_bytes_per_hour=1000)
POISON, PARKED = ("predictions", 0, 7), ("predictions", 1, 3)
REFUSED = {POISON: "malformed", PARKED: "parked"}
SENT: dict[tuple[str, int, int], Content] = {POISON: ("malformed", 1, "f00d"), PARKED: ("parked", 2, "beef")}
MALFORMED = RefusedOf(reason="malformed", records=1, kept=1, fullest=301)
WAITING = RefusedOf(reason="parked", records=1, kept=1, fullest=302)
STORED = StoredRefusals(counts=(MALFORMED, WAITING), letters=SENT)


def compared(stored: StoredRefusals, *, sent: dict[tuple[str, int, int], Content] = SENT) -> dict[str, Compared]:
    """Return what is not equal, by what it is."""
    result = compare_refusals(REFUSED, sent, stored, SETTINGS)
    return {value.what: value for value in result if not value.is_equal}


def test_what_was_refused_is_counted_and_kept() -> None:
    assert compared(STORED) == {}


def test_a_refused_record_that_nobody_counted_is_lost() -> None:
    """It is no dead letter either, so nothing else would show it."""
    stored = StoredRefusals(counts=(WAITING,), letters={PARKED: SENT[PARKED]})
    result = compared(stored, sent={PARKED: SENT[PARKED]})
    assert {what: (comparison.lost, comparison.doubled) for what, comparison in result.items()} == {
        "records refused": (1, 0)
    }
    assert result["records refused"].examples == ("malformed: +1 short",)


def test_a_refused_record_that_is_counted_twice_is_doubled() -> None:
    stored = replace(STORED, counts=(replace(MALFORMED, records=2, fullest=1000), WAITING))
    assert {what: (comparison.lost, comparison.doubled) for what, comparison in compared(stored).items()} == {
        "records refused": (0, 1)
    }


def test_a_dead_letter_with_another_body_differs() -> None:
    stored = replace(STORED, letters={**SENT, POISON: ("malformed", 1, "dead")})
    assert {what: comparison.differing for what, comparison in compared(stored).items()} == {
        "dead letters kept, as they were sent": 1
    }


def test_a_dead_letter_of_a_record_that_was_good_is_too_much() -> None:
    """Its counters say the same, and still nothing in the topics is refused there."""
    letters = {**SENT, ("predictions", 0, 8): ("malformed", 1, "f00d")}
    stored = StoredRefusals(counts=(replace(MALFORMED, records=2, kept=2), WAITING), letters=letters)
    result = compared(stored)
    assert {what: comparison.doubled for what, comparison in result.items()} == {
        "records refused": 1,
        "dead letters kept, as they were sent": 1,
    }


def test_a_dead_letter_that_its_counter_does_not_know_is_too_much() -> None:
    stored = replace(STORED, counts=(replace(MALFORMED, kept=0, fullest=1000), WAITING))
    assert {what: comparison.doubled for what, comparison in compared(stored).items()} == {
        "dead letters kept, by their counters": 1
    }


@pytest.mark.parametrize(("fullest", "lost"), [(999, 1), (1000, 0)])
def test_only_a_full_hour_may_leave_a_dead_letter_out(fullest: int, lost: int) -> None:
    stored = StoredRefusals(
        counts=(replace(MALFORMED, kept=0, fullest=fullest), WAITING), letters={PARKED: SENT[PARKED]}
    )
    result = compared(stored, sent={PARKED: SENT[PARKED]})
    assert sum(comparison.lost for comparison in result.values()) == lost


def test_a_partition_that_stopped_by_itself_fails_the_soak() -> None:
    calm = SoakReport(plan=SoakPlan(), sent=Counter(), tally=Tally(), fenced=0, unsettled="", compared=())
    assert calm.is_clean
    stopped = replace(calm, tally=Tally(stopped=["predictions[2]: log is shorter than we read"]))
    assert not stopped.is_clean
    assert "stopped by itself: predictions[2]: log is shorter than we read" in stopped.lines()
    assert "NOT what was promised" in stopped.lines()[-1]
