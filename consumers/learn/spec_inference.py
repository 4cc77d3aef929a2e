"""A spec guessed from a model's events: names and kinds of its columns, the parts of its predictions, its task."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from consumers.decode.routing import json_object
from monitor.errors import InvalidMessage, SpecError
from monitor.spec.model import ColumnKind, ColumnSpec, ModelSpec, PredictionSpec, Task
from monitor.types import ModelKey

COLUMNS_AT_MOST = 2000
LONGEST_NAME = 200


@dataclass(slots=True)
class _Seen:
    """Kinds of values by feature name in the order of their first event, and the parts of the predictions."""

    features: dict[str, set[ColumnKind]] = field(default_factory=dict)
    scores: bool = False
    labels: set[str] = field(default_factory=set)
    values: bool = False
    bare: list[float] = field(default_factory=list)
    arrays: int = 0


def guessed_spec(bodies: Iterable[bytes], *, key: ModelKey, source: str) -> ModelSpec:
    """Return a spec with a column for each feature name and the parts of the prediction that the events carry.

    A feature is numeric when all its values are numbers or null, else categorical. A bare number is a score when all
    of them lie between 0 and 1, else a value. Only as much as decoding needs is guessed; the rest are defaults.

    Args:
        source: Where the bodies are from, for messages.

    Raises:
        SpecError: No feature can be named, or no prediction.
    """
    seen = _Seen()
    for body in bodies:
        try:
            document = json_object(body)
        except InvalidMessage:
            continue  # refused when it is decoded
        _see_features(seen, document.get("features"))
        _see_prediction(seen, document.get("prediction"))
    if problems := _problems(seen):
        raise SpecError(source, problems)
    bare_scores = bool(seen.bare) and min(seen.bare) >= 0.0 and max(seen.bare) <= 1.0
    value = seen.values or (bool(seen.bare) and not bare_scores)
    binary = len(seen.labels) <= 2
    return ModelSpec(
        model=key.name,
        namespace=key.namespace,
        task=Task.REGRESSION if value else Task.BINARY if binary else Task.MULTICLASS,
        reference="learnt",
        columns={
            name: ColumnSpec(kind=ColumnKind.NUMERIC if kinds <= {ColumnKind.NUMERIC} else ColumnKind.CATEGORICAL)
            for name, kinds in seen.features.items()
            if 0 < len(name) <= LONGEST_NAME
        },
        prediction=PredictionSpec(score=seen.scores or bare_scores, label=bool(seen.labels), value=value),
    )


def _problems(seen: _Seen) -> tuple[str, ...]:
    problems = []
    if seen.arrays and not seen.features:
        problems.append("features: expected objects with names, found arrays; only a spec says their order: --spec")
    if len(seen.features) > COLUMNS_AT_MOST:
        problems.append(f"features: expected at most {COLUMNS_AT_MOST} names, found {len(seen.features)}")
    if not (seen.scores or seen.labels or seen.values or seen.bare):
        problems.append("prediction: expected a score, a label or a value in some event, found none")
    return tuple(problems)


def _see_features(seen: _Seen, features: object) -> None:
    if isinstance(features, list):
        seen.arrays += 1
    if not isinstance(features, Mapping):
        return
    for name, value in features.items():
        kinds = seen.features.setdefault(name, set())
        if isinstance(value, str | bool):
            kinds.add(ColumnKind.CATEGORICAL)
        elif isinstance(value, int | float):
            kinds.add(ColumnKind.NUMERIC)


def _see_prediction(seen: _Seen, prediction: Any) -> None:
    label = prediction
    if isinstance(prediction, Mapping):
        outputs = prediction.get("outputs")
        if isinstance(outputs, Mapping):
            _see_prediction(seen, outputs.get("default"))
            return
        seen.scores |= _is_number(prediction.get("score")) or isinstance(prediction.get("scores"), Mapping)
        seen.values |= _is_number(prediction.get("value"))
        label = prediction.get("label")
        if _is_number(label):
            label = str(label)
    if isinstance(label, str | bool):
        if len(seen.labels) <= 2:  # more than two is all that matters
            seen.labels.add(str(label))
    elif _is_number(label):
        seen.bare.append(float(label))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
