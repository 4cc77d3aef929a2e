"""Learning from events without a broker: the sample, the heads, the guesses, the table."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.decode.event_heads import EventHead, event_heads
from consumers.learn.sample import TIMESTAMP_COLUMN, EventSample, SampledEvent, event_table
from consumers.learn.spec_inference import guessed_spec
from monitor.errors import SpecError
from monitor.spec.file import parse_spec
from monitor.spec.model import ColumnKind, Task
from monitor.types import ModelKey, PartitionKey
from tests.models.credit import START, encoded, prediction_event, spec_text

KEY = ModelKey("default", "credit")
SOURCE = PartitionKey("predictions", 0)


def event(offset: int, body: bytes = b"", *, partition: int = 0) -> SampledEvent:
    return SampledEvent(PartitionKey("predictions", partition), offset, body)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(0, 50)), max_size=120),
    st.integers(1, 10),
    st.randoms(use_true_random=False),
)
def test_the_sample_is_a_function_of_the_events_alone(
    offered: list[tuple[int, int, int]], size: int, chance: Any
) -> None:
    """In any order: the identities with the smallest hashes, each once, as it comes first in the log."""
    shuffled = list(offered)
    chance.shuffle(shuffled)
    sample = EventSample(size)
    for identity, partition, offset in shuffled:
        sample.offer(identity, event(offset, partition=partition))
    first: dict[int, SampledEvent] = {}
    for identity, partition, offset in offered:
        result = event(offset, partition=partition)
        first[identity] = min(first.get(identity, result), result)
    smallest = sorted(first)[:size]
    assert sample.events() == sorted(first[identity] for identity in smallest)
    assert sample.offered == len(offered)
    assert sample.is_whole == (len(first) <= size) or not offered


def test_the_head_is_what_decoding_would_find() -> None:
    """Model with its namespace, version, id and time; a namespace in the body wins over the header's."""
    bodies = [
        encoded(prediction_event(1, at=START + 5)),
        encoded(prediction_event(2, namespace="eu")),
        encoded(prediction_event(3, timestamp=START)),
        b'{"model": "credit", "version": "1", "prediction_id": "x", "timestamp": 1780272000000, "features": NaN}',
    ]
    heads = event_heads(bodies, ["", "us", "us", ""])
    assert heads == [
        EventHead(KEY, "1.0", "p-1", START + 5),
        EventHead(ModelKey("eu", "credit"), "1.0", "p-2", START),
        EventHead(ModelKey("us", "credit"), "1.0", "p-3", START),
        EventHead(KEY, "1", "x", START),
    ]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[1]", "body"),
        (encoded(prediction_event(1, model=7)), "model"),
        (encoded(prediction_event(1, prediction_id=...)), "prediction_id"),
        (encoded(prediction_event(1, version="a\x00b")), "version"),
        (encoded(prediction_event(1, timestamp="2026-06-01T12:00:00")), "timestamp"),
        (encoded(prediction_event(1, namespace=3)), "namespace"),
        (encoded(prediction_event(1, timestamp=START // 1000)), "timestamp"),
        (encoded(prediction_event(1, timestamp="1970-01-01T00:00:00Z")), "timestamp"),
    ],
)
def test_what_is_no_event_says_why(body: bytes, named: str) -> None:
    """A sentence with the field instead of a head."""
    (problem,) = event_heads([body], None)
    assert isinstance(problem, str)
    assert f"{named}: expected" in problem


def body(features: Any, prediction: Any) -> bytes:
    return encoded(prediction_event(1, features=features, prediction=prediction))


def test_kinds_follow_from_all_values() -> None:
    """Numbers throughout are numeric; one text or boolean among them makes categories; null says nothing."""
    spec = guessed_spec(
        [
            body({"a": 1, "b": "x", "c": 1.5, "d": None, "e": True}, {"score": 0.5, "label": "yes"}),
            body({"a": None, "b": 2, "c": "1.5", "d": None, "f": 3}, {"score": None, "label": "no"}),
        ],
        key=KEY,
        source="test",
    )
    numeric, categorical = ColumnKind.NUMERIC, ColumnKind.CATEGORICAL
    assert {name: column.kind for name, column in spec.columns.items()} == {
        "a": numeric,
        "b": categorical,
        "c": categorical,
        "d": numeric,
        "e": categorical,
        "f": numeric,
    }
    assert (spec.task, spec.prediction.score, spec.prediction.label, spec.prediction.value) == (
        Task.BINARY,
        True,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("predictions", "task", "parts"),
    [
        ([0.2, 0.9], Task.BINARY, (True, False, False)),
        ([2.5, 0.9], Task.REGRESSION, (False, False, True)),
        (["a", "b", "c"], Task.MULTICLASS, (False, True, False)),
        ([{"value": 3.0}], Task.REGRESSION, (False, False, True)),
        ([{"label": 1}, {"label": 0}], Task.BINARY, (False, True, False)),
        ([{"scores": {"a": 0.1, "b": 0.9}, "label": "b"}], Task.BINARY, (True, True, False)),
        ([{"outputs": {"default": {"score": 0.3}}}], Task.BINARY, (True, False, False)),
    ],
)
def test_parts_of_the_prediction_are_recognised(
    predictions: list[Any], task: Task, parts: tuple[bool, bool, bool]
) -> None:
    """Objects, bare numbers and bare texts."""
    spec = guessed_spec([body({"a": 1}, prediction) for prediction in predictions], key=KEY, source="test")
    result = spec.prediction
    assert (spec.task, (result.score, result.label, result.value)) == (task, parts)


@pytest.mark.parametrize(
    ("features", "prediction", "problem"),
    [
        ([1, 2], {"score": 0.5}, "features: expected objects with names, found arrays"),
        ({"a": 1}, {}, "prediction: expected a score, a label or a value in some event, found none"),
        ({f"f{n}": 1 for n in range(2001)}, 0.5, "features: expected at most 2000 names, found 2001"),
    ],
)
def test_what_cannot_be_guessed_is_said(features: Any, prediction: Any, problem: str) -> None:
    """Each with what would help."""
    with pytest.raises(SpecError, match=problem.replace(".", r"\.")):
        guessed_spec([body(features, prediction)], key=KEY, source="test")


def test_the_table_holds_what_ingest_counts() -> None:
    """Missing is null, no number is NaN, categories have their canonical text; what is no event is refused."""
    spec = parse_spec(spec_text(), source="test")
    bodies = [
        encoded(prediction_event(1, at=START, features={"amount": 5, "age": None, "country": True})),
        encoded(
            prediction_event(2, at=START + 7, features={"amount": "five", "country": 3.0}, prediction={"score": 2})
        ),
        encoded(prediction_event(3, features=3)),
        json.dumps(prediction_event(4, features={"amount": 1e400, "age": 7, "country": [1]})).encode(),
    ]
    result = event_table([event(offset, body) for offset, body in enumerate(bodies)], spec)
    table = result.table
    assert table.column_names == ["age", "amount", "country", "prediction.score", TIMESTAMP_COLUMN]
    assert table["amount"].null_count == 0
    assert [value != value for value in table["amount"].to_pylist()] == [False, True, True]  # NaN
    assert table["age"].to_pylist() == [None, None, 7.0]
    assert table["country"].to_pylist() == ["true", "3", None]
    assert table["prediction.score"].to_pylist()[0] == 0.01
    assert table["prediction.score"].to_pylist()[1] != table["prediction.score"].to_pylist()[1]  # past 1: invalid
    assert table[TIMESTAMP_COLUMN].to_pylist()[:2] == [START, START + 7]
    assert (table["country"].type, list(result.refused)) == (pa.string(), [2])


def test_arrays_are_read_in_the_order_of_the_spec() -> None:
    """With a spec the array form is readable."""
    spec = parse_spec(spec_text(), source="test")
    table = event_table([event(0, encoded(prediction_event(1, features=[1.5, 30, "DE"])))], spec).table
    assert [table[name].to_pylist() for name in spec.columns] == [[1.5], [30.0], ["DE"]]


def test_no_events_are_an_empty_table() -> None:
    """Nothing to decode is no error here."""
    assert event_table([], parse_spec(spec_text(), source="test")).table.num_rows == 0
