"""A model with too many bad records stops in its partition: other models, and it in other partitions, continue."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.store.configuration import AppliedModel, Configuration, UnreadableModel
from monitor.types import DeadLetterReason, ModelKey, PartitionKey
from tests.fakes.records import Bench, FakeRecord, configuration
from tests.models.credit import START, encoded, prediction_event

(CREDIT,) = configuration().models
FRAUD = AppliedModel(2, ModelKey("default", "fraud"), 1, CREDIT.spec, 1, CREDIT.cells)
BOTH = Configuration(1, (CREDIT, replace(FRAUD, cells=(replace(CREDIT.cells[0], cells_id=2),))))
UNREADABLE = Configuration(
    1, (CREDIT,), (UnreadableModel(2, FRAUD.key, "spec 3 of fraud: this program cannot read it"),)
)


def event(number: int, model: str = "fraud", **changes: Any) -> bytes:
    return encoded(prediction_event(number, model=model, at=START + number, **changes))


def bad(number: int, model: str = "fraud") -> bytes:
    return event(number, model, timestamp="yesterday")


def reasons(bench: Bench) -> list[DeadLetterReason]:
    return [letter.reason for letter in bench.pending.dead_letters]


def intake(bench: Bench, model_id: int, partition: int = 0) -> str | None:
    return bench.states[PartitionKey("predictions", partition)].intakes.reason(model_id)


def test_the_fiftieth_bad_record_stops_its_model_and_no_other() -> None:
    """From the next record on the model's are dead letters of their own reason; the partition moves, others count.

    fraud   x49  good  x  | good good      x: bad
    credit  good          | good
    """
    bench = Bench(configured=BOTH, dead_letter_minimum=50)
    bench.take_bodies(*(bad(number) for number in range(49)), event(49), event(50, "credit"))
    assert intake(bench, 2) is None
    bench.take_bodies(bad(51), event(52), event(53), event(54, "credit"))
    assert reasons(bench) == [DeadLetterReason.MALFORMED] * 50 + [DeadLetterReason.MODEL_STOPPED] * 2
    assert "offset 51: timestamp: expected" in str(intake(bench, 2))
    stopped = bench.pending.dead_letters[-1]
    assert stopped.model == FRAUD.key
    assert "driftline models resume fraud" in stopped.sentence
    counters = bench.counters()
    assert (counters.records, counters.counted, counters.dead) == (55, 3, 52)
    assert intake(bench, 1) is None


def test_a_model_stops_only_where_its_bad_records_are() -> None:
    """The same model in another partition continues, and so does its ground truth."""
    bench = Bench(configured=BOTH, partitions=2, dead_letter_minimum=50)
    bench.take_bodies(*(bad(number) for number in range(60)))
    bench.take(FakeRecord(body=event(1), at=0, of_partition=1))
    assert intake(bench, 2, 0) is not None
    assert intake(bench, 2, 1) is None
    assert bench.counters(partition=1).counted == 1
    truth = {"prediction_id": "p-1", "model": "fraud", "timestamp": START, "truth": 1}
    bench.take(FakeRecord(body=encoded(truth), at=0, of_topic="truths"))
    assert bench.counters("truths").counted == 1


@pytest.mark.parametrize("topic", ["truths", "deployments"])
def test_truths_and_deployments_stop_their_model_in_the_same_way(topic: str) -> None:
    """Fifty that break a rule of the model's events stop it there."""
    bench = Bench(configured=BOTH, dead_letter_minimum=50)
    good = {"prediction_id": "p", "model": "fraud", "timestamp": START, "truth": 1, "version": "1", "stage": "canary"}
    broken = encoded({**good, "timestamp": "soon"})
    bench.take_bodies(*[broken] * 50, encoded(good), encoded({**good, "model": "credit"}), of_topic=topic)
    assert reasons(bench) == [DeadLetterReason.MALFORMED] * 50 + [DeadLetterReason.MODEL_STOPPED]
    assert bench.counters(topic).counted == 1


