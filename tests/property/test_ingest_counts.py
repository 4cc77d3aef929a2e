"""Ingest's numbers depend on the log alone: both ways of counting, any batch size, any way through the decoder."""

import json
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.admission import LatenessBounds, decide_admission
from consumers.decode.times import all_millis
from consumers.histogram import CellCounter
from consumers.identities import RecentIdentities
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole
from monitor.spec.model import ColumnKind
from monitor.store.duplicates import SeenIdentities
from monitor.types import DeadLetterReason
from tests.fakes.records import Bench
from tests.models.credit import START, credit_event, encoded, numeric_cells, prediction_event
from tests.oracle.panes import numeric_hits

EDGES = (-5.0, 0.0, 5e-324, 1.0, float(np.nextafter(1.0, 2.0)), 7.5)
NUMBERS = numeric_cells("x", EDGES, 9.0, ColumnRole.FEATURE)
WORDS = ColumnCells(name="c", kind=ColumnKind.CATEGORICAL, role=ColumnRole.FEATURE, categories=("1", "a", "true"))
LAYOUT = CellsLayout(columns=(NUMBERS, WORDS))
REALS = st.one_of(
    st.sampled_from([*EDGES, 9.0, float(np.nextafter(9.0, 10.0)), -0.0, 1e300, -1e300, 149.0, -146.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([float("nan"), float("inf")]),
)
SCALARS = st.sampled_from(["a", "b", "1", "true", 1, 1.0, True, False, None, 2.5])
ROWS = st.lists(st.tuples(REALS, SCALARS, st.integers(0, 3)), min_size=1, max_size=60)


def brute_force(rows: list[tuple[float, object, int]], group: int) -> list[int]:
    counts = [0] * LAYOUT.size
    numbers, words = LAYOUT.spans
    for value, word, of_group in rows:
        if of_group != group:
            continue
        if np.isnan(value):
            counts[numbers.slots] += 1
        elif np.isinf(value):
            counts[numbers.slots + 1] += 1
        else:
            for place in numeric_hits(NUMBERS, numbers.start, numbers.slots, value):
                counts[place] += 1
        text = {True: "true", False: "false"}[word] if isinstance(word, bool) else str(word).removesuffix(".0")
        if word is None:
            counts[words.slots] += 1
        elif text in WORDS.categories:
            counts[words.start + WORDS.categories.index(text)] += 1
        else:
            counts[words.slots + 4] += 1
    return counts


@given(ROWS)
def test_both_ways_of_counting_equal_brute_force(rows: list[tuple[float, object, int]]) -> None:
    """Sorting the values and searching the edges, or searching each value: the same integers as one by one."""
    columns = (np.array([row[0] for row in rows]), [row[1] for row in rows])
    groups = [np.array([i for i, row in enumerate(rows) if row[2] == g], dtype=np.intp) for g in range(4)]
    expected = [brute_force(rows, group) for group in range(4)]
    counter = CellCounter(LAYOUT)
    for way in (counter.count_by_edges, counter.count_by_values, counter.count):
        targets = [np.zeros(LAYOUT.size, dtype=np.uint32) for _ in groups]
        way(columns, groups, targets)
        assert [target.tolist() for target in targets] == expected


RECORDS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=80
)  # identity, event time, offsets skipped
BOUNDS = LatenessBounds(disorder=2, allowed_lateness=5, max_future=20)


@given(RECORDS, st.data())
def test_the_three_decisions_do_not_depend_on_batch_cuts(
    records: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    """Any cuts, with flushes and roll-backs in between, decide as one record after the other by the definition."""
    horizon = 6
    offsets = np.cumsum([1 + skipped for _, _, skipped in records])
    times = np.array([time for _, time, _ in records])
    stamps = np.full(len(records), 15)
    hashes = np.array([identity for identity, _, _ in records], dtype=np.uint64)
    expected = []
    last: dict[int, int] = {}
    largest = None
    for offset, time, identity in zip(offsets.tolist(), times.tolist(), hashes.tolist(), strict=True):
        if time > 15 + 20:
            expected.append("future")
            continue
        before, last[identity] = last.get(identity), offset
        if before is not None and offset - before <= horizon:
            expected.append("duplicate")
        elif largest is not None and time < largest - 7:
            expected.append("late")
        else:
            expected.append("counted")
            largest = time if largest is None else max(largest, time)
    seen = RecentIdentities(
        SeenIdentities(offsets=np.zeros(0, np.int64), hashes=np.zeros(0, np.uint64)), horizon=horizon
    )
    results: list[str] = []
    newest, start = None, 0
    while start < len(records):
        stop = data.draw(st.integers(start + 1, len(records)))
        for attempt in range(data.draw(st.integers(1, 2))):
            if attempt:
                seen.forget_unstored()
            part = slice(start, stop)
            decisions = decide_admission(
                offsets=offsets[part],
                timestamps=stamps[part],
                times=times[part],
                hashes=hashes[part],
                seen=seen,
                max_event_time=newest,
                bounds=BOUNDS,
            )
        seen.mark_flushed()
        newest, start = decisions.max_event_time, stop
        for future, duplicate, late in zip(decisions.future, decisions.duplicate, decisions.late, strict=True):
            results.append("future" if future else "duplicate" if duplicate else "late" if late else "counted")
    assert results == expected
    assert newest == largest


def test_identities_are_exact_far_beyond_the_horizon() -> None:
    """Over merges of the sorted arrays: a duplicate at the horizon is one, one offset further it is not."""
    horizon, chance = 20_000, np.random.default_rng(5)
    hashes = chance.integers(0, 30_000, 120_000).astype(np.uint64)
    offsets = np.arange(len(hashes), dtype=np.int64)
    seen = RecentIdentities(SeenIdentities(offsets=offsets[:0], hashes=hashes[:0]), horizon=horizon)
    results = []
    for start in range(0, len(hashes), 3_000):
        results += seen.duplicates(offsets[start : start + 3_000], hashes[start : start + 3_000]).tolist()
        seen.mark_flushed()
    last: dict[int, int] = {}
    expected = []
    for offset, identity in enumerate(hashes.tolist()):
        expected.append(identity in last and offset - last[identity] <= horizon)
        last[identity] = offset
    assert results == expected


def bodies(count: int) -> list[bytes]:
    chance, messages = random.Random(3), []
    for number in range(count):
        messages.append(credit_event(number, chance)[1])
        if chance.random() < 0.1:
            messages.append(chance.choice((b"{}", messages[-1], encoded(prediction_event(number, model="x")))))
        if chance.random() < 0.1:
            event = prediction_event(number + 10_000, at=START + number * 100)
            event["features"]["new"] = 1
            messages.append(encoded(event).replace(b'"age": ', b'"age": NaN, "was": '))
    return messages


@pytest.mark.parametrize("size", [1, 2, 7, 100, 333])
def test_any_batch_size_gives_the_same_panes(size: int) -> None:
    """Panes, dead letters, sample and counters are those of one single batch."""
    log = bodies(400)
    whole, cut = Bench(), Bench()
    whole.take_bodies(*log)
    for start in range(0, len(log), size):
        cut.take_bodies(*log[start : start + size])
    assert cut.panes() == whole.panes()
    assert cut.pending.dead_letters == whole.pending.dead_letters
    assert cut.counters() == whole.counters()
    samples = [
        sorted(
            row
            for block in value.pending.predictions
            for row in zip(block.offsets, block.hashes, map(str, block.labels), strict=True)
        )
        for value in (cut, whole)
    ]
    assert samples[0] == samples[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(prediction_event(1))), JSON, st.binary(max_size=30))
def test_no_record_stops_the_line(field: str, value: object, noise: bytes) -> None:
    """Any JSON in any field, and any bytes, are counted or refused with a reason; their neighbours count."""
    bench = Bench()
    changed = json.dumps({**prediction_event(1), field: value}).encode()
    bench.take_bodies(encoded(prediction_event(2)), changed, noise, encoded(prediction_event(3)))
    counters = bench.counters()
    assert counters.records == 4
    assert counters.counted + counters.duplicates + counters.late + counters.dead == 4
    assert {letter.offset for letter in bench.pending.dead_letters} <= {1, 2}
    assert all(isinstance(letter.reason, DeadLetterReason) for letter in bench.pending.dead_letters)
    truths = Bench()
    truths.take_bodies(changed, noise, of_topic="truths")
    truths.take_bodies(changed, noise, of_topic="deployments")


@given(st.lists(st.integers(-(10**15), 7 * 10**15), min_size=1, max_size=50))
def test_times_read_all_at_once_are_the_times_read_one_by_one(microseconds: list[int]) -> None:
    """The fast way to epoch milliseconds floors microseconds exactly as integer arithmetic does, 1938 to 2191."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    moments: list[datetime | int] = [epoch + timedelta(microseconds=microsecond) for microsecond in microseconds]
    assert all_millis(moments).tolist() == [microsecond // 1000 for microsecond in microseconds]
