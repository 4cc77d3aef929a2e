"""The only file that imports confluent_kafka: consumer, producer, admin, and errors in the operator's words."""

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from consumers.kafka_settings import client_settings, consumer_settings
from consumers.kafka_values import FoundTopic, Rebalance, TopicPlan
from monitor.errors import DriftlineError, UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey

__all__ = [
    "EmbeddedBroker",
    "InputConsumer",
    "Message",
    "Rebalance",
    "TopicPlan",
    "TopicProducer",
    "create_topics",
    "describe_topics",
]

ANSWER_SECONDS = 10.0
_END_OF_PARTITION: int = KafkaError._PARTITION_EOF
_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
_AT_END = -1
_ANY_PARTITION = -1
_WAITED_OUT = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._MAX_POLL_EXCEEDED,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


def unavailable(settings: Settings, doing: str, cause: object) -> UnavailableError:
    """Return the error that says what was tried, where, and what to do."""
    return UnavailableError(
        f"Kafka: no answer at {settings.kafka_bootstrap}, {doing}: {cause}\n"
        "Start it, or point DRIFTLINE_KAFKA_BOOTSTRAP (or kafka_bootstrap in driftline.toml) at a running one."
    )


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

    A partition that is assigned starts paused at its end; `start_at` gives it its position and lets it flow.
    """

    def __init__(self, settings: Settings, rebalance: Rebalance) -> None:
        self._settings = settings
        self._rebalance = rebalance
        self._complaints: list[str] = []
        self._consumer = Consumer({**consumer_settings(settings), "error_cb": self._complain})
        self._cut: set[PartitionKey] = set()  # the client fetches these no more and refuses to seek

    def subscribe(self, topics: Sequence[str]) -> None:
        """Join the group for *topics*."""
        self._consumer.subscribe(
            list(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def read_from(self, positions: Mapping[PartitionKey, int]) -> None:
        """Read these partitions from these offsets on without joining the group; `subscribe` is not for this one."""
        self._consumer.assign([TopicPartition(key.topic, key.partition, at) for key, at in positions.items()])

    def consume(self, count: int, *, timeout_seconds: float) -> Received:
        """Return up to *count* records; callbacks of a rebalance run inside."""
        messages = self._consumer.consume(count, timeout_seconds)
        if not any(map(Message.error, messages)):
            return Received(records=messages, ends={}, complaints=self._told())
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
                self._cut.add(_key(message))
            elif error.fatal() or error.code() not in _WAITED_OUT:
                raise unavailable(self._settings, "reading the input topics", error.str())
            else:
                complaints.append(error.str())
        return Received(records=records, ends=ends, complaints=(*complaints, *self._told()), cut=frozenset(cut))

    def start_at(self, key: PartitionKey, offset: int) -> bool:
        """Read *key* from *offset* on; False: not yet possible, ask again after the next `consume`."""
        place = TopicPartition(key.topic, key.partition, offset)
        try:
            if key in self._cut:
                self._consumer.incremental_unassign([place])
                self._consumer.incremental_assign([place])
                self._cut.discard(key)
            else:
                self._consumer.seek(place)
        except KafkaException as error:
            if error.args[0].code() in (KafkaError._STATE, KafkaError._TIMED_OUT, KafkaError._IN_PROGRESS):
                return False
            raise unavailable(self._settings, f"seeking {key}", error.args[0].str()) from error
        self._consumer.resume([place])
        return True

    def pause(self, keys: Sequence[PartitionKey]) -> None:
        """Fetch nothing of *keys* until `resume` or `start_at`; those that are no longer ours do not matter."""
        with contextlib.suppress(KafkaException):
            self._consumer.pause([TopicPartition(key.topic, key.partition) for key in keys])

    def resume(self, keys: Sequence[PartitionKey]) -> None:
        """Fetch *keys* again where they were; those that are no longer ours do not matter."""
        with contextlib.suppress(KafkaException):
            self._consumer.resume([TopicPartition(key.topic, key.partition) for key in keys])

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
            raise unavailable(self._settings, f"asking for the offsets of {key}", error.args[0].str()) from error
        return int(low), int(high)

    def offset_since(self, key: PartitionKey, millis: int) -> int | None:
        """Return the first offset of *key* whose Kafka timestamp is *millis* or later; None: no record is so new.

        Raises:
            UnavailableError: The broker does not answer.
        """
        place = TopicPartition(key.topic, key.partition, millis)
        try:
            (found,) = self._consumer.offsets_for_times([place], timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise unavailable(self._settings, f"looking for {millis} in {key}", error.args[0].str()) from error
        return int(found.offset) if found.offset >= 0 else None

    def cached_end(self, key: PartitionKey) -> int:
        """Return the end offset of *key* that came with the last fetch, -1 before the first; asks nobody."""
        try:
            return int(self._consumer.get_watermark_offsets(TopicPartition(key.topic, key.partition), cached=True)[1])
        except KafkaException:
            return -1

    def commit(self, positions: Mapping[PartitionKey, int]) -> None:
        """Tell the broker how far we are, for lag tools only; a failure means nothing."""
        if positions:
            offsets = [TopicPartition(key.topic, key.partition, offset) for key, offset in positions.items()]
            with contextlib.suppress(KafkaException):
                self._consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _complain(self, error: KafkaError) -> None:
        # Of a connection, not of a partition: brokers that are away are told only here.
        self._complaints.append(error.str())

    def _told(self) -> tuple[str, ...]:
        told = tuple(dict.fromkeys(self._complaints))
        self._complaints.clear()
        return told

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._cut.difference_update(_keys(partitions))
        consumer.incremental_assign([TopicPartition(each.topic, each.partition, _AT_END) for each in partitions])
        consumer.pause([TopicPartition(each.topic, each.partition) for each in partitions])
        self._rebalance.assigned(_keys(partitions))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalance.revoked(_keys(partitions))
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._rebalance.lost(_keys(partitions))
        consumer.incremental_unassign(partitions)


def _key(message: Message) -> PartitionKey:
    return PartitionKey(str(message.topic()), int(message.partition() or 0))


def _keys(partitions: Sequence[TopicPartition]) -> tuple[PartitionKey, ...]:
    return tuple(PartitionKey(each.topic, each.partition) for each in partitions)


class TopicProducer:
    """Writes records; `send` never blocks, `flush` waits."""

    def __init__(self, settings: Settings, *, linger_milliseconds: int = 5) -> None:
        self._producer = Producer(
            client_settings(settings)
            | {"linger.ms": linger_milliseconds, "acks": "all", "enable.idempotence": True, "compression.type": "none"}
        )
        self.failures = 0
        self.ends: dict[PartitionKey, int] = {}  # offset after the last record we know to be in the topic

    def send(
        self,
        topic: str,
        *,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> bool:
        """Queue one record (*timestamp* in epoch ms, now by default); False: the queue is full, ask after `serve`."""
        try:
            self._producer.produce(
                topic,
                value,
                key,
                _ANY_PARTITION if partition is None else partition,
                headers=list(headers) or None,
                timestamp=timestamp or 0,
                on_delivery=self._delivered,
            )
        except BufferError:
            return False
        except KafkaException:
            self.failures += 1
        self._producer.poll(0)
        return True

    def serve(self, timeout_seconds: float) -> None:
        """Run delivery reports for up to *timeout_seconds*."""
        self._producer.poll(timeout_seconds)

    def flush(self, timeout_seconds: float) -> int:
        """Wait for what was sent; return how many records are still on their way."""
        return int(self._producer.flush(timeout_seconds))

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failures += 1
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is not None and partition is not None and offset is not None:
            self.ends[PartitionKey(topic, partition)] = offset + 1


def create_topics(settings: Settings, plans: Sequence[TopicPlan]) -> dict[str, bool]:
    """Create the topics that are missing; return for each name whether it was made now.

    Raises:
        UnavailableError: The broker does not answer.
        DriftlineError: The broker refuses; says its reason.
    """
    admin = AdminClient(client_settings(settings))
    wanted = [
        NewTopic(p.name, num_partitions=p.partitions, replication_factor=p.replication, config=dict(p.config))
        for p in plans
    ]
    made: dict[str, bool] = {}
    for name, future in admin.create_topics(wanted, request_timeout=ANSWER_SECONDS).items():
        try:
            future.result(ANSWER_SECONDS + 5)
            made[name] = True
        except KafkaException as error:
            cause = error.args[0]
            if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                made[name] = False
            elif cause.code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
                raise unavailable(settings, f"creating topic {name}", cause.str()) from error
            else:
                raise DriftlineError(f"topic {name}: the broker refuses to create it: {cause.str()}") from error
    return made


class Cluster:
    """What the broker tells about topics and offsets."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AdminClient(client_settings(settings))
        self._tells_ids = True

    def topics(self, names: Sequence[str]) -> dict[str, FoundTopic]:
        """Return those of *names* that exist.

        Raises:
            UnavailableError: The broker does not answer.
        """
        try:
            cluster = self._admin.list_topics(timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise unavailable(self._settings, "listing topics", error.args[0].str()) from error
        listed = cluster.topics
        if str(cluster.cluster_id).startswith("mockCluster"):
            self._tells_ids = False  # the demo's broker: asking it would last until the time-out
        there = [name for name in names if name in listed and listed[name].error is None]
        ids = self._ids(there)
        return {
            name: FoundTopic(name=name, topic_id=ids.get(name, ""), partitions=len(listed[name].partitions))
            for name in there
        }

    def _ids(self, names: Sequence[str]) -> dict[str, str]:
        if not names or not self._tells_ids:
            return {}
        futures = cast(
            "dict[str, Future[object]]",
            self._admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_SECONDS),
        )
        found: dict[str, str] = {}
        for name, future in futures.items():
            try:
                found[name] = str(getattr(future.result(ANSWER_SECONDS + 5), "topic_id", ""))
            except KafkaException as error:
                # the mock cluster of the demo does not know the request
                if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:
                    self._tells_ids = False
                    return {}
        return found


def describe_topics(settings: Settings, names: Sequence[str]) -> dict[str, FoundTopic]:
    """Return those of *names* that exist, asked of a client of its own."""
    return Cluster(settings).topics(names)


class EmbeddedBroker:
    """librdkafka's mock cluster: a broker inside this process, on the loopback interface, gone with it.

    Each topic has four partitions and keeps only its newest 5 MiB per partition: producers must watch the lag.
    """

    KEPT_BYTES = 5 << 20

    def __init__(self) -> None:
        self._holder = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._holder.list_topics(timeout=ANSWER_SECONDS).brokers.values()
        self.bootstrap = ",".join(f"{each.host}:{each.port}" for each in brokers)

    def create_topics(self, names: Sequence[str]) -> None:
        """Make the topics: being asked for is what makes them."""
        for name in names:
            self._holder.list_topics(name, timeout=ANSWER_SECONDS)
