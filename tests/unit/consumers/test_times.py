"""Event times in the wrong unit are refused with a sentence that names the unit; no plausible time is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import iso_utc
from monitor.types import DeadLetterReason
from monitor.units import EARLIEST_MILLIS, LATEST_MILLIS, reading
from tests.fakes.records import Bench
from tests.models.credit import START, encoded, prediction_event

SECONDS = START // 1000
AT = iso_utc(START)


def truth(**changes: Any) -> bytes:
    return encoded({"prediction_id": "p-1", "model": "credit", "timestamp": START, "truth": "1"} | changes)


def deployment(**changes: Any) -> bytes:
    return encoded({"model": "credit", "version": "1", "timestamp": START, "stage": "production"} | changes)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (SECONDS, f"found {SECONDS}, which reads as epoch seconds ({AT})"),
        (SECONDS + 0.25, f"found {SECONDS}.25, which reads as epoch seconds ({AT})"),
        (START * 1000, f"which reads as epoch microseconds ({AT})"),
        (START * 1_000_000, f"which reads as epoch nanoseconds ({AT})"),
        (str(SECONDS), f"found '{SECONDS}', which reads as epoch seconds in quotes ({AT})"),
        (str(START), f"found '{START}', which reads as epoch milliseconds in quotes ({AT})"),
        (f"{SECONDS}.25", f"found '{SECONDS}.25', which reads as epoch seconds in quotes ({AT})"),
        (float(START), f"which reads as epoch milliseconds ({AT})"),
        (0, "found 0"),
        (-1, "found -1"),
        (20260601, "found 20260601"),
        ("1e400", "found '1e400'"),
        ("1970-01-01T00:00:00Z", "expected a time since 1973-03-03, found '1970-01-01T00:00:00Z' (0 ms)"),
        (
            iso_utc(SECONDS),
            f"found '{iso_utc(SECONDS)}' ({SECONDS} ms, which reads as epoch seconds ({AT}))",
        ),
    ],
)
def test_a_number_in_another_unit_is_refused_by_name(value: object, named: str) -> None:
    """Predictions, truths (both of their times) and deployments alike; the neighbours count."""
    bench = Bench()
    bench.take_bodies(encoded(prediction_event(1)), encoded(prediction_event(2, timestamp=value)))
    bench.take_bodies(truth(timestamp=value), truth(prediction_timestamp=value), truth(), of_topic="truths")
    bench.take_bodies(deployment(timestamp=value), deployment(), of_topic="deployments")
    letters = bench.pending.dead_letters
    assert [letter.reason for letter in letters] == [DeadLetterReason.MALFORMED] * 4
    fields = ["timestamp", "timestamp", "prediction_timestamp", "timestamp"]
    assert [letter.sentence.split(":")[0] for letter in letters] == fields
    assert all(named in letter.sentence for letter in letters), letters[0].sentence
    assert [bench.counters(topic).counted for topic in ("predictions", "truths", "deployments")] == [1, 1, 1]


@given(st.integers(EARLIEST_MILLIS, LATEST_MILLIS))
def test_no_time_in_milliseconds_reads_as_another_unit(millis: int) -> None:
    """From 1973 to the year 9999."""
    assert reading(millis) == ("milliseconds", millis)


@given(
    st.integers(10**8, 10**11 - 1), st.sampled_from([(1, "seconds"), (10**6, "microseconds"), (10**9, "nanoseconds")])
)
def test_every_unit_reads_as_itself(seconds: int, unit: tuple[int, str]) -> None:
    """From 1973 to 5138; microseconds only from 1978 on, where they are no sentinel in milliseconds."""
    factor, name = unit
    result = reading(seconds * factor)
    if name == "microseconds" and seconds * factor <= LATEST_MILLIS:
        name = "milliseconds"
    assert result is not None
    assert result.unit == name
    assert name == "milliseconds" or result.millis == seconds * 1000


@given(st.one_of(st.integers(-(10**30), 10**8 - 1), st.integers(10**20, 10**30)))
def test_what_fits_no_unit_reads_as_none(value: int) -> None:
    """Zero, negative numbers, calendar numbers like 20260601, and what is beyond nanoseconds."""
    assert reading(value) is None


def test_plausible_times_count_whatever_their_form() -> None:
    """The first and the last millisecond of the calendar's middle, and texts with any zone."""
    bench = Bench()
    times: list[object] = [EARLIEST_MILLIS, iso_utc(EARLIEST_MILLIS), START, "2026-06-01T02:00:00+02:00"]
    bench.take_bodies(*(encoded(prediction_event(number, timestamp=at)) for number, at in enumerate(times)))
    assert (bench.counters().counted, bench.pending.dead_letters) == (4, [])
