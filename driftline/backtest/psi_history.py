"""The largest PSI of each column in each bucket of time."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float32s
from monitor.results import ColumnResult
from monitor.types import Scale
from monitor.units import DAY_MINUTES, MINUTE_MILLIS

BUCKETS_AT_MOST = 360
_MINUTES = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)

_PSI, _PROVEN = 0, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBuckets:
    """*count* half-open buckets of *millis* each, from *start* (ms) on."""

    start: int
    millis: int
    count: int

    def of_end(self, end: int) -> int:
        """Return the bucket in which what ended at *end* (ms) happened."""
        return min(max((end - 1 - self.start) // self.millis, 0), self.count - 1)


def time_buckets(first: int, last: int, *, at_most: int = BUCKETS_AT_MOST) -> TimeBuckets:
    """Return at most *at_most* buckets of a round length that hold *first* to *last* (ms), aligned to that length."""
    days = DAY_MINUTES
    lengths = (*_MINUTES, *(days * number for number in range(2, 100_000)))
    for minutes in lengths:
        millis = minutes * MINUTE_MILLIS
        start = first // millis * millis
        count = last // millis - first // millis + 1
        if count <= at_most:
            return TimeBuckets(start=start, millis=millis, count=count)
    raise ValueError(f"expected times within {at_most * lengths[-1] // days} days, found {first} to {last} ms")


class PsiTracks:
    """Kept by version and scale; memory is columns x buckets, not windows."""

    def __init__(self, buckets: TimeBuckets) -> None:
        self.buckets = buckets
        self.names: tuple[str, ...] = ()
        self._kept: dict[tuple[str, Scale], Float32s] = {}

    def add(self, version: str, scale: Scale, *, end: int, columns: tuple[ColumnResult, ...]) -> None:
        """Take in the numbers of one window that ended at *end* (ms)."""
        if not columns:
            return
        if not self.names:
            self.names = tuple(column.name for column in columns)
        key = (version, scale)
        if key not in self._kept:
            self._kept[key] = np.full((2, len(self.names), self.buckets.count), np.nan, dtype=np.float32)
        numbers = np.array(
            [[_number(column.psi) for column in columns], [_number(column.psi_low) for column in columns]]
        )
        at = self._kept[key][:, :, self.buckets.of_end(end)]
        np.fmax(at, numbers, out=at, casting="same_kind")

    @property
    def keys(self) -> tuple[tuple[str, Scale], ...]:
        """Every version and scale that had a judged column, in order."""
        return tuple(sorted(self._kept))

    def psi(self, version: str, scale: Scale) -> Float32s:
        """Return the largest PSI; shape ``(columns, buckets)``, NaN where nothing was measured."""
        psi: Float32s = self._kept[version, scale][_PSI]
        return psi

    def proven(self, version: str, scale: Scale) -> Float32s:
        """Return the largest proven lower bound; NaN where PSI passed no tier."""
        proven: Float32s = self._kept[version, scale][_PROVEN]
        return proven


def _number(value: float | None) -> float:
    return np.nan if value is None else value
