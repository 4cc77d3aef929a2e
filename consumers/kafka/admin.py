"""Kafka's topics: creating them, and what the cluster knows of them (ids, partitions, who dates their records)."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from consumers.kafka.settings import (
    ANSWER_SECONDS,
    Complaints,
    FoundTopic,
    TopicPlan,
    client_settings,
    named_properties,
    unavailable,
)
from monitor.errors import DriftlineError, UnavailableError
from monitor.settings import Settings
from monitor.types import TimestampType

__all__ = [
    "Cluster",
    "TopicPlan",
    "create_topics",
    "describe_topics",
    "unavailable",
]


def create_topics(settings: Settings, plans: Sequence[TopicPlan]) -> dict[str, bool]:
    """Create the topics that are missing; return for each name whether it was made now.

    Raises:
        UnavailableError: The broker does not answer.
        DriftlineError: The broker refuses; says its reason.
    """
    complaints = Complaints()
    admin = _made(settings, complaints)
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
                admin.poll(0)
                raise unavailable(settings, f"creating topic {name}", cause.str(), complaints.collected()) from error
            else:
                raise DriftlineError(f"topic {name}: the broker refuses to create it: {cause.str()}") from error
    return made


def _made(settings: Settings, complaints: Complaints) -> AdminClient:
    properties: dict[str, Any] = {**client_settings(settings), "error_cb": complaints, "log_level": 6}
    with named_properties():
        return AdminClient(properties, logger=complaints)


class Cluster:
    """What the brokers answer about topics.

    After no answer the next question goes by a new client: while all brokers restart a client can lose them for good.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AdminClient | None = None
        self._complaints = Complaints()
        self._knows_ids = True

    @property
    def _admin(self) -> AdminClient:
        if self._client is None:
            self._client = _made(self._settings, self._complaints)
        return self._client

    def _unanswered(self, doing: str, cause: object) -> UnavailableError:
        self._admin.poll(0)  # brings what it has to say of its connections
        self._client = None
        return unavailable(self._settings, doing, cause, self._complaints.collected())

    def topics(self, names: Sequence[str]) -> dict[str, FoundTopic]:
        """Return those of *names* that exist.

        Raises:
            UnavailableError: The broker does not answer.
        """
        try:
            cluster = self._admin.list_topics(timeout=ANSWER_SECONDS)
        except KafkaException as error:
            raise self._unanswered("listing topics", error.args[0].str()) from error
        listed = cluster.topics
        if str(cluster.cluster_id).startswith("mockCluster"):
            self._knows_ids = False  # the demo's broker: asking it would last until the timeout
        there = [name for name in names if name in listed and listed[name].error is None]
        ids = self.ids(there) or {}
        return {
            name: FoundTopic(name=name, topic_id=ids.get(name, ""), partitions=len(listed[name].partitions))
            for name in there
        }

    def compacted(self, topic: str) -> bool:
        """Return whether the broker may remove records of *topic* by their keys; False where it does not say."""
        wanted = ConfigResource(ConfigResource.Type.TOPIC, topic)
        try:
            (future,) = self._admin.describe_configs([wanted], request_timeout=ANSWER_SECONDS).values()
            entry = future.result(ANSWER_SECONDS + 5).get("cleanup.policy")
        except KafkaException:
            return False
        return entry is not None and "compact" in str(entry.value)

    def ids(self, names: Sequence[str], *, timeout_seconds: float = ANSWER_SECONDS) -> dict[str, str] | None:
        """Return the ids of those of *names* that exist, empty where we may not know; None: this broker has none.

        Raises:
            UnavailableError: The broker does not answer.
        """
        if not self._knows_ids:
            return None
        try:
            return self._ids(names, timeout_seconds)
        except (KafkaException, TimeoutError) as error:
            raise self._unanswered(f"asking for the ids of {', '.join(names)}", error) from error

    def _ids(self, names: Sequence[str], timeout_seconds: float) -> dict[str, str] | None:
        if not names:
            return {}
        futures = cast(
            "dict[str, Future[object]]",
            self._admin.describe_topics(TopicCollection(list(names)), request_timeout=timeout_seconds),
        )
        ids: dict[str, str] = {}
        for name, future in futures.items():
            try:
                ids[name] = str(getattr(future.result(timeout_seconds + 1), "topic_id", ""))
            except KafkaException as error:
                # the mock cluster of the demo does not know the request
                if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:
                    self._knows_ids = False
                    return None
                if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    ids[name] = ""
                elif error.args[0].code() not in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
                    raise
        return ids

    def timestamp_types(self, names: Sequence[str]) -> dict[str, TimestampType]:
        """Return who dates the records of each of *names*; UNKNOWN where the broker does not say."""
        types = dict.fromkeys(names, TimestampType.UNKNOWN)
        if not names or not self._knows_ids:
            return types
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        for resource, future in self._admin.describe_configs(asked, request_timeout=ANSWER_SECONDS).items():
            with contextlib.suppress(KafkaException):  # not allowed to ask, or no such topic
                setting = future.result(ANSWER_SECONDS + 5)["message.timestamp.type"]
                types[str(resource.name)] = TimestampType(setting.value)
        return types


def describe_topics(settings: Settings, names: Sequence[str]) -> dict[str, FoundTopic]:
    """Return those of *names* that exist, asked of a client of its own."""
    return Cluster(settings).topics(names)
