"""One partition that is ours: where the flushed state ends, and what the unflushed records add to it."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from consumers.dead_letter_limit import DeadLetterLimit, after, decode_recent, encode_recent, limit_reached
from consumers.recent_identities import RecentIdentities
from monitor.store.dedup import SeenIdentities
from monitor.store.offsets import PartitionCounters, PartitionMove, StoredOffset


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What is stored of a partition, or would be after the next flush."""

    next_offset: int
    max_event_time: int | None
    recent_bad: npt.NDArray[np.bool_]


class PartitionState:
    """Running state; `stored` is in Postgres, `now` includes the unflushed records."""

    def __init__(self, row: StoredOffset, seen: SeenIdentities, *, horizon: int) -> None:
        self.key = row.key
        self.role = row.role
        self.epoch = row.epoch
        self.topic_id = row.topic_id
        self.forgiven_until = row.forgiven_until
        self.seen = RecentIdentities(seen, horizon=horizon)
        self.stored = Position(
            next_offset=row.next_offset,
            max_event_time=row.max_event_time,
            recent_bad=decode_recent(row.recent_bad),
        )
        self.now = self.stored
        self.counters = PartitionCounters()
        self.end_offset = -1  # where the broker last said that the partition ends
        self.flowing = False
        self.sought = True  # no record has come since the seek that let it flow
        self._hole = (-1, -1)
        self._written_at, self._written_at_end = -math.inf, False

    @property
    def at_end(self) -> bool:
        """Every record that was there when we last asked has been read."""
        return self.end_offset >= self.now.next_offset

    @property
    def moved(self) -> bool:
        return self.now.next_offset != self.stored.next_offset

    def follows(self, first: int) -> bool:
        """Return whether the record at offset *first* can be the next one; False: seek again.

        The first record after a seek is the one we asked for, or the seek was lost and everything between would be
        skipped unseen. Logs may have holes (compaction, transactions): a second seek that finds the same is right.
        """
        hole = (self.now.next_offset, first)
        if first > self.now.next_offset and hole != self._hole:
            self._hole = hole
            return False
        self.sought = False
        return True

    def advance(
        self, *, offsets: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_], max_event_time: int | None
    ) -> None:
        """Take in records up to the last of *offsets*; *bad* marks the dead letters among them."""
        self.now = Position(
            next_offset=int(offsets[-1]) + 1,
            max_event_time=max_event_time,
            recent_bad=after(self.now.recent_bad, bad & (offsets >= self.forgiven_until)),
        )

    def passes(self, limit: DeadLetterLimit, *, offsets: npt.NDArray[np.int64], bad: npt.NDArray[np.bool_]) -> bool:
        """Return whether *bad* records bring the partition over the limit of dead letters."""
        return limit_reached(self.now.recent_bad, bad & (offsets >= self.forgiven_until), limit)

    def add(self, **counts: int) -> None:
        """Add to the counters by name."""
        self.counters = replace(
            self.counters, **{name: getattr(self.counters, name) + count for name, count in counts.items()}
        )

    def move(self) -> PartitionMove:
        """Return this partition's part of a flush."""
        return PartitionMove(
            key=self.key,
            epoch=self.epoch,
            first_offset=self.stored.next_offset,
            next_offset=self.now.next_offset,
            max_event_time=self.now.max_event_time,
            caught_up=self.at_end,
            counters=self.counters,
            recent_bad=encode_recent(self.now.recent_bad),
        )

    def says_more(self, *, now: float, every_seconds: float) -> bool:
        """Return whether a heartbeat would tell more than a flush within *every_seconds* before *now* has told."""
        return self.at_end != self._written_at_end or now - self._written_at >= every_seconds

    def keep(self, *, now: float) -> None:
        """The flush was committed *now* (monotonic seconds)."""
        self.stored = self.now
        self._written_at, self._written_at_end = now, self.at_end
        self.counters = PartitionCounters()
        self.seen.keep()

    def roll_back(self) -> None:
        """Forget the unflushed records; they will be counted again."""
        self.now = self.stored
        self.counters = PartitionCounters()
        self.seen.forget_unstored()