def test_one_bad_record_in_ten_never_stops_anything() -> None:
    """Under the share a model never stops."""
    bench = Bench(configured=BOTH, dead_letter_minimum=50)
    bodies = [bad(number) if number % 10 == 0 else event(number) for number in range(3000)]
    for start in range(0, 3000, 500):
        bench.take_bodies(*bodies[start : start + 500])
    assert set(reasons(bench)) == {DeadLetterReason.MALFORMED}
    assert intake(bench, 2) is None


@pytest.mark.parametrize(
    ("body", "applied", "reason", "is_notice"),
    [
        (b"broken", BOTH, DeadLetterReason.MALFORMED, True),
        (encoded(prediction_event(1, model="x" * 201)), BOTH, DeadLetterReason.MALFORMED, True),
        (encoded(prediction_event(1, model="nobody")), BOTH, DeadLetterReason.PARKED, False),
        (event(1), UNREADABLE, DeadLetterReason.SPEC_UNREADABLE, False),
    ],
    ids=["not JSON", "no name", "unknown model", "unreadable spec"],
)
def test_what_no_applied_model_can_be_blamed_for_stops_nothing(
    body: bytes, applied: Configuration, reason: DeadLetterReason, is_notice: bool
) -> None:
    """Any number of such records are dead letters; those of nobody are a notice, an unknown model is not even that."""
    bench = Bench(configured=applied, dead_letter_minimum=50)
    bench.take_bodies(*[body] * 2000, event(1, "credit"))
    assert set(reasons(bench)) == {reason}
    assert bench.counters().counted == 1
    state = bench.states[PartitionKey("predictions", 0)]
    assert not any(row.stopped_reason for row in state.intakes.unstored())
    assert (state.notice(bench.limit) is not None) == is_notice


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.data())
def test_stops_do_not_depend_on_batch_cuts_flushes_or_recounts(seed: int, data: st.DataObject) -> None:
    """Cut anywhere, flushed and rolled back in between: the same records are counted, refused and stopped."""
    chance = random.Random(seed)
    line = []
    for number in range(300):
        model = chance.choice(("credit", "fraud", "nobody"))
        line.append(chance.choice((event, event, bad))(number, model) if chance.random() < 0.95 else b"{")
    rules: dict[str, Any] = {"dead_letter_minimum": 10, "dead_letter_share": 0.3}
    whole, cut = Bench(configured=BOTH, **rules), Bench(configured=BOTH, **rules)
    whole.take_bodies(*line)
    state = cut.states[PartitionKey("predictions", 0)]
    letters, start = [], 0
    while start < len(line):
        stop = data.draw(st.integers(start + 1, len(line)))
        for _ in range(data.draw(st.integers(1, 2))):
            state.roll_back()
            cut.pending.dead_letters.clear()
            cut.next = start
            cut.take_bodies(*line[start:stop])
        letters += cut.pending.dead_letters
        cut.flushed()
        start = stop
    assert letters == whole.pending.dead_letters
    assert cut.total() == whole.counters()
    assert [intake(cut, value) for value in (1, 2)] == [intake(whole, value) for value in (1, 2)]


def test_a_resumed_model_is_counted_again_and_not_stopped_by_what_is_there_already() -> None:
    """Bad records before the end at that time are dead letters and speak no more against it; later ones do."""
    bench = Bench(configured=BOTH, dead_letter_minimum=50)
    bench.take_bodies(*(bad(number) for number in range(60)), event(60))
    bench.flushed()
    state = bench.states[PartitionKey("predictions", 0)]
    state.intakes.resumed(2, end=100, blind_until=START)
    bench.take_bodies(*(bad(number) for number in range(61, 100)), event(100))
    assert bench.counters().counted == 1
    (row,) = state.intakes.unstored()
    assert (row.stopped_reason, row.forgiven_until, row.blind_until) == (None, 100, START)
    bench.take_bodies(*(bad(number) for number in range(101, 151)), event(151))
    assert intake(bench, 2) is not None
