"""Loads counts of pane rows, each decoded once, and adds them up by steps that many windows share."""

from collections.abc import Iterable, Iterator

import sqlalchemy as sa

from monitor.arrays import AnyIntegers
from monitor.errors import DriftlineError
from monitor.store.panes import pane_counts
from monitor.windows.count_cache import CountsCache, RowIds, narrowed, total
from monitor.windows.pane_codec import decode_counts
from monitor.windows.sliding import PaneRow

ROWS_AT_ONCE = 512  # of up to some 20 kB: a catch-up reads few statements and holds little


class PaneRowsReplaced(DriftlineError):
    """A compaction replaced rows between the statement that listed them and the one that read them: list again."""


def row_ids(step: Iterable[PaneRow]) -> RowIds:
    """Return what the counts of one step are known by."""
    return tuple(row.row_id for row in step)


class StepSums:
    """Counts of steps; a step is the tuple of its rows, all on one layout of *size* counts."""

    def __init__(self, connection: sa.Connection, cache: CountsCache, *, size: int) -> None:
        self._connection = connection
        self._cache = cache
        self._size = size

    def load(self, steps: Iterable[tuple[PaneRow, ...]]) -> dict[RowIds, AnyIntegers]:
        """Return the counts of each step by the ids of its rows.

        Raises:
            PaneRowsReplaced: A row is no longer there.
            CorruptPaneError: A row's counts cannot be decoded.
        """
        loaded: dict[RowIds, AnyIntegers] = {}
        missing: dict[RowIds, None] = {}
        for ids in map(row_ids, steps):
            if ids in loaded or ids in missing:
                continue
            counts = self._cache.get(ids)
            if counts is None:
                missing[ids] = None
            else:
                loaded[ids] = counts
        for group in _groups(missing):
            loaded.update(self._sums(group))
        return loaded

    def _sums(self, steps: list[RowIds]) -> dict[RowIds, AnyIntegers]:
        rows = self._decoded({row_id for ids in steps for row_id in ids})
        sums: dict[RowIds, AnyIntegers] = {}
        for ids in steps:
            sums[ids] = (
                rows[ids[0]] if len(ids) == 1 else narrowed(total((rows[row_id] for row_id in ids), size=self._size))
            )
            self._cache.put(ids, sums[ids])
        return sums

    def _decoded(self, row_ids: set[int]) -> dict[int, AnyIntegers]:
        known = {row_id: counts for row_id in row_ids if (counts := self._cache.get((row_id,))) is not None}
        unknown = sorted(row_ids - known.keys())
        encoded = pane_counts(self._connection, unknown) if unknown else {}
        if len(encoded) != len(unknown):
            raise PaneRowsReplaced(
                f"{len(unknown) - len(encoded)} of {len(unknown)} pane rows were compacted meanwhile"
            )
        for row_id, pane_bytes in encoded.items():
            known[row_id] = decode_counts(pane_bytes, size=self._size)
            self._cache.put((row_id,), known[row_id])
        return known


def _groups(steps: Iterable[RowIds]) -> Iterator[list[RowIds]]:
    group: list[RowIds] = []
    rows = 0
    for ids in steps:
        group.append(ids)
        rows += len(ids)
        if rows >= ROWS_AT_ONCE:
            yield group
            group, rows = [], 0
    if group:
        yield group
