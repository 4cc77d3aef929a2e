"""Each row of the bad-input table, and each rule of the prediction event."""

import json
from typing import Any

import pytest

from consumers.decode.predictions import PredictionDecoder
from monitor.reference.layout import CellsLayout, ColumnRole, Slot
from monitor.types import DeadLetterReason, SeriesKey
from tests.fakes.records import Bench, FakeRecord, configuration
from tests.models.credit import START, encoded, layout, numeric_cells, prediction_event

LAYOUT = layout()


def hits(bench: Bench, column: str, slot: Slot) -> int:
    """Return how often *slot* of *column* was hit in the version's own series."""
    index = [known.name for known in LAYOUT.columns].index(column)
    return sum(
        int(pane.counts[LAYOUT.spans[index].slots + slot])
        for (series, _, _), pane in bench.pending.panes.items()
        if series == SeriesKey(1, "1.0")
    )


def event_with(**changes: Any) -> bytes:
    return encoded(prediction_event(1, **changes))


def features(**changes: Any) -> dict[str, Any]:
    return {"amount": 5.0, "age": 30, "country": "DE", **changes}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[1]", "body"),
        (b"[" * 100_000, "body"),
        (event_with(model=7), "model"),
        (event_with(prediction_id=...), "prediction_id"),
        (event_with(prediction_id=""), "prediction_id"),
        (event_with(prediction_id="x" * 201), "prediction_id"),
        (event_with(prediction_id="é" * 101), "prediction_id"),
        (event_with(version=None), "version"),
        (event_with(version="a\x00b"), "version"),
        (event_with(version="é" * 101), "version"),
        (event_with(timestamp="2026-06-01T12:00:00"), "timestamp"),
        (event_with(timestamp="yesterday"), "timestamp"),
        (event_with(timestamp=True), "timestamp"),
        (event_with(timestamp=10**30), "timestamp"),
        (event_with(features=...), "features"),
        (event_with(features=[1, 2]), "features"),
        (event_with(features=3), "features"),
        (event_with(prediction=...), "prediction"),
        (event_with(prediction=[1]), "prediction"),
        (event_with(tags={"region": 4}), "tags.region"),
        (event_with(tags="eu"), "tags"),
        (event_with().replace(b'"DE"', b'"\\ud800"').replace(b'"CH"', b'"\\ud800"'), "body"),
    ],
)
def test_what_breaks_a_rule_is_malformed_and_named(body: bytes, named: str) -> None:
    """The record is a dead letter whose sentence begins with the field; its neighbours count."""
    bench = Bench()
    bench.take_bodies(encoded(prediction_event(2)), body, encoded(prediction_event(3)))
    (letter,) = bench.pending.dead_letters
    assert letter.reason is DeadLetterReason.MALFORMED
    assert letter.sentence.startswith(f"{named}: expected ")
    assert (letter.offset, letter.value, letter.size) == (1, body[: 64 << 10], len(body))
    assert (bench.counters().counted, bench.counters().dead, bench.counters().records) == (2, 1, 3)


@pytest.mark.parametrize(
    ("value", "slot"),
    [
        ("NaN", Slot.INVALID),
        ("Infinity", Slot.INVALID),
        ("-Infinity", Slot.INVALID),
        ("1e400", Slot.INVALID),
        ("1" + "0" * 400, Slot.INVALID),
        ('"12.5"', Slot.INVALID),
        ("true", Slot.INVALID),
        ("{}", Slot.INVALID),
        ("null", Slot.MISSING),
        ("-1", Slot.BELOW),
        ("101", Slot.ABOVE),
    ],
)
def test_a_wrong_number_counts_in_its_slot(value: str, slot: Slot) -> None:
    """The event counts; the value is in the column's slot."""
    bench = Bench()
    bench.take_bodies(event_with(features=features(amount=777.25)).replace(b"777.25", value.encode()))
    assert not bench.pending.dead_letters
    assert hits(bench, "amount", slot) == 1


