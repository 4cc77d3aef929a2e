"""Admission of records: future, duplicate and late ones are not counted; the limit of dead letters; pure."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from consumers.identities import RecentIdentities
from consumers.records import LOG_APPEND_TIME, RecordBatch
from monitor.arrays import Int64s, Mask, UInt64s
from monitor.errors import UnavailableError
from monitor.settings import Settings

REMEMBERED = 1000
NEVER = -(1 << 62)  # before any event time
_NONE: Int64s = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimit:
    """Over *share* of the last thousand records bad, and at least *minimum* of them."""

    share: float
    minimum: int


@dataclass(frozen=True, slots=True, eq=False)
class RecentRecords:
    """The last thousand records: how many there were yet, and the places (rising) of the bad ones among them.

    A producer that sends nothing bad costs one integer, and nothing to write once there were a thousand.
    """

    length: int = 0
    bad: Int64s = field(default_factory=lambda: _NONE)

    def after(self, bad: Mask) -> "RecentRecords":
        """Return the last thousand records after those of *bad* were added."""
        total = self.length + len(bad)
        left = max(0, total - REMEMBERED)
        places = self.bad
        if bad.any():
            places = np.concatenate([places, self.length + np.flatnonzero(bad)])
        if len(places) and left:
            places = places[np.searchsorted(places, left) :] - left
        return RecentRecords(total - left, places)

    def first_over_limit(self, bad: Mask, limit: DeadLetterLimit) -> int | None:
        """Return the index of the first of *bad*, which follow, that brings them over *limit*; None: none does.

        Only a bad record can: a good one adds to what the share is of, or replaces another in it.
        """
        new = self.length + np.flatnonzero(bad)
        if not len(new):
            return None
        line = np.concatenate([self.bad, new])
        before = np.searchsorted(line, new - REMEMBERED, side="right")
        among = np.arange(len(self.bad) + 1, len(line) + 1) - before
        past = (among >= limit.minimum) & (among > limit.share * np.minimum(new + 1, REMEMBERED))
        return int(new[np.argmax(past)]) - self.length if past.any() else None

    def is_over_limit(self, limit: DeadLetterLimit) -> bool:
        """Return whether they are over *limit* now."""
        return len(self.bad) >= limit.minimum and len(self.bad) > limit.share * self.length

    def encoded(self) -> bytes:
        """Return them as two bytes of length and, if any is bad, one bit each."""
        length = self.length.to_bytes(2, "big")
        if not len(self.bad):
            return length
        bits = np.zeros(self.length, dtype=np.bool_)
        bits[self.bad] = True
        return length + np.packbits(bits).tobytes()


def decode_recent(stored: bytes | None) -> RecentRecords:
    """Return what `RecentRecords.encoded` wrote; nothing yet when None."""
    if not stored:
        return RecentRecords()
    length = int.from_bytes(stored[:2], "big")
    bits = np.unpackbits(np.frombuffer(stored[2:], dtype=np.uint8), count=length) if len(stored) > 2 else _NONE
    return RecentRecords(length, np.flatnonzero(bits))


@dataclass(frozen=True, slots=True, kw_only=True)
class LatenessBounds:
    """How far event times may stray, in milliseconds."""

    disorder: int
    allowed_lateness: int
    max_future: int


def lateness_bounds(settings: Settings) -> LatenessBounds:
    """Return the bounds that *settings* spell."""
    return LatenessBounds(
        disorder=settings.disorder_seconds * 1000,
        allowed_lateness=settings.allowed_lateness_seconds * 1000,
        max_future=settings.max_future_seconds * 1000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionDecisions:
    """Which records are future, duplicate or late, at most one of them each; all others are counted."""

    future: Mask
    duplicate: Mask
    late: Mask
    max_event_time: int | None

    @property
    def counted(self) -> Mask:
        return ~(self.future | self.duplicate | self.late)


def decide_admission(
    *,
    offsets: Int64s,
    timestamps: Int64s,
    times: Int64s,
    hashes: UInt64s,
    seen: RecentIdentities,
    max_event_time: int | None,
    bounds: LatenessBounds,
) -> AdmissionDecisions:
    """Decide which well-formed records of one partition are counted, in offset order.

    Args:
        offsets, timestamps, times, hashes: Shape ``(records,)``: offset, the moment of
            `future_baseline` (ms), event time (ms), identity.
        seen: The identities before; takes in those of records that are not future.
        max_event_time: The largest event time before, None: no record yet.
    """
    future = times > timestamps + bounds.max_future
    duplicate = np.zeros(len(times), dtype=np.bool_)
    present = ~future
    if present.all():
        duplicate = seen.duplicates(offsets, hashes)
    elif present.any():
        duplicate[present] = seen.duplicates(offsets[present], hashes[present])
    moving = np.where(future | duplicate, NEVER, times)
    largest = np.maximum.accumulate(np.maximum(moving, NEVER if max_event_time is None else max_event_time))
    late = present & ~duplicate & (times < largest - bounds.disorder - bounds.allowed_lateness)
    newest = int(largest[-1]) if len(largest) else NEVER
    return AdmissionDecisions(
        future=future,
        duplicate=duplicate,
        late=late,
        max_event_time=max_event_time if newest == NEVER else newest,
    )


class FutureCheckClock(Protocol):
    """The database's clock, which is asked only where an event time seems to be ahead of it."""

    def now_millis(self) -> int: ...
    def read(self) -> int: ...


def future_baseline(batch: RecordBatch, times: Int64s, *, max_future: int, clock: FutureCheckClock) -> Int64s:
    """Return the moment (ms) that each event time of *batch* may be at most *max_future* ahead of.

    That is the record's Kafka timestamp; the database's clock where that is earlier and the producer dated the record.
    """
    ahead = np.flatnonzero((times > clock.now_millis() + max_future) & (times <= batch.timestamps + max_future))
    by_producer = [row for row in ahead.tolist() if batch.records[row].timestamp()[0] != LOG_APPEND_TIME]
    if not by_producer:
        return batch.timestamps
    try:
        now = clock.read()  # a machine that slept knows it only now
    except UnavailableError:
        now = clock.now_millis()  # the decision is stored when the database is back
    bounds = batch.timestamps.copy()
    bounds[by_producer] = np.minimum(bounds[by_producer], now)
    return bounds


def largest_time(times: Int64s, before: int | None) -> int | None:
    """Return the largest of *times* and *before*; None when there is neither."""
    if not len(times):
        return before
    newest = int(times.max())
    return newest if before is None else max(before, newest)
