"""Decoded events of one model, turned into columns."""

import struct
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain, starmap
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from consumers.decode.decoded import INVALID, INVALID_NUMBER, Column, Floats, Indices, Integers, Predictions
from consumers.decode.fields import all_millis, number
from consumers.decode.model_struct import EventShape, Prediction
from consumers.decode.slow_prediction import bare_prediction, prediction_of
from monitor.errors import InvalidMessage
from monitor.reference.cells import ColumnRole
from monitor.spec import ColumnKind
from monitor.store.configuration import AppliedModel

_OUTPUTS, _SCORES = attrgetter("outputs"), attrgetter("scores")


def whole_predictions(predictions: list[Any], model: AppliedModel) -> tuple[list[Prediction], dict[int, Exception]]:
    """Return every prediction as a `Prediction` without raw parts, and the refusal of those that cannot be."""
    refused: dict[int, Exception] = {}
    if (
        set(map(type, predictions)) == {Prediction}
        and set(map(type, map(_OUTPUTS, predictions))) == {UnsetType}
        and set(map(type, map(_SCORES, predictions))) == {UnsetType}
    ):
        return predictions, refused
    whole = []
    for index, each in enumerate(predictions):
        try:
            whole.append(_whole(each, model))
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
    parts: Sequence[Prediction],
    rows: Indices,
    slow_extra: dict[int, int],
) -> Predictions:
    """Return *events* (their predictions as *parts*) as columns; *slow_extra*: extra names of slowly read ones."""
    features = [each.features for each in events]
    scores = _numbers([each.score for each in parts])
    scores[(scores < 0) | (scores > 1)] = INVALID_NUMBER
    labels = [each.label for each in parts]
    values = _numbers([each.value for each in parts])
    latency = _numbers([each.latency_ms for each in events])
    latency[latency < 0] = INVALID_NUMBER
    by_role: dict[ColumnRole, Column] = {
        ColumnRole.SCORE: scores,
        ColumnRole.LABEL: labels,
        ColumnRole.VALUE: values,
        ColumnRole.LATENCY: latency,
    }
    numbers = _feature_numbers(shape, features)
    columns: list[Column] = []
    for name in shape.names:
        column = by_role.get(name.role, numbers.get(name.name))
        if column is None:  # a category, or a number that another layout counts as a category
            raw = list(map(attrgetter(f"f{shape.features.index(name.name)}"), features))
            column = raw if name.kind is ColumnKind.CATEGORICAL else _numbers_among_scalars(raw)
        columns.append(column)
    moments = [each.timestamp for each in events]
    return Predictions(
        model=model,
        rows=rows,
        ids=[each.prediction_id for each in events],
        versions=[each.version for each in events],
        times=all_millis(moments),
        names=shape.names,
        columns=tuple(columns),
        tags=_tags(shape, events),
        scores=scores,
        labels=labels,
        values=values,
        extra=_extra(shape, features, slow_extra),
    )


def _numbers(raw: list[Any]) -> Floats:
    # only floats and None arrive here: numpy would read a text as a number
    return np.fromiter(raw, np.float64, len(raw))


def _feature_numbers(shape: EventShape, features: list[Any]) -> dict[str, Floats]:
    """Return every purely numeric feature by name; all in one pass, which halves the cost of one by one."""
    chosen = [(index, name) for index, name in enumerate(shape.features) if name not in shape.categorical]
    if len(chosen) < 2:
        return {name: _numbers(list(map(attrgetter(f"f{index}"), features))) for index, name in chosen}
    pick = itemgetter(*(index for index, _ in chosen))
    try:
        packed = b"".join(starmap(_packer(len(chosen)), map(pick, map(msgspec.structs.astuple, features))))
        flat = np.frombuffer(packed, dtype=np.float64)
    except struct.error:  # a missing value; half as fast
        rows = map(pick, map(msgspec.structs.astuple, features))
        flat = np.fromiter(chain.from_iterable(rows), np.float64, len(chosen) * len(features))
    by_column = flat.reshape(-1, len(chosen)).T.copy()
    return {name: by_column[place] for place, (_, name) in enumerate(chosen)}


@cache
def _packer(count: int) -> Callable[..., bytes]:
    """Return what packs *count* floats; it refuses None, which numpy reads as NaN."""
    return struct.Struct(f"{count}d").pack


def _numbers_among_scalars(raw: list[Any]) -> Floats:
    return _numbers([INVALID_NUMBER if each is INVALID else number(each) for each in raw])


def _tags(shape: EventShape, events: Sequence[Any]) -> tuple[list[str | None], ...]:
    if shape.tags_type is None:
        return ()
    absent = shape.tags_type()
    found = [each.tags or absent for each in events]
    return tuple([getattr(each, f"t{index}") for each in found] for index in range(len(shape.tags)))


def _extra(shape: EventShape, features: list[Any], slow_extra: dict[int, int]) -> Integers | None:
    if not shape.extras and not slow_extra:
        return None
    counts = np.zeros(len(features), dtype=np.int64)
    for index in range(len(shape.extras)):
        read = attrgetter(f"x{index}")
        counts += np.fromiter((read(each) is not UNSET for each in features), np.bool_, len(features))
    for index, extra in slow_extra.items():
        counts[index] += extra
    return counts
