"""What is refused is counted, and kept as dead letters only as far as there is room in the hour."""

from typing import Any

import pytest

from monitor.store.refused_counts import NO_NAME, OTHER_NAMES, KeptBytes
from monitor.types import DeadLetterReason, ModelKey
from monitor.units import HOUR_MILLIS
from tests.fakes.records import Bench
from tests.models.credit import START, encoded, prediction_event

CREDIT = ModelKey("default", "credit")
BIG = b"{" + b" " * 999  # a thousand bytes of no event


def refused(bench: Bench) -> dict[tuple[str, str], tuple[int, int]]:
    """Records and letters kept by reason and name."""
    return {
        (reason.value, model.name): (tally.records, tally.kept)
        for (reason, model), tally in bench.pending.refused.items()
    }


def unknown(name: str) -> bytes:
    return encoded(prediction_event(1, model=name))


def test_over_the_room_of_an_hour_records_are_only_counted() -> None:
    """Ten letters of 1,300 bytes with their row have room; the eleventh and all after are numbers."""
    bench = Bench(dead_letter_bytes_per_hour=13_000)
    bench.take_bodies(*[BIG] * 500)
    assert refused(bench) == {("malformed", ""): (500, 10)}
    assert len(bench.pending.dead_letters) == 10
    tally = bench.pending.refused[DeadLetterReason.MALFORMED, NO_NAME]
    assert (tally.bytes, tally.kept_bytes) == (500_000, 13_000)
    assert bench.counters().dead == 500


def test_short_records_take_the_room_of_their_row() -> None:
    """A flood of single bytes is no way around the bound."""
    bench = Bench(dead_letter_bytes_per_hour=3_010)
    bench.take_bodies(*[b"x"] * 5_000)
    assert refused(bench) == {("malformed", ""): (5_000, 10)}


def test_each_reason_and_model_has_room_of_its_own_and_all_together_a_bound() -> None:
    """One producer's flood leaves room for another's few; the total stops them all."""
    bench = Bench(dead_letter_bytes_per_hour=2_600)
    late = encoded(prediction_event(1, timestamp="yesterday"))
    bench.take_bodies(*[BIG] * 50, *[late] * 50)
    assert refused(bench) == {("malformed", ""): (50, 2), ("malformed", "credit"): (50, pytest.approx(4, abs=1))}
    full = Bench(dead_letter_bytes_per_hour=2_600, dead_letter_total_bytes_per_hour=1_300)
    full.take_bodies(*[BIG] * 50, *[late] * 50)
    assert refused(full) == {("malformed", ""): (50, 1), ("malformed", "credit"): (50, 0)}


def test_what_the_database_says_is_kept_already_counts_and_a_new_hour_begins_at_zero() -> None:
    """Other workers fill the same hour; by the next one there is room again."""
    now = [START]
    bench = Bench(clock_millis=lambda: now[0], dead_letter_bytes_per_hour=2_600)
    bench.take_bodies(BIG)
    bench.flushed(kept=KeptBytes(total=2_600, by_key={(DeadLetterReason.MALFORMED, NO_NAME): 2_600}))
    bench.take_bodies(BIG)
    assert refused(bench) == {("malformed", ""): (1, 0)}
    now[0] += HOUR_MILLIS
    bench.take_bodies(BIG)
    assert refused(bench) == {("malformed", ""): (2, 1)}


def test_records_that_are_to_come_back_have_more_room() -> None:
    """Parked ones, and those of a stopped model, are good records that somebody still has to decide about."""
    bench = Bench(dead_letter_bytes_per_hour=0, parked_bytes_per_hour=1 << 20, dead_letter_minimum=1)
    bench.take_bodies(unknown("nobody"), encoded(prediction_event(1, timestamp="yesterday")), *[unknown("nobody")] * 8)
    bench.take_bodies(encoded(prediction_event(2)))
    assert refused(bench) == {
        ("parked", "nobody"): (9, 9),
        ("malformed", "credit"): (1, 0),
        ("model_stopped", "credit"): (1, 1),
    }


@pytest.mark.parametrize(
    ("policy", "reason", "kept"),
    [("park", "parked", 3), ("reject", "unknown_model", 3), ("discover", "unknown_model", 0)],
)
def test_a_model_nobody_applied_is_met_by_the_policy(policy: str, reason: str, kept: int) -> None:
    """Kept to be counted later, kept to be looked at, or a number only; its name is listed in each case."""
    bench = Bench(unknown_model=policy)
    bench.take_bodies(*[unknown("nobody")] * 3)
    assert refused(bench) == {(reason, "nobody"): (3, kept)}
    assert bench.pending.discovered == {ModelKey("default", "nobody"): 3}
    assert {letter.reason.value for letter in bench.pending.dead_letters} == ({reason} if kept else set())
    assert bench.counters().dead == 3


def test_names_that_producers_make_up_are_listed_to_a_hundred() -> None:
    """Ten thousand models: a hundred names and `other`; the letters themselves keep the true name."""
    bench = Bench()
    bench.take_bodies(*(unknown(f"m{number:04d}") for number in range(10_000)))
    assert len(bench.pending.refused) == 101
    assert len(bench.pending.discovered) == 101
    assert bench.pending.discovered[OTHER_NAMES] == 9_900
    assert bench.pending.dead_letters[-1].model == ModelKey("default", "m9999")


def test_a_second_counting_gives_the_same_letters() -> None:
    """A batch that is counted again, after a roll-back, buries the same ones."""

    def buried(bench: Bench) -> Any:
        bench.take_bodies(*[BIG] * 50, unknown("nobody"))
        result = bench.pending.dead_letters, refused(bench)
        bench.rolled_back()
        return result

    bench = Bench(dead_letter_bytes_per_hour=13_000)
    assert buried(bench) == buried(bench)
