"""Which rows count where: one group of rows per (series, minute)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from consumers.decode.decoded import Indices, Integers
from consumers.distinct import distinct
from monitor.spec.model import SegmentSpec
from monitor.types import MINUTE_MILLIS, SeriesKey

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
    times: Integers,
    tags: Sequence[Sequence[str | None]],
    segments: Sequence[SegmentSpec],
) -> Grouping:
    """Return every series' rows by minute: each version's own, and one per value of each segment's tag."""
    starts = times // MINUTE_MILLIS * MINUTE_MILLIS
    found = sorted(distinct(versions))
    code_of = {version: code for code, version in enumerate(found)}
    codes = (
        np.zeros(len(times), dtype=np.int64)
        if len(found) == 1
        else np.fromiter(map(code_of.__getitem__, versions), np.int64, len(times))
    )
    keys = [SeriesKey(model_id, version) for version in found]
    groups = _groups(keys, codes, starts)
    rows = [tuple(keys[code : code + 1]) for code in range(len(keys))]
    if not segments:
        return Grouping(groups=tuple(groups), series_of_row=_Lookup(rows, codes))
    per_row = [list(rows[code]) for code in codes.tolist()]
    for segment, column in zip(segments, tags, strict=True):
        segment_keys, segment_codes = _segment(model_id, found, codes, segment, column)
        groups += _groups(segment_keys, segment_codes, starts)
        for index, code in enumerate(segment_codes.tolist()):
            if code >= 0:
                per_row[index].append(segment_keys[code])
    return Grouping(groups=tuple(groups), series_of_row=[tuple(each) for each in per_row])


class _Lookup(Sequence[tuple[SeriesKey, ...]]):
    """The series of each row by its version's code, without a list of all."""

    def __init__(self, of_code: list[tuple[SeriesKey, ...]], codes: Integers) -> None:
        self._of_code, self._codes = of_code, codes

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # rows are asked one by one
        return self._of_code[int(self._codes[index])]


def _segment(
    model_id: int, versions: list[str], codes: Integers, segment: SegmentSpec, column: Sequence[str | None]
) -> tuple[list[SeriesKey], Integers]:
    values = [*segment.values, OTHER] if OTHER not in segment.values else list(segment.values)
    place: dict[str | None, int] = {value: index for index, value in enumerate(values)}
    other = place[OTHER]
    of_row = np.fromiter((-1 if each is None else place.get(each, other) for each in column), np.int64, len(codes))
    keys = [SeriesKey(model_id, version, segment.tag, value) for version in versions for value in values]
    return keys, np.where(of_row < 0, -1, codes * len(values) + of_row)


def _groups(keys: list[SeriesKey], codes: Integers, starts: Integers) -> list[Group]:
    if len(keys) == 1 and len(starts) and (starts == starts[0]).all() and codes[0] >= 0:
        return [Group(series=keys[0], start=int(starts[0]), rows=np.arange(len(starts)))]
    chosen = np.nonzero(codes >= 0)[0]
    if not len(chosen):
        return []
    order = chosen[np.lexsort((starts[chosen], codes[chosen]))]
    changes = np.nonzero((np.diff(codes[order]) != 0) | (np.diff(starts[order]) != 0))[0] + 1
    return [
        Group(series=keys[int(codes[rows[0]])], start=int(starts[rows[0]]), rows=np.sort(rows))
        for rows in np.split(order, changes)
    ]
