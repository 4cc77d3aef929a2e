"""Writes records to Kafka."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumers.kafka.settings import Complaints, client_settings, named_properties
from monitor.settings import Settings
from monitor.types import PartitionKey

_ANY_PARTITION = -1


class TopicProducer:
    """Writes records; `send` never blocks, `flush` waits."""

    def __init__(self, settings: Settings, *, linger_milliseconds: int = 5) -> None:
        self._complaints = Complaints()
        chosen = {
            "linger.ms": linger_milliseconds,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "none",
        }
        with named_properties():
            self._producer = Producer(
                {**client_settings(settings), **chosen, **settings.kafka_client, "error_cb": self._complaints}
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

    def complaints(self) -> tuple[str, ...]:
        """Return what the client said of its connections since the last call."""
        return self._complaints.collected()

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failures += 1
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is not None and partition is not None and offset is not None:
            self.ends[PartitionKey(topic, partition)] = offset + 1
