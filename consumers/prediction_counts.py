"""Decoded predictions counted into open panes by series and minute, and the ledger's sample of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from consumers.decode.columns import INVALID, Column, Predictions
from consumers.decode.fields import LONGEST_NAME
from consumers.histogram import CellCounter, UnseenRows
from consumers.identities import digest_text, distinct, sampled
from consumers.pending_counts import PendingCounts, SampledPredictions
from consumers.records import RecordBatch
from consumers.unseen_values import UnseenKey, ValueTally, hour_of
from consumers.version_places import VersionPlaces
from monitor.arrays import Indices, Int64s, Mask, UInt64s
from monitor.reference.layout import canonical_category
from monitor.spec.model import ModelSpec, SegmentSpec, Task
from monitor.store.configuration import AppliedModel
from monitor.types import ALL_SEGMENT, SeriesKey
from monitor.units import MINUTE_MILLIS

OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows (indices, rising) of one series whose events are in the minute at *start* (ms)."""

    series: SeriesKey
    start: int
    rows: Indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """Groups, and for each row the series that count it."""

    groups: tuple[Group, ...]
    series_of_row: Sequence[tuple[SeriesKey, ...]]


def group_rows(
    model_id: int,
    versions: Sequence[str],
    times: Int64s,
    tags: Sequence[Sequence[str | None]],
    segments: Sequence[SegmentSpec],
) -> Grouping:
    """Return every series' rows by minute: each version's own, and one per value of each segment's tag."""
    starts = times // MINUTE_MILLIS * MINUTE_MILLIS
    names = sorted(distinct(versions))
    code_of = {version: code for code, version in enumerate(names)}
    codes = (
        np.zeros(len(times), dtype=np.int64)
        if len(names) == 1
        else np.fromiter(map(code_of.__getitem__, versions), np.int64, len(times))
    )
    keys = [SeriesKey(model_id, version) for version in names]
    groups = _groups(keys, codes, starts)
    rows = [tuple(keys[code : code + 1]) for code in range(len(keys))]
    if not segments:
        return Grouping(groups=tuple(groups), series_of_row=_Lookup(rows, codes))
    per_row = [list(rows[code]) for code in codes.tolist()]
    for segment, column in zip(segments, tags, strict=True):
        segment_keys, segment_codes = _segment(model_id, names, codes, segment, column)
        groups += _groups(segment_keys, segment_codes, starts)
        for index, code in enumerate(segment_codes.tolist()):
            if code >= 0:
                per_row[index].append(segment_keys[code])
    return Grouping(groups=tuple(groups), series_of_row=[tuple(counts) for counts in per_row])


class _Lookup(Sequence[tuple[SeriesKey, ...]]):
    """The series of each row by its version's code, without a list of all."""

    def __init__(self, of_code: list[tuple[SeriesKey, ...]], codes: Int64s) -> None:
        self._of_code, self._codes = of_code, codes

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # rows are asked one by one
        return self._of_code[int(self._codes[index])]


def _segment(
    model_id: int, versions: list[str], codes: Int64s, segment: SegmentSpec, column: Sequence[str | None]
) -> tuple[list[SeriesKey], Int64s]:
    values = [*segment.values, OTHER] if OTHER not in segment.values else list(segment.values)
    place: dict[str | None, int] = {value: index for index, value in enumerate(values)}
    other = place[OTHER]
    of_row = np.fromiter((-1 if name is None else place.get(name, other) for name in column), np.int64, len(codes))
    keys = [SeriesKey(model_id, version, segment.tag, value) for version in versions for value in values]
    return keys, np.where(of_row < 0, -1, codes * len(values) + of_row)


def _groups(keys: list[SeriesKey], codes: Int64s, starts: Int64s) -> list[Group]:
    """Return the rows of each series (*codes* of *keys*, -1: none) and minute.

    ::

        row         0  1  2  3  4  5             order (stable)     1  3 | 0  5 | 2
        code        1  0  1  0 -1  1    sorted   code               0  0 | 1  1 | 1
        minute      0  0  1  0  0  0    -->      minute             0  0 | 0  0 | 1
        chosen      0  1  2  3     5             changes, to split at     2      4
    """
    if len(keys) == 1 and len(starts) and (starts == starts[0]).all() and codes[0] >= 0:
        return [Group(series=keys[0], start=int(starts[0]), rows=np.arange(len(starts)))]
    chosen = np.flatnonzero(codes >= 0)
    if not len(chosen):
        return []
    order = chosen[np.lexsort((starts[chosen], codes[chosen]))]
    changes = np.flatnonzero((np.diff(codes[order]) != 0) | (np.diff(starts[order]) != 0)) + 1
    return [
        Group(series=keys[int(codes[rows[0]])], start=int(starts[rows[0]]), rows=rows)
        for rows in np.split(order, changes)
    ]