@pytest.mark.parametrize(
    ("value", "slot"), [("NaN", Slot.INVALID), ("[]", Slot.INVALID), ('"XX"', Slot.UNSEEN), ("null", Slot.MISSING)]
)
def test_a_wrong_category_counts_in_its_slot(value: str, slot: Slot) -> None:
    """New categories are unseen, what is no scalar is invalid."""
    bench = Bench()
    bench.take_bodies(event_with(features=features(country="@@")).replace(b'"@@"', value.encode()))
    assert hits(bench, "country", slot) == 1


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"prediction": {"score": 1.01}}, "score"),
        ({"prediction": {"score": -0.5}}, "score"),
        ({"prediction": {"score": "high"}}, "score"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"latency_ms": "slow"}, "latency_ms"),
    ],
)
def test_a_score_or_latency_out_of_range_is_invalid(changes: dict[str, Any], column: str) -> None:
    """The event counts; the column's invalid slot says so."""
    bench = Bench()
    bench.take_bodies(event_with(**changes))
    assert hits(bench, column, Slot.INVALID) == 1


def test_future_is_judged_by_the_records_own_timestamp_and_moves_nothing() -> None:
    """Five minutes after it is the bound; a dead letter leaves the largest event time alone."""
    bench = Bench()
    bench.take_bodies(event_with(timestamp=START + 300_000), stamp=START)
    bench.take_bodies(event_with(timestamp=START + 300_001, prediction_id="x"), stamp=START)
    (letter,) = bench.pending.dead_letters
    assert letter.reason is DeadLetterReason.FUTURE
    (state,) = [partition for partition in bench.states.values() if partition.moved]
    assert state.now.max_event_time == START + 300_000


def test_too_large_is_never_parsed_and_never_kept() -> None:
    """Only its size is kept."""
    bench = Bench(max_message_bytes=1000)
    bench.take_bodies(b"{" + b" " * 1000)
    (letter,) = bench.pending.dead_letters
    assert (letter.reason, letter.size, letter.value) == (DeadLetterReason.TOO_LARGE, 1001, None)


def test_another_content_type_is_unsupported() -> None:
    """The sentence names what was expected; the type with parameters, and none, are read."""
    bench = Bench()
    for number, content in enumerate((b"application/json; charset=utf-8", b"application/avro", None)):
        bench.take(FakeRecord(body=event_with(), at=number, of_headers=(("Content-Type", content),)))
    (letter,) = bench.pending.dead_letters
    assert letter.reason is DeadLetterReason.UNSUPPORTED
    assert "application/json" in letter.sentence
    assert "application/avro" in letter.sentence


def test_an_unknown_model_is_named_with_the_known_ones() -> None:
    """Unknown by name or by namespace."""
    bench = Bench()
    bench.take_bodies(event_with(model="nobody"), event_with(namespace="elsewhere"))
    assert {letter.reason for letter in bench.pending.dead_letters} == {DeadLetterReason.PARKED}
    assert "(credit)" in bench.pending.dead_letters[0].sentence


def test_unknown_features_are_counted_on_both_readings() -> None:
    """The first event with a name is read slowly, later ones fast; each unknown name counts once per event."""
    bench = Bench()
    for number in range(3):
        bench.take_bodies(event_with(prediction_id=str(number), features=features(new=1, other=[2])))
    bench.take_bodies(event_with(prediction_id="4", features=features(new=None)))
    assert bench.counters().extra_fields == 7
    assert bench.counters().counted == 4


def test_a_column_may_have_any_name() -> None:
    """Names that the fast reading cannot spell are read slowly, in features as in tags."""
    strange = 'a"\\\x01b'
    cells = CellsLayout(columns=(numeric_cells(strange, [0.0, 1.0], 2.0, ColumnRole.FEATURE), *LAYOUT.columns[3:]))
    result = configuration(cells, columns={strange: {"kind": "numeric"}}, segments=[{"tag": strange, "values": ["eu"]}])
    bench = Bench(configured=result)
    bench.take_bodies(event_with(features={strange: 1.5, "extra\x02": 1}, tags={strange: "eu"}))
    assert {series.segment_value for series, _, _ in bench.pending.panes} == {"", "eu"}
    assert all(pane.counts[1] == 1 for pane in bench.pending.panes.values())
    assert bench.counters().extra_fields == 1


