"""One prediction event read with patience: what the fast reading refused, value by value."""

from typing import Any

from msgspec import UNSET

from consumers.decode.columns import INVALID_NUMBER
from consumers.decode.event_struct import EventShape, Prediction
from consumers.decode.fields import malformed, name_field, number, scalar
from consumers.decode.times import time_field
from monitor.errors import InvalidMessage
from monitor.spec.model import ModelSpec, Task
from monitor.types import DeadLetterReason

_MISSING = object()


def slow_event(document: dict[str, Any], shape: EventShape, spec: ModelSpec) -> tuple[Any, int]:
    """Return *document* as an event of *shape*, and how many feature names the spec does not know.

    Wrong values of columns become invalid values of those columns; the event counts.

    Raises:
        InvalidMessage: The event itself cannot be counted.
    """
    prediction_id = name_field(document, "prediction_id")
    version = name_field(document, "version")
    moment = time_field(document)
    features, extra = _features(document.get("features", _MISSING), shape)
    prediction = _prediction(document.get("prediction", _MISSING), spec)
    event = shape.event_type(
        prediction_id,
        document["model"],
        version,
        moment,
        features,
        prediction,
        number(document.get("latency_ms")),
        document.get("namespace") or "",
    )
    if shape.tags_type is not None:
        event.tags = _tags(document.get("tags"), shape)
    return event, extra


def _features(found: Any, shape: EventShape) -> tuple[Any, int]:
    if isinstance(found, list):
        if len(found) != len(shape.array_order):
            raise malformed("features", f"an array of {len(shape.array_order)} values", f"{len(found)} values")
        found = dict(zip(shape.array_order, found, strict=True))
    if not isinstance(found, dict):
        raise malformed("features", "an object or an array", None if found is _MISSING else found)
    known = set(shape.features)
    values = [
        scalar(found.get(name)) if name in shape.categorical else number(found.get(name)) for name in shape.features
    ]
    return shape.features_type(*values), sum(name not in known for name in found)


def _tags(found: Any, shape: EventShape) -> Any:
    assert shape.tags_type is not None
    if found is None:
        return None
    if not isinstance(found, dict):
        raise malformed("tags", "an object of strings", found)
    values = [found.get(tag) for tag in shape.tags]
    for tag, value in zip(shape.tags, values, strict=True):
        if value is not None and not isinstance(value, str):
            raise malformed(f"tags.{tag}", "a string", value)
    return shape.tags_type(*values)


def _prediction(found: Any, spec: ModelSpec) -> Prediction:
    if isinstance(found, dict):
        return prediction_of(found, spec)
    if isinstance(found, str | int | float):
        return bare_prediction(found, spec)
    raise malformed("prediction", "an object, a number or a string", None if found is _MISSING else found)


def prediction_of(found: dict[str, Any], spec: ModelSpec) -> Prediction:
    """Return the prediction in an object with `score`, `scores`, `label`, `value`, or the default of its `outputs`.

    Raises:
        InvalidMessage: Several outputs, none of them called `default`.
    """
    if found.get("outputs") is not None:
        outputs = found["outputs"]
        if not isinstance(outputs, dict) or not isinstance(outputs.get("default"), dict):
            names = sorted(outputs) if isinstance(outputs, dict) else outputs
            raise InvalidMessage(
                DeadLetterReason.UNSUPPORTED.value,
                f"prediction.outputs: expected an output named 'default', found {names!r}"[:300],
            )
        return prediction_of({**outputs["default"], "outputs": None}, spec)
    label = scalar(found.get("label"))
    score = number(found.get("score"))
    if score is None and found.get("scores") is not None:
        score = _score_among(found["scores"], label, spec)
    return Prediction(score, label, number(found.get("value")), UNSET, UNSET)  # type: ignore[arg-type]  # checked above


def _score_among(scores: Any, label: object, spec: ModelSpec) -> float | None:
    if not isinstance(scores, dict):
        return INVALID_NUMBER
    if spec.task is Task.BINARY:
        return number(scores.get(spec.truth.positive))
    if isinstance(label, str) and label in scores:
        return number(scores[label])
    found = [score for score in map(number, scores.values()) if score is not None]
    return max(found, default=None)


def bare_prediction(found: str | float | bool, spec: ModelSpec) -> Prediction:
    """Return a bare number or string as the part of the prediction that the spec counts."""
    if isinstance(found, str | bool):
        return Prediction(label=found)
    if spec.prediction.value:
        return Prediction(value=number(found))
    if spec.prediction.score:
        return Prediction(score=number(found))
    return Prediction(label=scalar(found))  # type: ignore[arg-type]  # INVALID stands for what is no label
