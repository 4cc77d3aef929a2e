"""Decoded events of one model, turned into columns."""

from collections.abc import Sequence
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from consumers.decode.columns import INVALID, INVALID_NUMBER, Column, Predictions
from consumers.decode.event_struct import EventFields, EventShape, PlainPrediction, Prediction
from consumers.decode.fields import number
from consumers.decode.lenient import bare_prediction, prediction_of
from consumers.decode.msgpack_arrays import float_column, float_columns
from consumers.decode.times import all_millis
from monitor.arrays import Float64s, Indices, Int64s
from monitor.errors import InvalidMessage
from monitor.reference.layout import ColumnRole
from monitor.spec.model import ColumnKind
from monitor.store.configuration import AppliedModel

_OUTPUTS, _SCORES = attrgetter("outputs"), attrgetter("scores")


def whole_predictions(
    predictions: Sequence[Any], model: AppliedModel
) -> tuple[Sequence[Prediction], dict[int, Exception]]:
    """Return every prediction as a `Prediction` without raw parts, and the refusal of those that cannot be."""
    refused: dict[int, Exception] = {}
    if (
        set(map(type, predictions)) == {Prediction}
        and set(map(type, map(_OUTPUTS, predictions))) == {UnsetType}
        and set(map(type, map(_SCORES, predictions))) == {UnsetType}
    ):
        return predictions, refused
    whole = []
    for index, prediction in enumerate(predictions):
        try:
            whole.append(_whole(prediction, model))
        except (InvalidMessage, msgspec.MsgspecError, ValueError) as error:
            refused[index] = error
            whole.append(Prediction())
    return whole, refused


def _whole(found: Any, model: AppliedModel) -> Prediction:
    if type(found) is not Prediction:
        return bare_prediction(found, model.spec)
    if found.outputs is UNSET and found.scores is UNSET:
        return found
    raw = {"score": found.score, "label": found.label, "value": found.value}
    for name in ("scores", "outputs"):
        part = getattr(found, name)
        if part is not UNSET:
            raw[name] = msgspec.json.decode(part)
    return prediction_of(raw, model.spec)


def predictions_of(
    model: AppliedModel,
    shape: EventShape,
    events: Sequence[Any],
    fields: EventFields,
    parts: Sequence[PlainPrediction | Prediction],
    rows: Indices,
    slow_extra: dict[int, int],
) -> Predictions:
    """Return *events* (their *fields*, and their predictions as *parts*) as columns.

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
    numbers = float_columns(features, shape.numbers)
    place = {index: at for at, index in enumerate(shape.numbers)}
    columns: list[Column] = []
    for name in shape.names:
        column = by_role.get(name.role)
        if column is None:
            index = shape.features.index(name.name)
            if index in place:
                column = numbers[place[index]]
            else:  # a category, or a number that another layout counts as a category
                raw = list(map(itemgetter(index), features))
                column = raw if name.kind is ColumnKind.CATEGORICAL else _numbers_among_scalars(raw)
        columns.append(column)
    return Predictions(
        model=model,
        rows=rows,
        ids=fields.ids,
        versions=fields.versions,
        times=all_millis(fields.moments),
        names=shape.names,
        columns=tuple(columns),
        tags=_tags(shape, events),
        scores=scores,
        labels=labels,
        values=values,
        extra=_extra(shape, features, slow_extra),
    )


def _numbers_among_scalars(raw: list[Any]) -> Float64s:
    return float_column([INVALID_NUMBER if event is INVALID else number(event) for event in raw])


def _tags(shape: EventShape, events: Sequence[Any]) -> tuple[list[str | None], ...]:
    if shape.tags_type is None:
        return ()
    absent = shape.tags_type()
    found = [event.tags or absent for event in events]
    return tuple([getattr(refusal, f"t{index}") for refusal in found] for index in range(len(shape.tags)))


def _extra(shape: EventShape, features: Sequence[tuple[Any, ...]], slow_extra: dict[int, int]) -> Int64s | None:
    if not shape.extras and not slow_extra:
        return None
    counts = np.zeros(len(features), dtype=np.int64)
    for index in range(len(shape.features), len(shape.features) + len(shape.extras)):
        counts += np.fromiter((row[index] is not UNSET for row in features), np.bool_, len(features))
    for index, extra in slow_extra.items():
        counts[index] += extra
    return counts
