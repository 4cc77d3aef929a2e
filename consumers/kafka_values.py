"""Plain values that the Kafka clients take and give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.types import PartitionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalance:
    """Who is told when partitions come and go; called inside `consume`."""

    assigned: Callable[[Sequence[PartitionKey]], None]
    revoked: Callable[[Sequence[PartitionKey]], None]
    lost: Callable[[Sequence[PartitionKey]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """A topic to create."""

    name: str
    partitions: int
    replication: int
    config: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTopic:
    """A topic as the broker describes it; *topic_id* is empty where the broker cannot tell."""

    name: str
    topic_id: str
    partitions: int
