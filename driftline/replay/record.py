"""One record as a producer sends it."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.types import TopicRole


@dataclass(frozen=True, slots=True)
class TimedRecord:
    """A record and the event time (ms) at which it would have been sent; Kafka's timestamp is the same."""

    at: int
    role: TopicRole
    key: str
    value: bytes


def in_event_time(*streams: Iterable[TimedRecord]) -> Iterator[TimedRecord]:
    """Merge streams, each in order of time, into one; at equal times the earlier stream goes first."""
    return heapq.merge(*streams, key=lambda record: record.at)
