"""Decoded counts kept by the ids of the immutable rows they sum up, least recently used out first."""

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np

from monitor.arrays import AnyIntegers, Int64s

RowIds = tuple[int, ...]


class CountsCache:
    """Counts by the ids of the rows they are the sum of.

    A row never changes, so an entry is never wrong, unless the database is restored to an earlier moment and gives its
    ids away again: `clear` on every new connection.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[RowIds, AnyIntegers] = OrderedDict()

    def get(self, ids: RowIds) -> AnyIntegers | None:
        """Return the counts of *ids*, None when they are not kept."""
        counts = self._entries.get(ids)
        if counts is not None:
            self._entries.move_to_end(ids)
        return counts

    def put(self, ids: RowIds, counts: AnyIntegers) -> None:
        """Keep *counts*; they must not be written to afterwards."""
        if ids in self._entries:
            return
        self._entries[ids] = counts
        self._bytes += counts.nbytes
        while self._bytes > self._max_bytes and self._entries:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= dropped.nbytes

    def clear(self) -> None:
        """Keep nothing."""
        self._entries.clear()
        self._bytes = 0


def total(parts: Iterable[AnyIntegers], *, size: int) -> Int64s:
    """Return the sum of *parts* (each of *size* counts, any unsigned type) as int64."""
    result = np.zeros(size, dtype=np.int64)
    for part in parts:
        np.add(result, part, out=result, casting="unsafe")  # uint64 + int64 would become float64
    return result


def narrowed(counts: Int64s) -> AnyIntegers:
    """Return non-negative *counts* in the narrowest unsigned type that holds them."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
