"""Outages of Postgres and Kafka as ingest handles them: partitions paused, the next retry delayed."""

from collections.abc import Callable, Collection

import sqlalchemy as sa
import structlog

from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer
from monitor.backoff import Backoff
from monitor.clock import monotonic_seconds
from monitor.errors import RefusedByDatabaseError, UnavailableError
from monitor.health import Health
from monitor.store.outage import named_outage, require_writable
from monitor.types import PartitionKey, Service

BACKOFF = Backoff(first_seconds=0.2, longest_seconds=5.0)
CUT_OFF_SECONDS = 30.0

log = structlog.get_logger()


class ServiceOutages:
    """Pauses the partitions that *held* names while a service is away; each further failure doubles the wait."""

    def __init__(
        self,
        health: Health,
        engine: sa.Engine,
        cluster: Cluster,
        consumer: InputConsumer,
        *,
        held: Callable[[], Collection[PartitionKey]],
    ) -> None:
        self._health = health
        self._engine = engine
        self._cluster = cluster
        self._consumer = consumer
        self._held = held
        self._away: set[str] = set()
        self._failures = 0
        self._waiting_until = 0.0

    @property
    def wait_seconds(self) -> float:
        """How long to wait after the latest failure; 0.0 when all services answer."""
        return BACKOFF.wait_seconds(self._failures)

    def __contains__(self, service: str) -> bool:
        return service in self._away

    def over(self, now: float) -> bool:
        """Whether it is time to try (again) at *now*."""
        return now >= self._waiting_until

    def ask(self) -> None:
        """Probe the services that are away: what is due now may use neither, and would not show that they answer.

        Raises:
            UnavailableError: One still is.
        """
        if Service.POSTGRES in self._away:
            with named_outage(self._engine, "asking whether it is back"), self._engine.connect() as connection:
                require_writable(connection)
        if Service.KAFKA in self._away:
            self._cluster.topics([])

    def replace_client_cut_off(self, now: float) -> None:
        """Replace the consumer's client if no broker has sent it anything for long by *now*, but one answers others.

        librdkafka forgets brokers that an answer does not name. One that was just restarted may name none, and in rare
        cases the client tries none from then on (its issue 5301); it would need another process otherwise.

        Raises:
            UnavailableError: No broker answers others either.
        """
        silence = now - self._consumer.answered_at
        if silence < CUT_OFF_SECONDS:
            return
        self._cluster.topics([])
        log.warning("kafka.client_replaced", silent_seconds=round(silence, 1))
        self._consumer.replace_client()

    def begin(self, error: UnavailableError | RefusedByDatabaseError) -> None:
        """Record that a service failed, for the first time or once more."""
        if not self._away:
            self._consumer.pause(self._held())
        self._away.add(error.service)
        self._health.away(error.service, str(error))
        self._failures += 1
        self._waiting_until = monotonic_seconds() + self.wait_seconds

    def end(self, *services: str) -> None:
        """Record that *services* answer, all of them by default."""
        if not self._away:
            return
        for service in services or tuple(self._away):
            self._health.back(service)
            self._away.discard(service)
        if not self._away:
            self._consumer.resume(self._held())
            self._failures = 0
