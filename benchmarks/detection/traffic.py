"""When events happen: evenly, or with a daily cycle."""

from dataclasses import dataclass

import numpy as np

from benchmarks.detection.stream import DAY, MINUTE
from monitor.arrays import Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Events a minute on average, and how many times more there are at the busiest minute than at the quietest."""

    per_minute: float = 100.0
    ratio: float = 1.0

    def times(self, *, start: int, minutes: int) -> Int64s:
        """Return event times (ms, increasing): evenly inside each minute, noon being busiest.

        The number of events in a minute is its expected number, rounded so that the sum stays right.
        """
        at = np.arange(minutes, dtype=np.int64) * MINUTE + start
        swing = (self.ratio - 1.0) / (self.ratio + 1.0)
        expected = self.per_minute * (1.0 - swing * np.cos(2.0 * np.pi * (at % DAY) / DAY))
        counts = np.diff(np.floor(np.cumsum(expected) + 1e-6), prepend=0.0).astype(np.int64)
        first = np.cumsum(counts) - counts
        place = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(first, counts)
        return np.repeat(at, counts) + (place * MINUTE + MINUTE // 2) // np.repeat(counts, counts)


def minute_of(times: Int64s, *, start: int) -> Int64s:
    """Return for each time the number of its minute since *start*."""
    return (times - start) // MINUTE
