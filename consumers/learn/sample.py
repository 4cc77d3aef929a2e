"""A sample of a model's events, bounded in size and a function of the events alone, and the table made of it."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from consumers.decode.columns import INVALID, Column, Predictions, RecordRefusal
from consumers.decode.predictions import PredictionDecoder
from monitor.reference.description import PREDICTION_PREFIX
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole, canonical_category
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.store.configuration import AppliedCells, AppliedModel, Configuration
from monitor.types import PartitionKey

_EVERYTHING = 1 << 64

TIMESTAMP_COLUMN = PREDICTION_PREFIX + "timestamp"


@dataclass(frozen=True, slots=True, order=True)
class SampledEvent:
    """One event: where it lies, and (not compared) its body and the namespace that its header names."""

    source: PartitionKey
    offset: int
    body: bytes = field(compare=False)
    namespace: str = field(compare=False, default="")


class EventSample:
    """Keeps *size* of the events that it is offered, each identity once: the first of it in the log.

    Hashes of identities are as good as random, so every event has the same chance, whatever the order, the
    partitions and the batches in which they come; reading the log again gives the same sample.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[int, SampledEvent] = {}
        self._limit = _EVERYTHING
        self.offered = 0

    def offer(self, identity: int, event: SampledEvent) -> None:
        """Take *event*, whose identity has the 64-bit hash *identity*, if it belongs to the sample."""
        self.offered += 1
        if identity >= self._limit:
            return
        known = self._kept.get(identity)
        if known is None or event < known:
            self._kept[identity] = event
        if len(self._kept) >= 2 * self._size:
            self._prune()

    def events(self) -> list[SampledEvent]:
        """Return the sample in the order of the log."""
        self._prune()
        return sorted(self._kept.values())

    @property
    def is_whole(self) -> bool:
        """Whether every identity that was offered is in the sample."""
        return self._limit == _EVERYTHING

    def _prune(self) -> None:
        if len(self._kept) <= self._size:
            return
        smallest = heapq.nsmallest(self._size, self._kept)
        self._limit = smallest[-1] + 1
        self._kept = {identity: self._kept[identity] for identity in smallest}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventTable:
    """The table, with a row for each event that could be decoded, and by row the refusals of the others.

    Features have their own names; the event time (ms) is in `TIMESTAMP_COLUMN`, the parts of the prediction that the
    spec counts in ``prediction.score``, ``prediction.label`` and ``prediction.value``.
    """

    table: pa.Table
    refused: dict[int, RecordRefusal]


def event_table(events: Sequence[SampledEvent], spec: ModelSpec) -> EventTable:
    """Return *events* of the model of *spec* as a table.

    Numbers that are none are NaN (invalid), absent ones null (missing). A category that is none is null too: a column
    of texts has no other place for it.
    """
    namespaces = [event.namespace for event in events]
    decoder = PredictionDecoder(Configuration(0, (_model(spec),)))
    models, refused = decoder.decode([event.body for event in events], namespaces if any(namespaces) else None)
    columns = dict(_columns(models[0])) if models else {}
    return EventTable(table=pa.table(columns), refused=dict(sorted(refused.items())))


def _model(spec: ModelSpec) -> AppliedModel:
    """Return a model that was never applied: its cells are names and kinds, for nothing is counted."""
    prediction = (
        (spec.prediction.score, ColumnRole.SCORE, ColumnKind.NUMERIC),
        (spec.prediction.label, ColumnRole.LABEL, ColumnKind.CATEGORICAL),
        (spec.prediction.value, ColumnRole.VALUE, ColumnKind.NUMERIC),
    )
    features = [
        ColumnCells(name=name, kind=column.kind, role=ColumnRole.FEATURE) for name, column in spec.columns.items()
    ]
    parts = [
        ColumnCells(name=PREDICTION_PREFIX + role, kind=kind, role=role)
        for counted, role, kind in prediction
        if counted
    ]
    return AppliedModel(
        model_id=0,
        key=spec.key,
        spec_version=0,
        spec=spec,
        reference_id=0,
        cells=(AppliedCells(0, CellsLayout(columns=(*features, *parts)), 0),),
    )


def _columns(predictions: Predictions) -> list[tuple[str, pa.Array]]:
    columns = [
        (name.name, _numbers(column) if name.kind is ColumnKind.NUMERIC else _texts(column))
        for name, column in zip(predictions.names, predictions.columns, strict=True)
    ]
    return [*columns, (TIMESTAMP_COLUMN, pa.array(predictions.times, pa.int64()))]


def _numbers(column: Column) -> pa.Array:
    values = np.asarray(column, dtype=np.float64)
    return pa.array(np.where(np.isinf(values), np.nan, values), pa.float64(), mask=np.isnan(values), from_pandas=False)


def _texts(column: Column) -> pa.Array:
    return pa.array(
        [None if value is None or value is INVALID else canonical_category(value) for value in column], pa.string()
    )