def test_the_array_form_is_the_object_form() -> None:
    """Features as an array in the profile's order give the same counts."""
    one, two = Bench(), Bench()
    one.take_bodies(event_with(features=features()))
    two.take_bodies(event_with(features=[5.0, 30, "DE"]))
    assert one.panes() == two.panes()


@pytest.mark.parametrize(
    "prediction",
    [0.25, {"scores": {"1": 0.25, "0": 0.75}}, {"outputs": {"default": {"score": 0.25}}}, {"score": 0.25, "more": []}],
)
def test_other_forms_of_a_prediction_are_the_plain_one(prediction: Any) -> None:
    """A bare number, scores by class, and the default output count as the score they hold."""
    one, two = Bench(), Bench()
    one.take_bodies(event_with(prediction={"score": 0.25}))
    two.take_bodies(event_with(prediction=prediction))
    assert one.panes() == two.panes()


def test_named_outputs_are_unsupported() -> None:
    """A prediction with named outputs only is refused with its names."""
    bench = Bench()
    bench.take_bodies(event_with(prediction={"outputs": {"left": {"score": 1}}}))
    (letter,) = bench.pending.dead_letters
    assert letter.reason is DeadLetterReason.UNSUPPORTED
    assert "left" in letter.sentence


def test_truths_and_deployments_keep_to_their_rules() -> None:
    """null withdraws, an absent truth is malformed; a stage outside the list is malformed."""
    bench = Bench()
    event = {"prediction_id": "a", "model": "credit", "timestamp": START}
    values: tuple[object, ...] = (1, None, True, "fraud", 0.5, [])
    bodies = [{**event, "truth": value} for value in values]
    bench.take_bodies(*(json.dumps(body).encode() for body in (*bodies, event)), of_topic="truths")
    assert [truth.value for truth in bench.pending.truths] == ["1", None, "true", "fraud", "0.5"]
    deployment = {"model": "credit", "version": "2", "timestamp": START, "stage": "canary", "traffic": 0.1}
    for changes in ({}, {"stage": "beta"}, {"traffic": 2}, {"manifest": {"a": "\x00"}}):
        bench.take_bodies(json.dumps(deployment | changes).encode(), of_topic="deployments")
    assert len(bench.pending.deployments) == 1
    assert len(bench.pending.dead_letters) == 5


def test_truths_outside_the_sample_are_dropped_and_counted() -> None:
    """A truth is kept exactly when its prediction is in the ledger."""
    bench = Bench(configured=configuration(sample_rate=0.3))
    bench.take_bodies(*(event_with(prediction_id=f"p{n}") for n in range(200)))
    truths = [{"prediction_id": f"p{n}", "model": "credit", "timestamp": START, "truth": 1} for n in range(200)]
    bench.take_bodies(*(json.dumps(truth).encode() for truth in truths), of_topic="truths")
    in_ledger = {digest for block in bench.pending.predictions for digest in block.hashes}
    assert {truth.prediction_hash for truth in bench.pending.truths} == in_ledger
    assert 30 < len(in_ledger) < 90
    assert bench.counters("truths").unsampled == 200 - len(in_ledger)
    assert sum(p.sampled for (s, _, _), p in bench.pending.panes.items() if not s.segment_tag) == len(in_ledger)


def test_names_and_labels_as_long_as_a_message_take_no_room() -> None:
    """Unknown names over 200 characters are counted but not learnt; a label is cut, and equals no truth as before."""
    names, label = features(**{"x" * 100_000: 1}), {"label": "y" * 100_000}
    bodies = [event_with(prediction_id=str(number), features=names, prediction=label) for number in range(2)]
    applied = configuration(prediction={"label": True}, sample_rate=1.0)
    bench, decoder = Bench(configured=applied), PredictionDecoder(applied)
    for body in bodies:
        bench.take_bodies(body)
        decoder.decode([body])
    assert bench.counters().extra_fields == 2
    assert [model.shape.extras for model in decoder._decoders.values()] == [()]
    labels = [label for block in bench.pending.predictions for label in block.labels]
    assert labels == ["y" * 200 + "…"] * 2
