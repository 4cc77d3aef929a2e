"""The three decisions of ingest: future, duplicate, late; functions of the partition's own log in offset order.

One exception: where producers date the records themselves (`CreateTime`) a wrong clock dates event and record alike.
There the database's clock at the first reading is a second bound, and the stored dead letter is the decision.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from consumers.recent_identities import RecentIdentities
from consumers.records import LOG_APPEND_TIME, RecordBatch
from monitor.errors import UnavailableError

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
NEVER = -(1 << 62)  # before any event time


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How far event times may stray, in milliseconds."""

    disorder: int
    allowed_lateness: int
    max_future: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What becomes of each record; no record is two of them, and what is none of them counts."""

    future: Mask
    duplicate: Mask
    late: Mask
    max_event_time: int | None

    @property
    def counted(self) -> Mask:
        return ~(self.future | self.duplicate | self.late)


def decide(
    *,
    offsets: Integers,
    timestamps: Integers,
    times: Integers,
    hashes: npt.NDArray[np.uint64],
    seen: RecentIdentities,
    max_event_time: int | None,
    patience: Patience,
) -> Decisions:
    """Decide about well-formed records of one partition, in offset order.

    Args:
        offsets, timestamps, times, hashes: Shape ``(records,)``: offset, the moment that the event time is held
            against (ms, see `held_against`), event time (ms), identity.
        seen: The identities before; takes in those of records that are not future.
        max_event_time: The largest event time before, None: no record yet.
        patience: The bounds.
    """
    future = times > timestamps + patience.max_future
    duplicate = np.zeros(len(times), dtype=np.bool_)
    present = ~future
    if present.all():
        duplicate = seen.duplicates(offsets, hashes)
    elif present.any():
        duplicate[present] = seen.duplicates(offsets[present], hashes[present])
    moving = np.where(future | duplicate, NEVER, times)
    largest = np.maximum.accumulate(np.maximum(moving, NEVER if max_event_time is None else max_event_time))
    late = present & ~duplicate & (times < largest - patience.disorder - patience.allowed_lateness)
    newest = int(largest[-1]) if len(largest) else NEVER
    return Decisions(
        future=future,
        duplicate=duplicate,
        late=late,
        max_event_time=max_event_time if newest == NEVER else newest,
    )


class DecidingClock(Protocol):
    """The database's clock, which is asked only where an event time seems to be ahead of it."""

    def now_millis(self) -> int: ...
    def read(self) -> int: ...


def held_against(batch: RecordBatch, times: Integers, *, max_future: int, clock: DecidingClock) -> Integers:
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


def largest_time(times: Integers, before: int | None) -> int | None:
    """Return the largest of *times* and *before*; None when there is neither."""
    if not len(times):
        return before
    newest = int(times.max())
    return newest if before is None else max(before, newest)
