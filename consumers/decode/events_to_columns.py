"""From one model's decoded event structs to `Predictions` in columns."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from consumers.decode.columns import INVALID, INVALID_NUMBER, Column, Predictions
from consumers.decode.event_struct import EventFields, EventShape, PlainPrediction, Prediction
from consumers.decode.fields import malformed, number
from consumers.decode.lenient import bare_prediction, prediction_of
from consumers.decode.msgpack_arrays import float_column, float_columns
from consumers.decode.times import all_millis
from monitor.arrays import Float64s, Indices, Int64s
from monitor.errors import InvalidMessage
from monitor.reference.layout import ColumnRole
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.store.configuration import AppliedModel

_OUTPUTS, _SCORES = attrgetter("outputs"), attrgetter("scores")


def whole_predictions(
    predictions: Sequence[Any], spec: ModelSpec
) -> tuple[Sequence[Prediction], dict[int, InvalidMessage]]:
    """Return every prediction as a `Prediction` without raw parts, and by index the refusal of what cannot be one."""
    if (
        set(map(type, predictions)) == {Prediction}
        and set(map(type, map(_OUTPUTS, predictions))) == {UnsetType}
        and set(map(type, map(_SCORES, predictions))) == {UnsetType}
    ):
        return predictions, {}
    whole: list[Prediction] = []
    refused: dict[int, InvalidMessage] = {}
    for index, prediction in enumerate(predictions):
        try:
            whole.append(_whole(prediction, spec))
        except InvalidMessage as error:
            refused[index] = error
            whole.append(Prediction())
        except (msgspec.MsgspecError, ValueError) as error:
            refused[index] = malformed("prediction", "JSON", str(error))
            whole.append(Prediction())
    return whole, refused


def _whole(prediction: Any, spec: ModelSpec) -> Prediction:
    if type(prediction) is not Prediction:
        return bare_prediction(prediction, spec)
    if prediction.outputs is UNSET and prediction.scores is UNSET:
        return prediction
    fields = {"score": prediction.score, "label": prediction.label, "value": prediction.value}
    for name in ("scores", "outputs"):
        raw = getattr(prediction, name)
        if raw is not UNSET:
            fields[name] = msgspec.json.decode(raw)
    return prediction_of(fields, spec)


def predictions_of(
    model: AppliedModel,
    shape: EventShape,
    fields: EventFields,
    parts: Sequence[PlainPrediction | Prediction],
    rows: Indices,
    slow_extra: dict[int, int],
) -> Predictions:
    """Return events (their *fields*, and their predictions as *parts*) as columns.

    Args:
        slow_extra: How many unknown names the events had that were read slowly, by index.
    """
    scores = float_column([part.score for part in parts])
    scores[(scores < 0) | (scores > 1)] = INVALID_NUMBER
    labels = [part.label for part in parts]
    values = float_column([part.value for part in parts])
    latency = float_column(fields.latencies)
    latency[latency < 0] = INVALID_NUMBER
    by_role: dict[ColumnRole, Column] = {
        ColumnRole.SCORE: scores,
        ColumnRole.LABEL: labels,
        ColumnRole.VALUE: values,
        ColumnRole.LATENCY: latency,
    }
    features = list(map(msgspec.structs.astuple, fields.features))
    numbers = dict(zip(shape.numbers, float_columns(features, shape.numbers), strict=True))
    columns: list[Column] = []
    for name in shape.names:
        if name.role is not ColumnRole.FEATURE:
            columns.append(by_role[name.role])
            continue
        index = shape.features.index(name.name)
        if index in numbers:
            columns.append(numbers[index])
        else:  # a category, or a number that another layout counts as a category
            raw = list(map(itemgetter(index), features))
            columns.append(raw if name.kind is ColumnKind.CATEGORICAL else _numbers_among_scalars(raw))
    return Predictions(
        model=model,
        rows=rows,
        ids=fields.ids,
        versions=fields.versions,
        times=all_millis(fields.moments),
        names=shape.names,
        columns=tuple(columns),
        tags=_tags(shape, fields),
        scores=scores,
        labels=labels,
        values=values,
        extra=_extra(shape, features, slow_extra),
    )


def _numbers_among_scalars(raw: list[Any]) -> Float64s:
    return float_column([INVALID_NUMBER if value is INVALID else number(value) for value in raw])


def _tags(shape: EventShape, fields: EventFields) -> tuple[list[str | None], ...]:
    if shape.tags_type is None:
        return ()
    absent = shape.tags_type()
    present = [tags or absent for tags in fields.tags]
    return tuple([getattr(tags, f"t{index}") for tags in present] for index in range(len(shape.tags)))


def _extra(shape: EventShape, features: Sequence[tuple[Any, ...]], slow_extra: dict[int, int]) -> Int64s | None:
    if not shape.extras and not any(slow_extra.values()):
        return None
    counts = np.zeros(len(features), dtype=np.int64)
    for index in range(len(shape.features), len(shape.features) + len(shape.extras)):
        counts += np.fromiter((row[index] is not UNSET for row in features), np.bool_, len(features))
    for index, extra in slow_extra.items():
        counts[index] += extra
    return counts
