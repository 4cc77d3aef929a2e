"""Plain values that the Kafka clients take and give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey

ANSWER_SECONDS = 10.0


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


def unavailable(settings: Settings, doing: str, cause: object) -> UnavailableError:
    """Return the error that says what was tried, where, and what to do."""
    return UnavailableError(
        f"Kafka: no answer at {settings.kafka_bootstrap}, {doing}: {cause}\n"
        "Start it, or point DRIFTLINE_KAFKA_BOOTSTRAP (or kafka_bootstrap in driftline.toml) at a running one.",
        service="kafka",
    )
