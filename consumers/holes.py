"""Holes in what the client handed over: does the broker, read a second time, have nothing there either?

Kafka's logs have holes by right: markers and aborted records of transactions, records that compaction removed. The
client can also lose records (a fetch response thrown away). Only the broker can tell one from the other, and it is
asked by a second reading of the same offsets, by a client without history.
"""

from collections.abc import Sequence

import structlog

from consumers.continuity import Hole
from consumers.kafka import Cluster
from consumers.kafka_input import InputConsumer
from consumers.kafka_values import Rebalance, unavailable
from monitor.clock import monotonic_seconds
from monitor.settings import Settings
from monitor.types import PartitionKey

PATIENCE_SECONDS = 10.0
LOG_SECONDS = 60.0
_RECORDS_AT_ONCE = 5000
_NOBODY = Rebalance(assigned=lambda _: None, revoked=lambda _: None, lost=lambda _: None)
_SMALL = {"queued.min.messages": 1000, "queued.max.messages.kbytes": 4 << 10, "fetch.message.max.bytes": 1 << 20}

log = structlog.get_logger()


class SecondReading:
    """Asks the broker what is in the holes; owns a client of its own, made when the first hole is seen."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings = settings
        self._cluster = cluster
        self._consumer: InputConsumer | None = None
        self._reasons: dict[str, str] = {}
        self._unlogged: dict[PartitionKey, int] = {}
        self._logged_at: dict[PartitionKey, float] = {}

    def explains(self, key: PartitionKey, holes: Sequence[Hole]) -> bool:
        """Return whether the broker has no record in any of *holes* (in order); False: read from our position again.

        Raises:
            UnavailableError: The broker does not answer.
        """
        found = self._first_inside(key, holes)
        if found is not None:
            log.warning("partition.hole_refused", partition=str(key), first=holes[0].start, broker_has=found)
            return False
        self._say_accepted(key, holes)
        return True

    def close(self) -> None:
        """Let go of the broker."""
        if self._consumer is not None:
            self._consumer.close()

    def _first_inside(self, key: PartitionKey, holes: Sequence[Hole]) -> int | None:
        """Return the first offset inside *holes* that the broker hands over, or at which it hands over nothing."""
        if self._consumer is None:
            self._consumer = InputConsumer(self._settings, _NOBODY, changes=_SMALL)
        self._consumer.read_from({key: holes[0].start})
        deadline, left = monotonic_seconds() + PATIENCE_SECONDS, list(holes)
        try:
            while left:
                received = self._consumer.consume(_RECORDS_AT_ONCE, timeout_seconds=0.2)
                for offset in (int(record.offset() or 0) for record in received.records):
                    while left and left[0].stop <= offset:
                        left.pop(0)
                    if left and left[0].start <= offset:
                        return offset
                if key in received.cut:
                    return left[0].start
                if key in received.ends:
                    # nothing is behind the end: what it has not passed is not explained
                    left = [hole for hole in left if hole.stop > received.ends[key]]
                    return left[0].start if left else None
                if left and monotonic_seconds() > deadline:
                    raise unavailable(self._settings, f"reading {key} from {left[0].start} again", "no answer in time")
        finally:
            self._consumer.read_from({})
        return None

    def _say_accepted(self, key: PartitionKey, holes: Sequence[Hole]) -> None:
        # A topic of transactions has one after each: a line a minute says how many.
        now = monotonic_seconds()
        self._unlogged[key] = self._unlogged.get(key, 0) + sum(hole.stop - hole.start for hole in holes)
        if now - self._logged_at.get(key, -LOG_SECONDS) >= LOG_SECONDS:
            self._logged_at[key] = now
            log.info(
                "partition.hole_accepted",
                partition=str(key),
                first=holes[0].start,
                offsets=self._unlogged.pop(key),
                reason=self._reason(key.topic),
            )

    def _reason(self, topic: str) -> str:
        if topic not in self._reasons:
            compacted = self._cluster.compacted(topic)
            self._reasons[topic] = (
                "compacted" if compacted else "markers or aborted records of transactions"
            ) + ", by a second reading"
        return self._reasons[topic]
