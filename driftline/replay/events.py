"""Turns rows of a file into events in order of event time."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa

from monitor.arrays import Int64s
from monitor.clock import iso_utc
from monitor.errors import SpecError
from monitor.reference.arrow_columns import UncountableColumn, epoch_millis
from monitor.types import ModelKey, TopicRole

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class TimedRecord:
    """A record and the event time (ms) at which it would have been sent; Kafka's timestamp is the same."""

    at: int
    role: TopicRole
    key: str
    value: bytes


def in_event_time(*streams: Iterable[TimedRecord]) -> Iterator[TimedRecord]:
    """Merge streams, each in order of time, into one; at equal times the earlier stream goes first."""
    return heapq.merge(*streams, key=lambda record: record.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayColumns:
    """Names in the tables; *tags* are (tag, column).

    Attributes:
        truth: In the predictions' table, or in the truths' table when there is one.
    """

    identity: str
    features: tuple[str, ...]
    score: str | None = None
    label: str | None = None
    value: str | None = None
    truth: str | None = None
    timestamp: str | None = None
    tags: tuple[tuple[str, str], ...] = field(default=())

    @property
    def of_predictions(self) -> tuple[str, ...]:
        """Every column the predictions' table must have, whatever the truths."""
        parts = (self.score, self.label, self.value, self.timestamp)
        tags = (column for _, column in self.tags)
        wanted = (self.identity, *self.features, *(part for part in parts if part is not None), *tags)
        return tuple(dict.fromkeys(wanted))


def require_columns(table: pa.Table, names: tuple[str, ...], *, source: str) -> None:
    """Return when *table* has every one of *names*.

    Raises:
        SpecError: Names each one that is not there.
    """
    known = ", ".join(table.column_names)
    problems = tuple(
        f"column {name!r}: expected one of {known}; found none" for name in names if name not in table.column_names
    )
    if problems:
        raise SpecError(source, problems)


def event_times(table: pa.Table, *, timestamp: str | None, start: int | None, every: int | None, source: str) -> Int64s:
    """Return each row's event time in ms: its *timestamp*, or *start* and *every* so many ms one more.

    Raises:
        SpecError: The column holds no times, or neither way is given, or both.
    """
    if (timestamp is None) == (start is None or every is None):
        raise SpecError(
            source, ("event times: expected --timestamp COL, or --start and --every; found neither or both",)
        )
    if timestamp is None:
        assert start is not None
        assert every is not None
        return start + np.arange(table.num_rows, dtype=np.int64) * every
    try:
        return np.asarray(epoch_millis(table[timestamp]), dtype=np.int64)
    except UncountableColumn as error:
        raise SpecError(source, (f"column {timestamp!r}: {error}",)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayTarget:
    """Model and version that replayed rows belong to."""

    model: ModelKey
    version: str


def prediction_records(
    table: pa.Table, *, times: Int64s, columns: ReplayColumns, replayed: ReplayTarget
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
    lists: Mapping[str, list[object]], index: int, key: str, at: int, columns: ReplayColumns, replayed: ReplayTarget
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
    times: Int64s,
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
