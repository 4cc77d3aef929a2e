"""A producer's clock that is ahead: the second bound, where producers date the records, and whom it is asked of."""

from typing import Any

import pytest

from monitor.clock import iso_utc
from monitor.errors import UnavailableError
from monitor.types import DeadLetterReason
from tests.fakes.records import Bench, FakeClock
from tests.models.credit import START, encoded, prediction_event

MAX_FUTURE = 300_000
LATER = START + 730 * 24 * 3_600_000


def body(topic: str, number: int, at: int) -> bytes:
    match topic:
        case "predictions":
            return encoded(prediction_event(number, at=at))
        case "truths":
            truth = {"prediction_id": f"p-{number}", "model": "credit", "timestamp": iso_utc(at), "truth": "1"}
            return encoded(truth)
        case _:
            return encoded({"model": "credit", "version": "1", "timestamp": iso_utc(at), "stage": "production"})


@pytest.mark.parametrize("topic", ["predictions", "truths", "deployments"])
def test_what_its_producer_dates_is_held_against_the_databases_clock(topic: str) -> None:
    """Up to five minutes ahead of it counts; a millisecond more is a dead letter that moves nothing.

    ::

        clock of the database     START
        event and its record      START, +5 min, +5 min 1 ms, +730 days
    """
    bench = Bench()
    bench.clock.now = START
    for number, at in enumerate((START, START + MAX_FUTURE, START + MAX_FUTURE + 1, LATER)):
        bench.take_bodies(body(topic, number, at), stamp=at, of_topic=topic)
    assert bench.counters(topic).counted == 2
    letters = bench.pending.dead_letters
    assert [letter.reason for letter in letters] == [DeadLetterReason.FUTURE] * 2
    sentence = f"the database's clock when it was first read, {iso_utc(START)}, found {iso_utc(LATER)}"
    assert sentence in letters[1].sentence
    (state,) = [partition for partition in bench.states.values() if partition.moved]
    assert state.now.max_event_time == START + MAX_FUTURE


def test_a_record_dated_by_the_broker_is_held_against_its_own_timestamp_only() -> None:
    """The decision is a function of the log there, whatever clock reads it."""
    bench = Bench()
    bench.clock.now = START - 10**9
    bench.take_bodies(body("predictions", 1, START), body("predictions", 2, LATER), stamp=START, dated_by_broker=True)
    (letter,) = bench.pending.dead_letters
    assert (letter.offset, bench.counters().counted) == (1, 1)
    assert f"the record's Kafka timestamp {iso_utc(START)}" in letter.sentence
    assert bench.clock.asked == 0


def test_the_database_is_asked_only_where_something_seems_ahead_and_once_a_batch() -> None:
    """Never a record; a machine that slept learns the time from it before it refuses anybody."""

    class Slept(FakeClock):
        def read(self) -> int:
            super().read()
            self.now = LATER
            return LATER

    bench = Bench(clock=Slept(now=START))
    bodies = [body("predictions", number, START + number) for number in range(100)]
    bench.take_bodies(*bodies, stamp=START)
    assert bench.clock.asked == 0
    bench.take_bodies(*(body("predictions", 100 + number, LATER) for number in range(100)), stamp=LATER)
    assert (bench.clock.asked, bench.counters().counted, bench.pending.dead_letters) == (1, 200, [])


def test_a_database_that_is_away_leaves_the_time_as_it_is_known() -> None:
    """Nothing is lost: what is decided so is stored when the database is back, bytes and all."""

    class Away(FakeClock):
        def read(self) -> int:
            raise UnavailableError("Postgres is away")

    bench = Bench(clock=Away(now=START))
    bench.take_bodies(body("predictions", 1, START), body("predictions", 2, LATER), stamp=LATER)
    (letter,) = bench.pending.dead_letters
    assert (letter.value, bench.counters().counted) == (body("predictions", 2, LATER), 1)


def test_a_record_without_a_timestamp_is_held_against_the_clock() -> None:
    """Kafka says -1 where nobody dated the record."""
    bench = Bench()
    bench.clock.now = START
    changes: dict[str, Any] = {"stamp": -1}
    bench.take_bodies(body("predictions", 1, START), body("predictions", 2, LATER), **changes)
    assert (bench.counters().counted, bench.counters().dead) == (1, 1)
