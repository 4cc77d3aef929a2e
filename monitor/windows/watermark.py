"""The watermark: the event time up to which the events of all partitions, bar late ones, have been counted."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.settings import Settings
from monitor.types import PartitionKey
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS

HEARTBEAT_STALE_MILLIS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkRules:
    """Spans in milliseconds; see architecture §3 and ADR 11."""

    disorder: int = MINUTE_MILLIS
    allowed_lateness: int = HOUR_MILLIS
    idle_timeout: int = MINUTE_MILLIS
    heartbeat_stale: int = HEARTBEAT_STALE_MILLIS
    idle_hold: int = DAY_MILLIS

    @property
    def finality(self) -> int:
        """How far the watermark must pass a window's end until no event can be added to the window."""
        return self.allowed_lateness + self.disorder


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionProgress:
    """One partition by its offset row; all times in epoch milliseconds.

    Attributes:
        max_event_time: Event time of its newest counted event, None before the first.
        caught_up_at: Wall clock; when the end was reached, None while the partition lags.
        heartbeat_at: Wall clock; when its worker last showed that it lives.
        confirmed_event_time: Event time up to which it was read while standing at its end: the newest event of all
            partitions, as it was some seconds before. None before the first confirmation.
    """

    key: PartitionKey
    max_event_time: int | None
    caught_up_at: int | None
    heartbeat_at: int | None
    confirmed_event_time: int | None = None
    paused: bool = False

    @property
    def complete_until(self) -> int | None:
        """Event time up to which everything of it that is not out of order was counted; None: nothing is known."""
        known = [time for time in (self.max_event_time, self.confirmed_event_time) if time is not None]
        return max(known, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far event time has come; *value* None: nothing can be said to be complete.

    Attributes:
        held_by: The partition furthest behind, or one that nobody reads to its end; None when there is no such one.
        live: The newest events were recent when the end was reached: time goes on without events.
    """

    value: int | None
    held_by: PartitionKey | None = None
    live: bool = False


def watermark_of(partitions: Iterable[PartitionProgress], *, now: int, rules: WatermarkRules) -> Watermark:
    """Return the watermark over all *partitions*, of however many topics, at wall clock *now*, that of the database.

    Each partition is complete up to its own newest event or up to what it confirmed at its end, whichever is later; the
    one furthest behind decides, less the disorder. An event time beyond *now* counts as *now*: a clock that is ahead
    closes no window before its time.

    While events are recent, time goes on without them: once every partition is read to its end and has confirmed the
    newest event there (its own newest does not do: its producer may be in the middle of a burst), the watermark is at
    least the oldest heartbeat less ``idle_timeout + disorder``.
    """
    partitions = [_clipped(partition, now) for partition in partitions]
    newest = max(partitions, key=_event_time, default=None)
    if newest is None:
        return Watermark(value=None)
    live = _is_live(newest, rules)
    behind = min(partitions, key=lambda partition: (_complete_until(partition), partition.key))
    if behind.complete_until is None:
        return Watermark(value=None, held_by=None if newest.max_event_time is None else behind.key, live=live)
    value = behind.complete_until - rules.disorder
    unread = [partition for partition in partitions if not _is_read_to_end(partition, now, rules)]
    held_by = min((partition.key for partition in unread), default=None)
    if behind.complete_until < _event_time(newest):
        held_by = behind.key
    elif live and not unread and all(_confirmed(partition) >= _event_time(newest) for partition in partitions):
        oldest_heartbeat = min(partition.heartbeat_at or 0 for partition in partitions)
        value = max(value, min(now, oldest_heartbeat) - rules.idle_timeout - rules.disorder)
    return Watermark(value=value, held_by=held_by, live=live)


def _clipped(partition: PartitionProgress, now: int) -> PartitionProgress:
    newest, confirmed = partition.max_event_time, partition.confirmed_event_time
    return replace(
        partition,
        max_event_time=None if newest is None else min(newest, now),
        confirmed_event_time=None if confirmed is None else min(confirmed, now),
    )


def open_from(partitions: Iterable[PartitionProgress], *, watermark: int, rules: WatermarkRules) -> int:
    """Return the event time (ms) from which on some partition may still bring events that are counted.

    What is late is decided by each partition's own largest event time, so one that was idle may bring events long
    after their windows were final, and one without any event may bring everything: for `idle_hold` before *watermark*
    that is reckoned with.
    """
    oldest = min(map(_event_time, partitions), default=-1)
    return max(min(oldest - rules.finality, watermark - rules.allowed_lateness), watermark - rules.idle_hold)


def _event_time(partition: PartitionProgress) -> int:
    return -1 if partition.max_event_time is None else partition.max_event_time


def _complete_until(partition: PartitionProgress) -> int:
    return -1 if partition.complete_until is None else partition.complete_until


def _confirmed(partition: PartitionProgress) -> int:
    return -1 if partition.confirmed_event_time is None else partition.confirmed_event_time


def _is_read_to_end(partition: PartitionProgress, now: int, rules: WatermarkRules) -> bool:
    if partition.caught_up_at is None or partition.heartbeat_at is None or partition.paused:
        return False
    return now - partition.heartbeat_at <= rules.heartbeat_stale


def _is_live(newest: PartitionProgress, rules: WatermarkRules) -> bool:
    if newest.max_event_time is None or newest.caught_up_at is None:
        return False
    return newest.caught_up_at - newest.max_event_time <= rules.allowed_lateness


def watermark_rules(settings: Settings) -> WatermarkRules:
    """Return the rules that *settings* spell."""
    return WatermarkRules(
        disorder=settings.disorder_seconds * 1000,
        allowed_lateness=settings.allowed_lateness_seconds * 1000,
        idle_timeout=settings.idle_timeout_seconds * 1000,
    )
