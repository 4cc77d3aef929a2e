"""The topics that an installation needs, and who dates their records."""

from collections.abc import Collection

import sqlalchemy as sa
import structlog

from consumers.kafka.admin import Cluster, describe_topics
from monitor.clock import monotonic_seconds
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.store.outage import named_outage
from monitor.store.topics import write_timestamp_types
from monitor.types import Service, TimestampType, TopicRole

log = structlog.get_logger()

ASK_SECONDS = 60.0
LOG_APPEND_TIME = ("message.timestamp.type", TimestampType.LOG_APPEND_TIME.value)


def require_topics(settings: Settings) -> None:
    """Return when the broker answers and has every topic of the settings.

    Raises:
        UnavailableError: No answer, or topics are missing; says which and what to do.
    """
    inputs = (settings.predictions_topics, settings.truths_topics, settings.deployments_topics)
    wanted = [*(name for names in inputs for name in names), settings.wakeups_topic]
    described = describe_topics(settings, wanted)
    if missing := [name for name in wanted if name not in described]:
        raise UnavailableError(
            f"Kafka at {settings.kafka_bootstrap} has no topic {', '.join(missing)}.\n"
            "Run `driftline topics create`, or correct the topics in the settings.",
            service=Service.KAFKA,
        )


def topic_roles(settings: Settings) -> dict[str, TopicRole]:
    """Return what each input topic of the settings holds."""
    return {
        **dict.fromkeys(settings.predictions_topics, TopicRole.PREDICTIONS),
        **dict.fromkeys(settings.truths_topics, TopicRole.TRUTHS),
        **dict.fromkeys(settings.deployments_topics, TopicRole.DEPLOYMENTS),
    }


def create_time_notice(topic: str) -> str:
    """Return what it means that producers date the records of *topic*, and what to do."""
    return (
        f"topic {topic}: its producers date the records ({LOG_APPEND_TIME[0]}=CreateTime), so a wrong clock dates event"
        " and record alike; events are held against the database's clock as well. Better the broker dates them:"
        f" {alter_command(topic)}"
    )


def alter_command(topic: str) -> str:
    """Return the command that lets the broker date the records of *topic*."""
    return (
        f"kafka-configs.sh --bootstrap-server … --alter --entity-type topics --entity-name {topic}"
        f" --add-config {'='.join(LOG_APPEND_TIME)}"
    )


class TimestampTypes:
    """Who dates the records of each topic; asked of the broker periodically, because topics are altered."""

    def __init__(self, engine: sa.Engine, cluster: Cluster, topics: Collection[str]) -> None:
        self._engine = engine
        self._cluster = cluster
        self._topics = sorted(topics)
        self._known: dict[str, TimestampType] = {}
        self._asked_at: float | None = None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know of topics whose producers date the records."""
        return tuple(
            create_time_notice(topic) for topic, kind in self._known.items() if kind is TimestampType.CREATE_TIME
        )

    def refresh_if_due(self) -> None:
        """Ask the broker if it is due, and store the answer, for partitions made since then too.

        Raises:
            UnavailableError: Postgres does not answer; a broker that does not answer leaves the types unknown.
        """
        now = monotonic_seconds()
        if self._asked_at is not None and now - self._asked_at < ASK_SECONDS:
            return
        types = self._cluster.timestamp_types(self._topics)
        with named_outage(self._engine, "storing timestamp types"), self._engine.begin() as connection:
            write_timestamp_types(connection, types)
        for topic, kind in types.items():
            if kind is not self._known.get(topic, TimestampType.UNKNOWN):
                self._log(topic, kind)
        self._known, self._asked_at = types, now

    def _log(self, topic: str, kind: TimestampType) -> None:
        if kind is TimestampType.CREATE_TIME:
            log.warning("topic.dated_by_producers", topic=topic, notice=create_time_notice(topic))
        elif topic in self._known:
            log.info("topic.timestamp_type_changed", topic=topic, timestamp_type=kind.value)