class PredictionCounter:
    """Counts under one configuration, with one `CellCounter` per layout; without *places* any number of versions."""

    def __init__(self, places: VersionPlaces | None = None) -> None:
        self._counters: dict[int, CellCounter] = {}
        self._places = places

    def count(
        self, predictions: Predictions, digests: UInt64s, keep: Mask, batch: RecordBatch, pending: PendingCounts
    ) -> None:
        """Add those of *predictions* that *keep* marks (both of one length, as *digests*) to *pending*."""
        model, kept = predictions.model, predictions
        if not keep.all():
            kept, digests = predictions.only(np.flatnonzero(keep)), digests[keep]
        if not len(kept.rows):
            return
        if self._places is not None:
            newest = int(kept.times.max())
            names = self._places.counted_as(model.model_id, kept.versions, newest=newest, claims=pending.versions)
            kept = kept if names is kept.versions else replace(kept, versions=names)
        grouping = group_rows(model.model_id, kept.versions, kept.times, kept.tags, model.spec.segments)
        rate = model.spec.sample_rate
        in_ledger = sampled(digests, rate) if rate > 0 else None
        by_cells: dict[int, list[Group]] = {}
        for group in grouping.groups:
            by_cells.setdefault(model.cells_at(group.start).cells_id, []).append(group)
        for cells_id, groups in by_cells.items():
            self._count_groups(kept, cells_id, groups, in_ledger, pending)
        if in_ledger is not None and in_ledger.any():
            pending.predictions += _sample(kept, digests, np.flatnonzero(in_ledger), grouping, batch)

    def _count_groups(
        self, kept: Predictions, cells_id: int, groups: Sequence[Group], in_ledger: Mask | None, pending: PendingCounts
    ) -> None:
        counter = self._counter(kept.model, cells_id)
        position = {name: index for index, name in enumerate(kept.names)}
        columns: list[Column] = [kept.columns[position[name]] for name in counter.names]
        panes = []
        for group in groups:
            pane = pending.pane((group.series, cells_id, group.start), counter.layout.size)
            pane.events += len(group.rows)
            if in_ledger is not None:
                pane.sampled += int(np.count_nonzero(in_ledger[group.rows]))
            panes.append(pane)
        unseen = counter.count(columns, [group.rows for group in groups], [group.counts for group in panes])
        if unseen:
            _tally_unseen(counter, unseen, columns, groups, pending)

    def _counter(self, model: AppliedModel, cells_id: int) -> CellCounter:
        if cells_id not in self._counters:
            layout = next(cell.layout for cell in model.cells if cell.cells_id == cells_id)
            self._counters[cells_id] = CellCounter(layout)
        return self._counters[cells_id]


def _tally_unseen(
    counter: CellCounter,
    unseen: Sequence[UnseenRows],
    columns: Sequence[Column],
    groups: Sequence[Group],
    pending: PendingCounts,
) -> None:
    """Name the unseen values of each whole version; an event is in one such group, and in those of its segments."""
    whole = [group for group in groups if group.series.segment_tag == ALL_SEGMENT]
    for column in unseen:
        values, name = columns[column.index], counter.layout.columns[column.index].name
        marked = np.zeros(len(values), dtype=np.bool_)
        marked[column.rows] = True
        for group in whole:
            rows = group.rows[marked[group.rows]].tolist()
            if rows:
                key = UnseenKey(group.series, name, hour_of(group.start))
                pending.unseen.setdefault(key, ValueTally()).add(values[row] for row in rows)


def _sample(
    kept: Predictions, digests: UInt64s, chosen: Indices, grouping: Grouping, batch: RecordBatch
) -> list[SampledPredictions]:
    codes = batch.codes[kept.rows[chosen]]
    return [
        _sample_of_partition(kept, digests, chosen[codes == code], grouping, batch, code)
        for code in np.unique(codes).tolist()
    ]


def _sample_of_partition(
    kept: Predictions, digests: UInt64s, chosen: Indices, grouping: Grouping, batch: RecordBatch, code: int
) -> SampledPredictions:
    at = chosen.tolist()
    scores = [_finite(score) for score in kept.scores[chosen].tolist()]
    return SampledPredictions(
        model_id=kept.model.model_id,
        source=batch.partitions[code],
        hashes=[digest_text(digests[index]) for index in at],
        versions=[kept.versions[index] for index in at],
        series=[grouping.series_of_row[index] for index in at],
        event_times=kept.times[chosen].tolist(),
        scores=scores,
        labels=[_label(kept.labels[index], score, kept.model.spec) for index, score in zip(at, scores, strict=True)],
        values=[_finite(value) for value in kept.values[chosen].tolist()],
        offsets=batch.offsets[kept.rows[chosen]].tolist(),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _label(value: Any, score: float | None, spec: ModelSpec) -> str | None:
    """Return the label as sent, else as the score's side of the threshold says."""
    if value is not None and value is not INVALID:
        label = canonical_category(value)
        if "\x00" in label:
            return None
        # No truth is longer: what is cut equals none, as before, and takes no megabyte of the ledger.
        return label if len(label) <= LONGEST_NAME else label[:LONGEST_NAME] + "…"
    if value is None and score is not None and spec.task is Task.BINARY:
        return spec.truth.positive if score >= spec.prediction.threshold else spec.truth.negative
    return None
