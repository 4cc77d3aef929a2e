"""Rows of a table -> prediction and truth events in order of event time, encoded as producers encode them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from driftline.replay.columns import ReplayColumns
from driftline.replay.record import TimedRecord
from monitor.clock import iso_utc
from monitor.types import ModelKey, TopicRole

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Whose predictions the rows are."""

    model: ModelKey
    version: str


def prediction_records(
    table: pa.Table, *, times: npt.NDArray[np.int64], columns: ReplayColumns, replayed: Replayed
) -> Iterator[TimedRecord]:
    """Yield one prediction event per row, in order of *times* (shape ``(rows,)``, ms); equal times keep their order."""
    order = np.argsort(times, kind="stable")
    for start in range(0, len(order), _ROWS_AT_ONCE):
        chosen = order[start : start + _ROWS_AT_ONCE]
        rows = table.take(chosen)
        lists = {name: rows[name].to_pylist() for name in columns.of_predictions}
        for index, at in enumerate(times[chosen].tolist()):
            key = str(lists[columns.identity][index])
            yield TimedRecord(at, TopicRole.PREDICTIONS, key, _prediction(lists, index, key, at, columns, replayed))


def _prediction(
    lists: Mapping[str, list[object]], index: int, key: str, at: int, columns: ReplayColumns, replayed: Replayed
) -> bytes:
    parts = (("score", columns.score), ("label", columns.label), ("value", columns.value))
    event: dict[str, object] = {
        "prediction_id": key,
        "namespace": replayed.model.namespace,
        "model": replayed.model.name,
        "version": replayed.version,
        "timestamp": iso_utc(at),
        "features": {name: lists[name][index] for name in columns.features},
        "prediction": {part: lists[name][index] for part, name in parts if name is not None},
    }
    if columns.tags:
        event["tags"] = {tag: str(lists[name][index]) for tag, name in columns.tags if lists[name][index] is not None}
    return msgspec.json.encode(event)  # a NaN becomes null, which is what a missing value is


def truth_records(
    identities: Sequence[object],
    truths: Sequence[object],
    *,
    times: npt.NDArray[np.int64],
    delay: int,
    model: ModelKey,
) -> Iterator[TimedRecord]:
    """Yield one truth event per row that has a truth, *delay* ms after its prediction's time, in order of time."""
    for row in np.argsort(times, kind="stable").tolist():
        if truths[row] is None:
            continue
        key, at = str(identities[row]), int(times[row]) + delay
        event = {
            "prediction_id": key,
            "namespace": model.namespace,
            "model": model.name,
            "timestamp": iso_utc(at),
            "prediction_timestamp": iso_utc(int(times[row])),
            "truth": truths[row],
        }
        yield TimedRecord(at, TopicRole.TRUTHS, key, msgspec.json.encode(event))
