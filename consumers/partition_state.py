"""State of one assigned partition: flushed position, unflushed records, event time up to which it is complete."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from consumers.admission import DeadLetterLimit, RecentRecords, decode_recent
from consumers.continuity import Hole
from consumers.identities import RecentIdentities
from consumers.model_intake import ModelIntakes
from monitor.arrays import Int64s, Mask
from monitor.store.duplicates import SeenIdentities
from monitor.store.offsets import PartitionCounters, PartitionMove, StoredOffset


class Confirmation:
    """Up to which event time an idle partition is complete, although no event of its own shows it.

    A *sample* is the newest event time that any partition has counted. A producer that sends in order has sent
    everything before it by then, wherever it falls, and the broker has it some seconds later: a partition that is read
    to its end after those seconds holds nothing older that was not counted.

    One whose records never pause is never seen at its end, though it may have no event that counts. There the end that
    a later answer of the broker named will do, once the position has passed it: an answer is later if it names another
    end than was known when the seconds were over.
    """

    def __init__(self, *, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._sample: tuple[int, float] | None = None
        self._known_end: int | None = None  # when the seconds were over
        self._later_end: int | None = None

    @property
    def wants_sample(self) -> bool:
        """Return whether there is nothing to be confirmed."""
        return self._sample is None

    def sample(self, event_time: int, *, now: float) -> None:
        """Remember *event_time* (ms), which was read before *now* (monotonic seconds)."""
        self.forget()
        self._sample = (event_time, now)

    def forget(self) -> None:
        """Discard the sample: perhaps nothing came from the broker since."""
        self._sample = self._known_end = self._later_end = None

    def due(self, *, now: float, at_end: bool, position: int, fetched_end: int) -> int | None:
        """Return the event time (ms) that is confirmed by what was read until *now*; None: nothing yet.

        Args:
            now: Monotonic seconds.
            at_end: Everything that was there at the client's last fetch is read.
            position: Everything before is read.
            fetched_end: Where the partition ended at the client's last fetch; negative: not known.
        """
        if self._sample is None:
            return None
        event_time, taken_at = self._sample
        if now - taken_at < self._settle_seconds:
            return None
        if self._known_end is None:
            self._known_end = fetched_end
        if self._later_end is None and fetched_end >= 0 and fetched_end != self._known_end:
            self._later_end = fetched_end
        passed = self._later_end is not None and position >= self._later_end
        return event_time if at_end or passed else None

    def written(self, event_time: int | None) -> None:
        """What `due` returned is stored; the next sample may be taken."""
        if event_time is not None:
            self.forget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What is stored of a partition, or would be after the next flush.

    *recent*: bad among them are dead letters that no model can be blamed for.
    """

    next_offset: int
    max_event_time: int | None
    recent: RecentRecords


