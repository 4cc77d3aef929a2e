"""A member of the ingest group that reads a partition only from an offset we name, never from a placeholder."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumers.kafka.batch_fetch import fetch_batch
from consumers.kafka.settings import (
    ANSWER_SECONDS,
    Complaints,
    Rebalance,
    consumer_settings,
    named_properties,
    unavailable,
)
from consumers.kafka.silence import seconds_of_silence
from monitor.clock import monotonic_seconds
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey

__all__ = ["InputConsumer", "Message", "Received"]

_END_OF_PARTITION: int = KafkaError._PARTITION_EOF
_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_WAITED_OUT = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_TOPIC_ID,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
_NOT_YET = (KafkaError._STATE, KafkaError._TIMED_OUT, KafkaError._IN_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What one call of `consume` brought: records in order, ends of partitions reached (offset), complaints.

    *cut*: partitions whose log no longer holds the offset we are at.
    """

    records: list[Message]
    ends: dict[PartitionKey, int]
    complaints: tuple[str, ...] = ()
    cut: frozenset[PartitionKey] = frozenset()


class InputConsumer:
    """A member of the ingest group whose positions come from Postgres, never from the broker.

    What the group gives us is acknowledged and not read: `start_reading` assigns a partition to the client once its
    offset is known. A client that is assigned at a placeholder and sought later can throw a whole fetch response away,
    and reports the placeholder's end of partition; neither can happen to one that never reads anywhere else.
    """

    def __init__(
        self, settings: Settings, rebalance: Rebalance, *, changes: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        self._settings = settings
        self._rebalance = rebalance
        self._complaints = Complaints()
        self.answered_at = monotonic_seconds()  # when a broker last sent us something, as of the last `consume`
        callbacks = {"error_cb": self._complaints, "stats_cb": self._count_silence}
        self._client_settings = {**consumer_settings(settings), **changes, **callbacks}
        with named_properties():
            self._consumer = Consumer(self._client_settings)
        self._topics: list[str] = []
        self._assigned: set[PartitionKey] = set()  # by the group
        self._flowing: set[PartitionKey] = set()  # assigned to the client, by us
        self._paused: set[PartitionKey] = set()  # the client remembers it beyond the assignment
        self._halted_inside: set[PartitionKey] | None = None  # not None inside a callback of a rebalance

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group for *topics*."""
        self._topics = list(topics)
        self.answered_at = monotonic_seconds()  # until now it had little to ask
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoked, on_lost=self._on_lost
        )

    def replace_client(self) -> None:
        """Join the group as a new member with a client of its own; what this one held is revoked or lost before."""
        self._consumer.close()
        self._flowing, self._paused = set(), set()
        if self._assigned:
            self._rebalance.lost(tuple(sorted(self._assigned)))
            self._assigned.clear()
        self._consumer = Consumer(self._client_settings)
        self.subscribe(self._topics)

    def read_from(self, positions: Mapping[PartitionKey, int]) -> None:
        """Read these partitions from these offsets on without joining the group; `subscribe` is not for this one."""
        self._flowing = set(positions)
        self._consumer.assign([TopicPartition(key.topic, key.partition, at) for key, at in positions.items()])

    def consume(self, count: int, *, timeout_seconds: float) -> Received:
        """Return up to *count* records; callbacks of a rebalance run inside.

        A body over `max_message_bytes` is not in memory any more; what stands for it is as long as it was.
        """
        messages = fetch_batch(
            self._consumer,
            count,
            timeout_seconds=timeout_seconds,
            max_message_bytes=self._settings.max_message_bytes,
        )
        if not any(map(Message.error, messages)):
            return Received(records=messages, ends={}, complaints=self._complaints.collected())
        records: list[Message] = []
        cut: set[PartitionKey] = set()
        ends: dict[PartitionKey, int] = {}
        complaints: list[str] = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(message)
            elif error.code() == _END_OF_PARTITION:
                ends[_key(message)] = int(message.offset() or 0)
            elif error.code() in _OUT_OF_RANGE:
                cut.add(_key(message))
            elif error.fatal() or error.code() not in _WAITED_OUT:
                raise self._unavailable("reading the input topics", error)
            else:
                complaints.append(error.str())
        complaints += self._complaints.collected()
        return Received(records=records, ends=ends, complaints=tuple(complaints), cut=frozenset(cut))

    def start_reading(self, key: PartitionKey, offset: int) -> bool:
        """Read *key*, which is halted, from *offset* on; False: not yet possible, ask again after the next `consume`.

        Raises:
            UnavailableError: The client refuses for good.
        """
        if key in self._paused:
            self.resume([key])
        try:
            self._consumer.incremental_assign([TopicPartition(key.topic, key.partition, offset)])
        except KafkaException as error:
            if error.args[0].code() == KafkaError._CONFLICT:
                self._unassign(self._consumer, {key})  # an unassignment did not arrive: once more, then again
                return False
            if error.args[0].code() in _NOT_YET:
                return False
            raise self._unavailable(f"reading {key} from {offset}", error.args[0]) from error
        self._flowing.add(key)
        return True

    def stop_reading(self, keys: Iterable[PartitionKey]) -> None:
        """Read *keys* no more and forget what was fetched of them, until `start_reading`."""
        if self._halted_inside is not None:
            # the first unassignment inside a callback ends the callback for the client: one for all, at its end
            self._halted_inside.update(keys)
            return
        if leaving := self._flowing.intersection(keys):
            self._unassign(self._consumer, leaving)

    def pause(self, keys: Iterable[PartitionKey]) -> None:
        """Fetch nothing of *keys* until `resume` or `start_reading`; those that do not flow do not matter."""
        if chosen := self._flowing.intersection(keys):
            with contextlib.suppress(KafkaException):
                self._consumer.pause(_places(chosen))
            self._paused |= chosen

    def resume(self, keys: Iterable[PartitionKey]) -> None:
        """Fetch *keys* again where they were; those that are no longer ours do not matter."""
        if chosen := self._paused.intersection(keys):
            with contextlib.suppress(KafkaException):
                self._consumer.resume(_places(chosen))
            self._paused -= chosen

    def watermarks(self, key: PartitionKey) -> tuple[int, int]:
        """Return the broker's first and end offset of *key*.

        Raises:
            UnavailableError: The broker does not answer.
        """
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(key.topic, key.partition), timeout=ANSWER_SECONDS, cached=False
            )
        except KafkaException as error:
            raise self._unavailable(f"asking for the offsets of {key}", error.args[0]) from error
        return int(low), int(high)

    def offset_since(self, key: PartitionKey, millis: int) -> int | None:
        """Return the first offset of *key* whose Kafka timestamp is *millis* or later; None: no record is so new.

        Raises:
            UnavailableError: The broker does not answer.
        """
        place = TopicPartition(key.topic, key.partition, millis)
        try:
            (first,) = self._consumer.offsets_for_times([place], timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise self._unavailable(f"looking for {millis} in {key}", error.args[0]) from error
        return int(first.offset) if first.offset >= 0 else None

    def cached_end(self, key: PartitionKey) -> int:
        """Return the end offset of *key* that came with the last fetch, negative before the first; asks nobody."""
        try:
            return int(self._consumer.get_watermark_offsets(TopicPartition(key.topic, key.partition), cached=True)[1])
        except KafkaException:
            return -1

    def commit(self, positions: Mapping[PartitionKey, int]) -> None:
        """Commit how far we are at the broker, for lag tools only; a failure means nothing."""
        if positions:
            offsets = [TopicPartition(key.topic, key.partition, offset) for key, offset in positions.items()]
            with contextlib.suppress(KafkaException):
                self._consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _count_silence(self, statistics: str) -> None:
        silence = seconds_of_silence(statistics)
        if silence is not None:
            self.answered_at = max(self.answered_at, monotonic_seconds() - silence)

    def _unavailable(self, doing: str, error: KafkaError) -> UnavailableError:
        return unavailable(self._settings, doing, error.str(), self._complaints.collected())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # An acknowledgement: without one the client would assign by itself, at the group's committed offsets.
        consumer.incremental_assign([])
        self._assigned.update(_keys(partitions))
        self._rebalance.assigned(_keys(partitions))

    def _on_revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._let_go(consumer, _keys(partitions), self._rebalance.revoked)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._let_go(consumer, _keys(partitions), self._rebalance.lost)

    def _let_go(
        self, consumer: Consumer, keys: tuple[PartitionKey, ...], notify: Callable[[Sequence[PartitionKey]], None]
    ) -> None:
        self._halted_inside = set(keys)
        self._assigned.difference_update(keys)
        try:
            notify(keys)
        finally:
            leaving, self._halted_inside = self._flowing & self._halted_inside, None
            self._unassign(consumer, leaving)  # of none, too: it acknowledges

    def _unassign(self, consumer: Consumer, keys: set[PartitionKey]) -> None:
        self._flowing -= keys
        try:
            consumer.incremental_unassign(_places(keys))
        except KafkaException:
            # One that the client dropped by itself (it left the group) makes it refuse all of them.
            for place in _places(keys):
                with contextlib.suppress(KafkaException):
                    consumer.incremental_unassign([place])


def _key(message: Message) -> PartitionKey:
    return PartitionKey(str(message.topic()), int(message.partition() or 0))


def _keys(partitions: Sequence[TopicPartition]) -> tuple[PartitionKey, ...]:
    return tuple(PartitionKey(place.topic, place.partition) for place in partitions)


def _places(keys: Iterable[PartitionKey]) -> list[TopicPartition]:
    return [TopicPartition(key.topic, key.partition) for key in sorted(keys)]
