"""Episodes, bounds and delays on time lines small enough to check by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import poisson

from benchmarks.detection.episodes import Alarm, Episode, Message, runs_of
from benchmarks.detection.measures import (
    change_result_of,
    detection_of,
    fall_result_of,
    false_alarms_of,
    rate_of,
    second_result_of,
    upper_bound,
)
from benchmarks.detection.stream import HOUR, Change, ChangeKind, Fall

SHIFT = Change(kind=ChangeKind.SHIFT, columns=("c03",), size=1.0, start=10 * HOUR)
ARRIVALS = np.arange(10 * HOUR, 20 * HOUR, HOUR // 100)  # 100 events an hour from the change on


def drift(opened: int, *, alerted: int | None = None, closed: int | None = None, column: str = "c03") -> Episode:
    """Return a drift incident; hours."""
    return Episode(
        kind="drift",
        opened=opened * HOUR,
        alerted=None if alerted is None else alerted * HOUR,
        closed=None if closed is None else closed * HOUR,
        columns=(column,),
    )


def test_a_run_of_alarming_windows_is_one_episode() -> None:
    """
    hour      1  2  3  4  5  6  7
    flags     .  a  b  .  .  c  c
    episodes     <---->      <---   (open at the end)
    """
    flags = [(), ("a",), ("b",), (), (), ("c",), ("c",)]
    runs = runs_of([Alarm(end=hour * HOUR, columns=flag) for hour, flag in enumerate(flags, start=1)])
    assert [(value.opened // HOUR, value.closed, value.columns) for value in runs] == [
        (2, 4 * HOUR, ("a",)),
        (6, None, ("c",)),
    ]


def test_no_window_and_no_alarm_are_no_episode() -> None:
    """Neither an empty stream nor a quiet one has episodes."""
    assert runs_of([]) == ()
    assert runs_of([Alarm(end=HOUR, columns=())]) == ()


def test_the_delay_is_counted_in_events_since_the_change() -> None:
    """
    hour      8    10        12     14   16
              (x)  change    warn   alert closed
    events         0         200    400
    """
    before = drift(8, closed=9)
    result = change_result_of(SHIFT, [before, drift(12, alerted=14, closed=16)], arrivals=ARRIVALS)
    assert (result.warning_events, result.alert_events) == (200.0, 400.0)
    assert result.typed
    assert result.named_first
    assert result.episodes == 1
    assert false_alarms_of(SHIFT.start, [before, drift(12)]) == (before,)
    assert false_alarms_of(None, [before, drift(12)]) == (before, drift(12))


def test_an_episode_of_another_kind_or_column_is_distinguished() -> None:
    """A broken field that is reported as drift is not typed; the wrong column first is not named."""
    fault = Change(kind=ChangeKind.MISSING, columns=("c01",), size=0.05, start=10 * HOUR)
    result = change_result_of(fault, [drift(11, column="c01")], arrivals=ARRIVALS)
    assert not result.typed
    assert math.isinf(result.warning_events)
    assert not change_result_of(SHIFT, [drift(11, column="c00")], arrivals=ARRIVALS).named_first


def test_a_change_that_was_not_detected_is_infinitely_late() -> None:
    """Half of the runs missed: recall one half, the median is the last detected one, the 90th percentile infinite."""
    missed = change_result_of(SHIFT, [], arrivals=ARRIVALS)
    seen = change_result_of(SHIFT, [drift(12)], arrivals=ARRIVALS)
    measured = detection_of([missed, seen])
    assert measured.recall == 0.5
    assert measured.alert_recall == 0.0
    assert measured.median_warning == 200.0
    assert math.isinf(measured.ninetieth_warning)
    assert math.isinf(detection_of([missed, missed, seen]).median_warning)


def test_time_to_close_counts_from_the_end_of_the_change() -> None:
    """Over at hour 12, closed at 16: four hours; never closed is infinite; without an end or incident there is none."""
    over = Change(kind=ChangeKind.SHIFT, columns=("c03",), size=1.0, start=10 * HOUR, stop=12 * HOUR)
    assert change_result_of(over, [drift(11, closed=16)], arrivals=ARRIVALS).close_hours == 4.0
    assert change_result_of(over, [drift(11)], arrivals=ARRIVALS).close_hours == math.inf
    assert change_result_of(SHIFT, [drift(11, closed=16)], arrivals=ARRIVALS).close_hours is None
    assert change_result_of(over, [], arrivals=ARRIVALS).close_hours is None


@pytest.mark.parametrize("count", [0, 1, 7])
def test_the_bound_is_where_so_few_would_be_seen_once_in_twenty(count: int) -> None:
    """At a rate equal to the bound, *count* or fewer episodes have a probability of exactly 5 %."""
    assert poisson.cdf(count, upper_bound(count, 1.0)) == pytest.approx(0.05, abs=1e-12)


def test_thirty_thousand_quiet_evaluations_show_a_tenth_per_thousand() -> None:
    """3.0 / 30,000 is under 0.1 per 1000; 29,000 evaluations are not enough; none is no bound at all."""
    assert rate_of(0, evaluations=30_000, days=13).per_thousand_bound < 0.1
    assert rate_of(0, evaluations=29_000, days=13).per_thousand_bound > 0.1
    assert math.isinf(rate_of(0, evaluations=0, days=1).per_thousand_bound)


def test_an_incident_that_opens_again_returned_and_is_held_until_its_last_close() -> None:
    """
    hour      10  11    12        14   15   16   17
              change     over
              open <--------------->   <--------->   (and once more inside, under the same id)
    """
    over = Change(kind=ChangeKind.SHIFT, columns=("c03",), size=1.0, start=10 * HOUR, stop=12 * HOUR)
    first = replace(drift(11, closed=14), reopened=1)
    result = change_result_of(over, [first, drift(15, closed=17)], arrivals=ARRIVALS)
    assert (result.close_hours, result.held_hours, result.returns) == (5.0, 3.0, 2)
    stays_open = change_result_of(over, [drift(11)], arrivals=ARRIVALS)
    assert (stays_open.held_hours, stays_open.returns) == (math.inf, 0)
    assert detection_of([result, stays_open]).ninetieth_held_hours == math.inf
    assert change_result_of(SHIFT, [drift(11, closed=14)], arrivals=ARRIVALS).held_hours is None


def test_people_are_notified_of_a_second_change_by_the_first_message_that_names_its_column() -> None:
    """
    hour      9           10        11            12            13
              c03 (x)     change    c00           c00, c03      resolved, c03
    """
    messages = (
        Message(at=9 * HOUR, tier=1, columns=("c03",)),
        Message(at=11 * HOUR, tier=2, columns=("c00",)),
        Message(at=12 * HOUR, tier=2, columns=("c00", "c03")),
        Message(at=13 * HOUR, tier=0, columns=("c03",), resolved=True),
    )
    open_incident = replace(drift(8, column="c00"), messages=messages)
    assert second_result_of(SHIFT, [open_incident], arrivals=ARRIVALS).notified_events == 200.0
    others = replace(open_incident, messages=(messages[1], messages[3]))
    assert math.isinf(second_result_of(SHIFT, [others], arrivals=ARRIVALS).notified_events)
    quality = replace(open_incident, kind="data_quality")
    assert math.isinf(second_result_of(SHIFT, [quality], arrivals=ARRIVALS).notified_events)


def test_a_fall_is_notified_until_its_last_truths_are_known() -> None:
    """
    hour      10        12        14      15.5
              0.8       0.6       over    last truths, and an hour
    warning        11
    critical                 13
    """
    fall = Fall(steps=((10 * HOUR, 0.8), (12 * HOUR, 0.6)), stop=14 * HOUR)
    warning, critical = Message(at=11 * HOUR, tier=1), Message(at=13 * HOUR, tier=3)
    late = Message(at=15 * HOUR + HOUR // 2 + 1, tier=3)
    resolved = Message(at=13 * HOUR, tier=0, resolved=True)

    def result(*messages: Message) -> tuple[bool, float, float | None]:
        incident = Episode(kind="performance", opened=11 * HOUR, messages=messages)
        measured = fall_result_of(fall, [incident, replace(drift(11), messages=(critical,))])
        return measured.notified, measured.critical_hours, measured.last_accuracy

    assert result(warning, critical) == (True, 3.0, 0.6)
    assert result(warning) == (True, math.inf, 0.8)
    assert result(late, resolved) == (False, math.inf, None)


def test_a_year_and_a_month_are_their_days() -> None:
    """Two episodes in a year of 365.25 days are two a year and 60 / 365.25 a month; the bounds likewise."""
    rate = rate_of(2, evaluations=1000, days=365.25)
    assert rate.per_year == pytest.approx(2.0)
    assert rate.per_year_bound == pytest.approx(upper_bound(2, 1.0))
    assert rate.per_month == pytest.approx(60 / 365.25)
    assert rate.per_month_bound == pytest.approx(upper_bound(2, 1.0) * 30 / 365.25)
