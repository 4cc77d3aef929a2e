"""The watermark: the event time up to which a topic's events, bar late ones, have been counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from monitor.settings import Settings
from monitor.types import HOUR_MILLIS, PartitionKey

HEARTBEAT_STALE_MILLIS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkRules:
    """Spans in milliseconds; see architecture §3."""

    disorder: int = 60_000
    allowed_lateness: int = 3_600_000
    idle_timeout: int = 60_000
    settle: int = 5_000
    heartbeat_stale: int = HEARTBEAT_STALE_MILLIS
    idle_hold: int = 24 * HOUR_MILLIS

    @property
    def finality(self) -> int:
        """How far the watermark must pass a window's end until no event can be added to the window."""
        return self.allowed_lateness + self.disorder


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionState:
    """One partition as its offset row tells; all times in epoch milliseconds.

    Attributes:
        max_event_time: Event time, None before the first event. The other two are wall clock.
        caught_up_at: When the end was reached, None while the partition lags.
        heartbeat_at: When its worker last showed that it lives.
    """

    key: PartitionKey
    max_event_time: int | None
    caught_up_at: int | None
    heartbeat_at: int | None
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far event time has come; *value* None: nothing can be said to be complete.

    Attributes:
        held_by: The partition that holds it back, None when nothing does.
        live: The newest events were recent when the end was reached: time goes on without events.
    """

    value: int | None
    held_by: PartitionKey | None = None
    live: bool = False


def topic_watermark(partitions: Sequence[PartitionState], *, now: int, rules: WatermarkRules) -> Watermark:
    """Return the watermark of one topic at wall clock *now*, that of the database.

    The partition furthest behind of those that hold decides. When none holds: the largest event time less the
    disorder and, while the topic is live, at least ``now - idle_timeout - disorder``. An event time beyond *now* counts
    as *now*: a clock that is ahead closes no window before its time.
    """
    partitions = [_clipped(partition, now) for partition in partitions]
    live = _is_live(partitions, rules)
    holding = [each for each in partitions if _holds(each, now, rules)]
    if holding:
        least = min(holding, key=lambda each: (_event_time(each), each.key))
        value = None if least.max_event_time is None else least.max_event_time - rules.disorder
        return Watermark(value=value, held_by=least.key, live=live)
    seen = [each.max_event_time for each in partitions if each.max_event_time is not None]
    if not seen:
        return Watermark(value=None)
    value = max(seen) - rules.disorder
    if live:
        value = max(value, now - rules.idle_timeout - rules.disorder)
    return Watermark(value=value, live=live)


def model_watermark(topics: Iterable[Sequence[PartitionState]], *, now: int, rules: WatermarkRules) -> Watermark:
    """Return the watermark over all prediction topics: the least of those that hold or go on.

    A finished backfill (caught up, not live) holds nothing back while another topic decides; alone, or beside other
    finished backfills, the newest counts.
    """
    each_topic = [topic_watermark(partitions, now=now, rules=rules) for partitions in topics]
    relevant = [each for each in each_topic if each.value is not None or each.held_by is not None]
    deciding = [each for each in relevant if each.held_by is not None or each.live]
    if deciding:
        return min(deciding, key=lambda each: -1 if each.value is None else each.value)
    return max(relevant, key=lambda each: each.value or 0, default=Watermark(value=None))


def _clipped(partition: PartitionState, now: int) -> PartitionState:
    if partition.max_event_time is None or partition.max_event_time <= now:
        return partition
    return replace(partition, max_event_time=now)


def open_from(topics: Iterable[Sequence[PartitionState]], *, watermark: int, rules: WatermarkRules) -> int:
    """Return the event time (ms) from which on some partition may still bring events that are counted.

    What is late is decided by each partition's own largest event time, so one that was idle may bring events long
    after their windows were final, and one without any event may bring everything: for `idle_hold` before *watermark*
    that is reckoned with.
    """
    oldest = min((_event_time(partition) for partitions in topics for partition in partitions), default=-1)
    return max(min(oldest - rules.finality, watermark - rules.allowed_lateness), watermark - rules.idle_hold)


def _event_time(partition: PartitionState) -> int:
    return -1 if partition.max_event_time is None else partition.max_event_time


def _holds(partition: PartitionState, now: int, rules: WatermarkRules) -> bool:
    stale = partition.heartbeat_at is None or now - partition.heartbeat_at > rules.heartbeat_stale
    if partition.caught_up_at is None or partition.paused or stale:
        return True
    # The end was reached just now: its producer may be in the middle of a burst that other partitions are ahead in.
    return partition.max_event_time is not None and now - partition.caught_up_at < rules.settle


def _is_live(partitions: Sequence[PartitionState], rules: WatermarkRules) -> bool:
    newest = max(partitions, key=_event_time, default=None)
    if newest is None or newest.max_event_time is None or newest.caught_up_at is None:
        return False
    return newest.caught_up_at - newest.max_event_time <= rules.allowed_lateness


def watermark_rules(settings: Settings) -> WatermarkRules:
    """Return the rules that *settings* spell."""
    return WatermarkRules(
        disorder=settings.disorder_seconds * 1000,
        allowed_lateness=settings.allowed_lateness_seconds * 1000,
        idle_timeout=settings.idle_timeout_seconds * 1000,
        settle=int(settings.settle_seconds * 1000),
    )
