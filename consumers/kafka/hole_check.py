"""Checks holes in the offsets that the client delivered by reading the broker a second time.

Kafka's logs have holes by right: markers and aborted records of transactions, records that compaction removed. The
client can also lose records (a fetch response thrown away). Only the broker knows which it is, and it is
asked by a second reading of the same offsets, by a client without history.
"""

from collections.abc import Mapping, Sequence

import structlog

from consumers.continuity import Hole
from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer
from consumers.kafka.settings import Rebalance, unavailable
from monitor.clock import monotonic_seconds
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey

TIMEOUT_SECONDS = 10.0
LOG_SECONDS = 60.0
_RECORDS_AT_ONCE = 5000
_NOBODY = Rebalance(assigned=lambda _: None, revoked=lambda _: None, lost=lambda _: None)
_SMALL = {
    "queued.min.messages": 1000,
    "queued.max.messages.kbytes": 4 << 10,
    "fetch.message.max.bytes": 1 << 20,
    "fetch.wait.max.ms": 5,  # at the end of a partition it is the end that we ask for
}

log = structlog.get_logger()


class HoleCheck:
    """Asks the broker what is in the holes; owns a client of its own, made when the first hole is seen."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings = settings
        self._cluster = cluster
        self._consumer: InputConsumer | None = None
        self._reasons: dict[str, str] = {}
        self._unlogged: dict[PartitionKey, int] = {}
        self._logged_at: dict[PartitionKey, float] = {}

    def refused(self, holes: Mapping[PartitionKey, Sequence[Hole]]) -> frozenset[PartitionKey]:
        """Return the partitions with a record in one of their *holes* (in order), or where the broker has none to say.

        The holes of the others are explained. All partitions are read together: one question for a whole batch.

        Raises:
            UnavailableError: The broker does not answer.
        """
        try:
            first_inside = self._first_inside(holes)
        except UnavailableError:
            self.close()  # the next question goes by another client: this one may be cut off for good
            raise
        for key, offset in sorted(first_inside.items()):
            log.warning("partition.hole_refused", partition=str(key), first=holes[key][0].start, broker_has=offset)
        for key in sorted(holes.keys() - first_inside.keys()):
            self._log_accepted(key, holes[key])
        return frozenset(first_inside)

    def close(self) -> None:
        """Close the connection to the broker."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _first_inside(self, holes: Mapping[PartitionKey, Sequence[Hole]]) -> dict[PartitionKey, int]:
        """Return the first offset inside a hole that the broker hands over, or at which its log begins or ends."""
        if self._consumer is None:
            self._consumer = InputConsumer(self._settings, _NOBODY, changes=_SMALL)
        inside: dict[PartitionKey, int] = {}
        left = {key: list(of_key) for key, of_key in holes.items()}
        deadline = monotonic_seconds() + TIMEOUT_SECONDS
        self._consumer.read_from({key: of_key[0].start for key, of_key in left.items()})
        try:
            while left:
                received = self._consumer.consume(_RECORDS_AT_ONCE, timeout_seconds=0.2)
                for record in received.records:
                    key = PartitionKey(str(record.topic()), record.partition() or 0)
                    _pass(left, inside, key, record.offset() or 0)
                for key in received.cut & left.keys():
                    inside[key] = left.pop(key)[0].start
                for key, end in received.ends.items():
                    _pass(left, inside, key, end)
                    if key in left:  # it ends before the hole does
                        inside[key] = left.pop(key)[0].start
                if left and monotonic_seconds() > deadline:
                    raise unavailable(self._settings, f"reading {min(left)} again", "no answer in time")
        finally:
            self._consumer.read_from({})
        return inside

    def _log_accepted(self, key: PartitionKey, holes: Sequence[Hole]) -> None:
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


def _pass(
    left: dict[PartitionKey, list[Hole]], inside: dict[PartitionKey, int], key: PartitionKey, offset: int
) -> None:
    """The second reading of *key* reached *offset*: holes before it are explained, one around it is refused."""
    holes = left.get(key)
    if holes is None:
        return
    while holes and holes[0].stop <= offset:
        holes.pop(0)
    if not holes:
        del left[key]
    elif holes[0].start <= offset:
        inside[key] = offset
        del left[key]
