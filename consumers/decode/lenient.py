"""Lenient decoding of one prediction event that the fast decoder refused; wrong values count as invalid."""

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


def lenient_event(document: dict[str, Any], shape: EventShape, spec: ModelSpec) -> tuple[Any, int]:
    """Return *document* as an event of *shape*, and how many feature names the spec does not know.

    Wrong values of columns become invalid values of those columns; the event counts.

    Raises:
        InvalidMessage: The event itself cannot be counted.
    """
    prediction_id = name_field(document, "prediction_id")
    version = name_field(document, "version")
    moment = time_field(document)
    features, extra = _features(document.get("features", _MISSING), shape)
    event = shape.event_type(
        prediction_id=prediction_id,
        model=document["model"],
        version=version,
        timestamp=moment,
        features=features,
        prediction=_prediction(document.get("prediction", _MISSING), spec),
        latency_ms=number(document.get("latency_ms")),
        namespace=document.get("namespace") or "",
    )
    if shape.tags_type is not None:
        event.tags = _tags(document.get("tags"), shape)
    return event, extra


def _features(values: Any, shape: EventShape) -> tuple[Any, int]:
    if isinstance(values, list):
        if len(values) != len(shape.array_order):
            raise malformed("features", f"an array of {len(shape.array_order)} values", f"{len(values)} values")
        values = dict(zip(shape.array_order, values, strict=True))
    if not isinstance(values, dict):
        raise malformed("features", "an object or an array", None if values is _MISSING else values)
    known = set(shape.features)
    read = [
        scalar(values.get(name)) if name in shape.categorical else number(values.get(name)) for name in shape.features
    ]
    return shape.features_type(*read), sum(name not in known for name in values)


def _tags(tags: Any, shape: EventShape) -> Any:
    assert shape.tags_type is not None
    if tags is None:
        return None
    if not isinstance(tags, dict):
        raise malformed("tags", "an object of strings", tags)
    values = [tags.get(tag) for tag in shape.tags]
    for tag, value in zip(shape.tags, values, strict=True):
        if value is not None and not isinstance(value, str):
            raise malformed(f"tags.{tag}", "a string", value)
    return shape.tags_type(*values)


def _prediction(value: Any, spec: ModelSpec) -> Prediction:
    if isinstance(value, dict):
        return prediction_of(value, spec)
    if isinstance(value, str | int | float):
        return bare_prediction(value, spec)
    raise malformed("prediction", "an object, a number or a string", None if value is _MISSING else value)


def prediction_of(fields: dict[str, Any], spec: ModelSpec) -> Prediction:
    """Return the prediction in an object with `score`, `scores`, `label`, `value`, or the default of its `outputs`.

    Raises:
        InvalidMessage: Several outputs, none of them called `default`.
    """
    if fields.get("outputs") is not None:
        outputs = fields["outputs"]
        if not isinstance(outputs, dict) or not isinstance(outputs.get("default"), dict):
            names = sorted(outputs) if isinstance(outputs, dict) else outputs
            raise InvalidMessage(
                DeadLetterReason.UNSUPPORTED.value,
                f"prediction.outputs: expected an output named 'default', found {names!r}"[:300],
            )
        return prediction_of({**outputs["default"], "outputs": None}, spec)
    label = scalar(fields.get("label"))
    score = number(fields.get("score"))
    if score is None and fields.get("scores") is not None:
        score = _score_among(fields["scores"], label, spec)
    return Prediction(score, label, number(fields.get("value")), UNSET, UNSET)  # type: ignore[arg-type]  # checked above


def _score_among(scores: Any, label: object, spec: ModelSpec) -> float | None:
    if not isinstance(scores, dict):
        return INVALID_NUMBER
    if spec.task is Task.BINARY:
        return number(scores.get(spec.truth.positive))
    if isinstance(label, str) and label in scores:
        return number(scores[label])
    return max((score for score in map(number, scores.values()) if score is not None), default=None)


def bare_prediction(value: str | float | bool, spec: ModelSpec) -> Prediction:
    """Return a bare number or string as the part of the prediction that the spec counts."""
    if isinstance(value, str | bool):
        return Prediction(label=value)
    if spec.prediction.value:
        return Prediction(value=number(value))
    if spec.prediction.score:
        return Prediction(score=number(value))
    return Prediction(label=scalar(value))  # type: ignore[arg-type]  # INVALID stands for what is no label
