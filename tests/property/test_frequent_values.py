"""A bounded summary of values: what is promised of it holds in any order, batch size and grouping."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.pending_counts import PendingCounts
from monitor.stats.heavy_hitters import EXAMPLES, FrequentValues, frequent_values, merged_values
from tests.fakes.records import Bench
from tests.models.credit import encoded, prediction_event

CAPACITY = 4
VALUES = st.lists(st.integers(0, 12).map(lambda number: f"v{number:02}"), max_size=120)


@st.composite
def summaries_in_any_grouping(draw: st.DrawFn) -> tuple[list[str], FrequentValues]:
    """Draw values, cut them into flushes, and merge the flushes' summaries pair by pair in a drawn order."""
    values = draw(VALUES)
    parts, start = [], 0
    while start < len(values):
        stop = draw(st.integers(start + 1, len(values)))
        room = draw(st.sampled_from([CAPACITY, 2 * CAPACITY]))  # a flush may have had more room
        parts.append(frequent_values(Counter(values[start:stop]), capacity=room))
        start = stop
    while len(parts) > 1:
        first = parts.pop(draw(st.integers(0, len(parts) - 1)))
        second = parts.pop(draw(st.integers(0, len(parts) - 1)))
        parts.append(merged_values([first, second], capacity=CAPACITY))
    return values, merged_values(parts, capacity=CAPACITY)


@given(summaries_in_any_grouping())
def test_total_and_bounds_hold_in_any_order(drawn: tuple[list[str], FrequentValues]) -> None:
    """The total is exact; each count is at most the true one and at most other / (capacity + 1) under it."""
    values, summary = drawn
    true, counts = Counter(values), dict(summary.counts)
    assert summary.total == len(values)
    assert len(counts) == len(summary.counts) <= CAPACITY
    for value in {*true, *counts}:
        assert counts.get(value, 0) <= true[value]
        assert (true[value] - counts.get(value, 0)) * (CAPACITY + 1) <= summary.other


@given(summaries_in_any_grouping())
def test_frequent_values_are_never_lost(drawn: tuple[list[str], FrequentValues]) -> None:
    """A value of more than one (capacity + 1)-th of all occurrences is counted, whatever came in between."""
    values, summary = drawn
    counted = {value for value, count in summary.counts if count}
    assert {value for value, count in Counter(values).items() if count * (CAPACITY + 1) > len(values)} <= counted


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=80), st.data())
def test_few_values_are_counted_exactly(values: list[str], data: st.DataObject) -> None:
    """With no more distinct values than room the summary is the counts themselves, in any order and grouping."""
    expected = frequent_values(Counter(values), capacity=CAPACITY)
    shuffled = data.draw(st.permutations(values))
    cut = data.draw(st.integers(0, len(values)))
    parts = [frequent_values(Counter(part), capacity=CAPACITY) for part in (shuffled[:cut], shuffled[cut:])]
    assert merged_values(parts, capacity=CAPACITY) == expected
    assert expected.other == 0


@given(st.integers(CAPACITY + 1, 60))
def test_many_rare_values_leave_examples(distinct: int) -> None:
    """Values that occur once each leave three of them to look at, not counted, and everything under other."""
    result = frequent_values(Counter(f"v{number:02}" for number in range(distinct)), capacity=CAPACITY)
    assert result == FrequentValues((("v00", 0), ("v01", 0), ("v02", 0)), distinct)
    assert len(result.counts) == EXAMPLES


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["XX", "YY", "DE", True, 7, None]), min_size=1, max_size=40), st.data())
def test_batches_and_flushes_may_be_cut_anywhere(countries: list[object], data: st.DataObject) -> None:
    """However ingest cuts the log into batches and flushes, the merged names of an hour are those of one batch."""
    bodies = [
        encoded(prediction_event(number, features={"amount": 1.0, "age": 30, "country": country}))
        for number, country in enumerate(countries)
    ]
    whole, cut = Bench(), Bench()
    whole.take_bodies(*bodies)
    flushed, start = [], 0
    while start < len(bodies):
        stop = data.draw(st.integers(start + 1, len(bodies)))
        cut.take_bodies(*bodies[start:stop])
        if stop == len(bodies) or data.draw(st.booleans()):
            flushed += [tally.named() for tally in cut.pending.unseen.values()]
            cut.pending = PendingCounts()
        start = stop
    expected = [tally.named() for tally in whole.pending.unseen.values()]
    assert [merged_values(flushed, capacity=20)] == (expected or [FrequentValues()])
