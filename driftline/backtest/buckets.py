"""Equal stretches of the history's time, by which everything is counted that is drawn."""

from dataclasses import dataclass

from monitor.types import MINUTE_MILLIS

BUCKETS_AT_MOST = 360
_MINUTES = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBuckets:
    """*count* half-open buckets of *millis* each, from *start* (ms) on."""

    start: int
    millis: int
    count: int

    def of_end(self, end: int) -> int:
        """Return the bucket in which what ended at *end* (ms) happened."""
        return min(max((end - 1 - self.start) // self.millis, 0), self.count - 1)

    def end_of(self, bucket: int) -> int:
        """Return where *bucket* ends (ms)."""
        return self.start + (bucket + 1) * self.millis


def time_buckets(first: int, last: int, *, at_most: int = BUCKETS_AT_MOST) -> TimeBuckets:
    """Return at most *at_most* buckets of a round length that hold *first* to *last* (ms), aligned to that length."""
    days = 1440
    lengths = (*_MINUTES, *(days * number for number in range(2, 100_000)))
    for minutes in lengths:
        millis = minutes * MINUTE_MILLIS
        start = first // millis * millis
        count = last // millis - first // millis + 1
        if count <= at_most:
            return TimeBuckets(start=start, millis=millis, count=count)
    raise ValueError(f"expected times within {at_most * lengths[-1] // days} days, found {first} to {last} ms")
