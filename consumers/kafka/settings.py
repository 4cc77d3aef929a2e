"""How the Kafka clients are configured and why, and the plain values they take and give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.errors import UnavailableError
from monitor.settings import GroupProtocol, Settings
from monitor.types import PartitionKey, Service

ANSWER_SECONDS = 10.0

QUEUED_BYTES = 32 << 20
"""Fetched ahead at most, but for the last answer of a broker: one message of any size, or 4 MB of each partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebalance:
    """What is called, inside `consume`, when partitions come and go."""

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
    """A topic as the broker describes it; *topic_id* is empty where the broker knows none."""

    name: str
    topic_id: str
    partitions: int


def unavailable(settings: Settings, doing: str, cause: object) -> UnavailableError:
    """Return the error that says what was tried, where, and what to do."""
    return UnavailableError(
        f"Kafka: no answer at {settings.kafka_bootstrap}, {doing}: {cause}\n"
        "Start it, or point DRIFTLINE_KAFKA_BOOTSTRAP (or kafka_bootstrap in driftline.toml) at a running one.",
        service=Service.KAFKA,
    )


def client_settings(settings: Settings) -> dict[str, str | int | float | bool]:
    """Return what every client of this installation is configured with."""
    values: dict[str, str | int | float | bool | None] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "security.protocol": settings.kafka_security_protocol,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        "sasl.username": settings.kafka_sasl_username,
        "sasl.password": settings.kafka_sasl_password,
        "client.id": "driftline",
        "log_level": 2,  # at 3 a broker that is away gives hundreds of lines; our own errors say it once
    }
    return {name: value for name, value in values.items() if value is not None}


def consumer_settings(settings: Settings) -> dict[str, str | int | float | bool]:
    """Return what a member of the ingest group is configured with."""
    chosen: dict[str, str | int | float | bool] = {
        "group.id": settings.kafka_group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",  # a position out of range is reported, never silently replaced
        "max.poll.interval.ms": settings.max_poll_interval_ms,
        "fetch.min.bytes": 1,
        "fetch.wait.max.ms": 100,
        "fetch.message.max.bytes": 4 << 20,
        "queued.min.messages": 50_000,
        "queued.max.messages.kbytes": QUEUED_BYTES >> 10,  # bounds the memory of what is fetched ahead
        # A full queue stops fetching for this long; with the default, a second, ingest waited more than it worked.
        "fetch.queue.backoff.ms": 20,
        "topic.metadata.refresh.interval.ms": 30_000,  # new partitions are found this soon
        "allow.auto.create.topics": False,
        "statistics.interval.ms": 5000,  # says how long brokers have been silent
    }
    if settings.kafka_group_protocol is GroupProtocol.CONSUMER:
        chosen["group.protocol"] = "consumer"  # the broker owns timeouts and assignment
    else:
        chosen["session.timeout.ms"] = settings.session_timeout_ms
        chosen["heartbeat.interval.ms"] = max(1, min(3000, settings.session_timeout_ms // 3))
        chosen["partition.assignment.strategy"] = "cooperative-sticky"
    return client_settings(settings) | chosen
