"""Fetches one batch from the Kafka client's queue with a bound on the bytes held."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from consumers.kafka.settings import QUEUED_BYTES
from monitor.clock import monotonic_seconds, sleep_seconds

PAUSE_SECONDS = 0.05


class KafkaMessage(Protocol):
    """What is needed of a Kafka message: its length is its body's."""

    def __len__(self) -> int: ...
    def set_value(self, value: bytes) -> None: ...


AnyMessage = TypeVar("AnyMessage", bound=KafkaMessage)


class Queue(Protocol[AnyMessage]):
    """What is needed of a Kafka consumer."""

    def consume(self, num_messages: int, timeout: float) -> list[AnyMessage]: ...


class UnreadBody(bytes):
    """Placeholder of a body too large to be read: its length without its bytes."""

    size: int

    def __new__(cls, size: int) -> "UnreadBody":
        """Return no bytes whose length is *size*."""
        body = super().__new__(cls)
        body.size = size
        return body

    def __len__(self) -> int:
        return self.size


def fetch_batch(
    queue: Queue[AnyMessage], count: int, *, timeout_seconds: float, max_message_bytes: int
) -> list[AnyMessage]:
    """Return up to *count* messages; fewer once *timeout_seconds* have passed, or bytes enough are held.

    The client is never asked to wait: its settings bound the bytes that wait in its queue, but while a call waits for
    *count* messages the queue is refilled all the time, and eight messages of 50 MB are one batch. So what is there is
    taken, and between two such calls we sleep, which leaves the client no more room than its queue. Bodies over
    *max_message_bytes* are let go of before the next call: they are refused by their length alone.
    """
    deadline = monotonic_seconds() + timeout_seconds
    messages = queue.consume(count, 0)
    held = _held_bytes(messages, max_message_bytes)
    while len(messages) < count and held < QUEUED_BYTES and (left := deadline - monotonic_seconds()) > 0:
        sleep_seconds(min(left, PAUSE_SECONDS))
        more = queue.consume(count - len(messages), 0)
        held += _held_bytes(more, max_message_bytes)
        messages += more
    return messages


def _held_bytes(messages: Sequence[KafkaMessage], max_message_bytes: int) -> int:
    """Let go of bodies that are too large; return the bytes of the others."""
    sizes = list(map(len, messages))
    held = sum(sizes)
    if held > max_message_bytes and max(sizes) > max_message_bytes:
        for message, size in zip(messages, sizes, strict=True):
            if size > max_message_bytes:
                message.set_value(UnreadBody(size))
                held -= size
    return held
