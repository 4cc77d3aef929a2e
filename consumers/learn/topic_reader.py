"""The log of some topics, read once from given offsets to the ends that it had, as a member of no group."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer, Message
from consumers.kafka.settings import Rebalance, unavailable
from monitor.clock import monotonic_seconds
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey

RECORDS_AT_ONCE = 5000
WAIT_SECONDS = 0.5
SILENCE_SECONDS = 30.0
TAIL_RECORDS = 20  # of each partition; behind the last record may be markers of transactions
_NOBODY = Rebalance(assigned=lambda _: None, revoked=lambda _: None, lost=lambda _: None)


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Offsets ``[start, stop)`` of one partition."""

    start: int
    stop: int


class TopicLog:
    """Reads without leaving a trace: nothing is committed, no group is joined, ingest is not disturbed."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self._settings = settings
        self._topics = tuple(topics)
        self._consumer = InputConsumer(settings, _NOBODY)

    def close(self) -> None:
        """Close the connection to the broker."""
        self._consumer.close()

    def stretches(self, *, since: int | None) -> dict[PartitionKey, OffsetRange]:
        """Return what there is to read in each partition: records with a Kafka timestamp of *since* (ms) or later.

        Partitions without such records have none.

        Raises:
            UnavailableError: The broker does not answer, or a topic is missing.
        """
        stretches = {}
        for key in self._partitions():
            low, high = self._consumer.watermarks(key)
            start = low if since is None else self._consumer.offset_since(key, since)
            if start is not None and start < high:
                stretches[key] = OffsetRange(max(start, low), high)
        return stretches

    def tails(self) -> dict[PartitionKey, OffsetRange]:
        """Return the last few records of each partition; errors as of `stretches`."""
        whole = self.stretches(since=None)
        return {
            key: OffsetRange(max(stretch.start, stretch.stop - TAIL_RECORDS), stretch.stop)
            for key, stretch in whole.items()
        }

    def read(
        self,
        stretches: Mapping[PartitionKey, OffsetRange],
        *,
        finished: Callable[[PartitionKey], bool] = lambda _: False,
    ) -> Iterator[list[Message]]:
        """Yield the records of *stretches*, those of one partition in order.

        Args:
            finished: Asked after each batch; True: what follows in this partition is not wanted.

        Raises:
            UnavailableError: The broker fell silent.
        """
        left = dict(stretches)
        self._consumer.read_from({key: stretch.start for key, stretch in left.items()})
        self._consumer.resume(list(left))  # one that was paused in an earlier reading still is
        answered_at = monotonic_seconds()
        complaints: tuple[str, ...] = ()
        while left:
            received = self._consumer.consume(RECORDS_AT_ONCE, timeout_seconds=WAIT_SECONDS)
            if received.records or received.ends:
                answered_at = monotonic_seconds()
            elif monotonic_seconds() - answered_at > SILENCE_SECONDS:
                doing = f"reading {', '.join(self._topics)}"
                raise unavailable(self._settings, doing, "no records came", complaints)
            complaints = received.complaints or complaints
            for key in received.cut:
                # Retention passed the offset between asking and reading.
                self._consumer.stop_reading([key])
                self._consumer.start_reading(key, self._consumer.watermarks(key)[0])
            wanted, ended = [], [key for key in received.ends if key in left]
            for message in received.records:
                key, offset = PartitionKey(str(message.topic()), message.partition() or 0), message.offset() or 0
                if key in left and offset < left[key].stop:
                    wanted.append(message)
                if key in left and offset + 1 >= left[key].stop:
                    ended.append(key)
            if wanted:
                yield wanted
            ended += [key for key in left if finished(key)]
            self._consumer.pause(ended)
            for key in ended:
                left.pop(key, None)

    def _partitions(self) -> list[PartitionKey]:
        described = Cluster(self._settings).topics(self._topics)
        if missing := [name for name in self._topics if name not in described]:
            raise UnavailableError(
                f"Kafka at {self._settings.kafka_bootstrap} has no topic {', '.join(missing)}.\n"
                "Name the one with the predictions with --topic, or correct DRIFTLINE_PREDICTIONS_TOPICS."
            )
        return [PartitionKey(name, number) for name in self._topics for number in range(described[name].partitions)]