class PartitionState:
    """Running state; `stored` is in Postgres, `now` includes the unflushed records."""

    def __init__(
        self,
        row: StoredOffset,
        seen: SeenIdentities,
        *,
        horizon: int,
        intakes: ModelIntakes | None = None,
        settle_seconds: float = 5.0,
    ) -> None:
        self.key = row.key
        self.role = row.role
        self.epoch = row.epoch
        self.topic_id = row.topic_id
        self.incarnation = row.incarnation
        self.forgiven_until = row.forgiven_until
        self.seen = RecentIdentities(seen, horizon=horizon)
        self.intakes = intakes or ModelIntakes(row.key, (), end=0)
        self.stored = Position(
            next_offset=row.next_offset,
            max_event_time=row.max_event_time,
            recent=decode_recent(row.recent_bad),
        )
        self.now = self.stored
        self.counters = PartitionCounters()
        self.end_offset = -1  # where the broker last said that the partition ends; known only while it flows
        self.fetched_end = -1  # where it ended at the client's last fetch, of which records may wait to be consumed
        self.confirmation = Confirmation(settle_seconds=settle_seconds)
        self.confirmed_event_time: int | None = None  # what the next flush or heartbeat writes
        self.flowing = False  # the client reads it from our position on
        self.refusals = 0  # readings in a row that did not follow our position
        self._holes: dict[int, int] = {}  # start -> stop; accepted since the last flush
        self._written_at, self._written_at_end = -math.inf, False

    @property
    def at_end(self) -> bool:
        """Every record that was there at the client's last fetch has been read."""
        return self.flowing and self.end_offset >= max(self.now.next_offset, self.fetched_end)

    @property
    def moved(self) -> bool:
        return self.now.next_offset != self.stored.next_offset

    @property
    def skipped(self) -> int:
        """Offsets of accepted holes that the next flush passes over."""
        return sum(stop - start for start, stop in self._holes.items() if stop <= self.now.next_offset)

    def halt(self) -> None:
        """Note that the client stopped reading it, and forget the end that it knew."""
        self.flowing = False
        self.end_offset = self.fetched_end = -1

    def look_at_end(self, *, fetched_end: int, now: float) -> None:
        """Before a flush or a heartbeat (*now* in monotonic seconds): is it still at its end, what does that confirm?

        *fetched_end*: where the partition ended at the client's last fetch.
        """
        self.fetched_end = fetched_end
        self.confirmed_event_time = self.confirmation.due(
            now=now, at_end=self.at_end, position=self.now.next_offset, fetched_end=fetched_end
        )

    def confirmation_written(self) -> None:
        """What `look_at_end` confirmed is stored."""
        self.confirmation.written(self.confirmed_event_time)
        self.confirmed_event_time = None

    def unknown_holes(self, holes: Iterable[Hole]) -> tuple[Hole, ...]:
        """Return those of *holes* that were not accepted yet."""
        return tuple(hole for hole in holes if self._holes.get(hole.start) != hole.stop)

    def accept(self, holes: Iterable[Hole]) -> None:
        """Pass over *holes*: the broker has no records there."""
        self._holes |= {hole.start: hole.stop for hole in holes}
        self.now = replace(self.now, next_offset=self._over_holes(self.now.next_offset))

    def _over_holes(self, offset: int) -> int:
        while offset in self._holes:
            offset = self._holes[offset]
        return offset

    def advance(self, *, offsets: Int64s, bad: Mask, max_event_time: int | None) -> None:
        """Take in records up to the last of *offsets*; *bad* marks those that no model is blamed for."""
        self.now = Position(
            next_offset=self._over_holes(int(offsets[-1]) + 1),
            max_event_time=max_event_time,
            recent=self.now.recent.after(bad & (offsets >= self.forgiven_until)),
        )

    def notice(self, limit: DeadLetterLimit) -> str | None:
        """Return a warning while over *limit* of the records are bad and of no known model; None without."""
        recent = self.now.recent
        if not recent.is_over_limit(limit):
            return None
        return (
            f"{self.key}: {len(recent.bad):,} of the last {recent.length:,} records name no model or cannot be read;"
            " they are dead letters and nothing stops: see `driftline dead-letters list`"
        )

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
            incarnation=self.incarnation,
            first_offset=self.stored.next_offset,
            next_offset=self.now.next_offset,
            max_event_time=self.now.max_event_time,
            confirmed_event_time=self.confirmed_event_time,
            caught_up=self.at_end,
            counters=replace(self.counters, skipped=self.skipped),
            recent_bad=self.now.recent.encoded(),
        )

    def heartbeat_due(self, *, now: float, every_seconds: float) -> bool:
        """Return whether the last flush was *every_seconds* before *now*, or did not know what we know of the end."""
        return self.at_end != self._written_at_end or now - self._written_at >= every_seconds

    def mark_flushed(self, *, now: float) -> None:
        """Note that a flush was committed *now* (monotonic seconds)."""
        self.stored = self.now
        self._holes = {start: stop for start, stop in self._holes.items() if start >= self.now.next_offset}
        self._written_at, self._written_at_end = now, self.at_end
        self.confirmation_written()
        self.counters = PartitionCounters()
        self.seen.mark_flushed()
        self.intakes.mark_flushed()

    def roll_back(self) -> None:
        """Forget the unflushed records; they will be counted again, the holes among them stay accepted."""
        self.now = replace(self.stored, next_offset=self._over_holes(self.stored.next_offset))
        self.confirmed_event_time = None
        self.counters = PartitionCounters()
        self.seen.forget_unstored()
        self.intakes.roll_back()
