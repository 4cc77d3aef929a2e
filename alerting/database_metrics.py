"""Metrics that are read from Postgres at each scrape, so that every alerter shows the same, and nothing goes stale."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerting.model_rounds import overdue_seconds
from monitor import metrics
from monitor.clock import monotonic_seconds, now_millis
from monitor.errors import DriftlineError
from monitor.metrics import CollectedMetric
from monitor.settings import Settings
from monitor.store.engine import StatementLimits, make_engine
from monitor.store.outage import named_outage
from monitor.store.views.gauges import DriftReader, InstallationGauges, read_gauges

log = structlog.get_logger()

STATEMENT_SECONDS = 5.0  # Prometheus itself gives up after ten
FRESH_SECONDS = 1.0  # several scrapes at once are one reading


class DatabaseMetrics(Collector):
    """Reads the installation's numbers when Prometheus asks; without Postgres only the watermark's age is shown."""

    def __init__(self, engine: sa.Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self._lock = threading.Lock()
        self._drift = DriftReader()
        self._read_at = 0.0
        self._read: list[Metric] = []
        self._watermark: int | None = None

    def describe(self) -> list[Metric]:
        """Return nothing: a registry that registers it need not ask Postgres."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric as it is now."""
        with self._lock:
            if not self._read or monotonic_seconds() - self._read_at >= FRESH_SECONDS:
                self._read = list(self._from_database())
                self._read_at = monotonic_seconds()
            yield from self._read
            if self._watermark is not None:
                yield _gauge(metrics.WATERMARK_TIMESTAMP_SECONDS, {(): self._watermark / 1000})
                yield _gauge(metrics.WATERMARK_AGE_SECONDS, {(): (now_millis() - self._watermark) / 1000})

    def _from_database(self) -> Iterator[Metric]:
        try:
            with named_outage(self._engine, "collecting metrics"), self._engine.connect() as connection:
                alerter_seconds = overdue_seconds(self._settings)
                gauges = read_gauges(connection, self._settings, alerter_seconds=alerter_seconds)
                drift = self._drift.read(connection)
        except DriftlineError as error:
            log.debug("metrics.not_collected", reason=str(error))  # the alerter's loops say it once
            yield _gauge(metrics.DATABASE_UP, {(): 0.0})
            return
        if gauges.watermark is not None:
            self._watermark = gauges.watermark
        yield _gauge(metrics.DATABASE_UP, {(): 1.0})
        yield from _families(gauges)
        yield _gauge(metrics.PSI, {(str(key), version, column): psi for (key, version, column), psi in drift.items()})


@contextmanager
def collected_from_database(settings: Settings) -> Iterator[None]:
    """Add the metrics from Postgres to those of this process meanwhile, on a connection of their own."""
    limits = StatementLimits(statement_seconds=STATEMENT_SECONDS)
    engine = make_engine(settings.database_url, pool_size=1, limits=limits)
    collector = DatabaseMetrics(engine, settings)
    REGISTRY.register(collector)
    try:
        yield
    finally:
        REGISTRY.unregister(collector)
        engine.dispose()


def _families(gauges: InstallationGauges) -> Iterator[Metric]:
    yield _gauge(
        metrics.INCIDENTS_OPEN, {(str(key), kind.value): count for (key, kind), count in gauges.open_incidents.items()}
    )
    yield _gauge(metrics.UNACKNOWLEDGED, {(tier.word,): count for tier, count in gauges.open_tiers.items()})
    waiting = gauges.waiting.items()
    yield _gauge(metrics.OUTBOX_PENDING, {(kind.value,): effects.pending for kind, effects in waiting})
    oldest = {(kind.value,): effects.oldest for kind, effects in waiting if effects.oldest is not None}
    yield _gauge(metrics.OUTBOX_OLDEST, oldest)
    yield _gauge(metrics.ENDPOINT_UP, {(name,): float(up) for name, up in gauges.endpoints_up.items()})
    turned = {(str(turn.key),): (turn.turned_at or 0) / 1000 for turn in gauges.turns}
    yield _gauge(metrics.MODEL_TURN_TIMESTAMP_SECONDS, turned)
    yield _gauge(metrics.MODEL_TURN_FAILURES, {(str(turn.key),): turn.failures for turn in gauges.turns})
    yield _gauge(metrics.HOLDS, {(): gauges.holds})
    yield _gauge(metrics.ALERTERS, {(): gauges.alerters})


def _gauge(metric: CollectedMetric, values: Mapping[Any, float]) -> Metric:
    """Return *metric* with its *values* by the values of its labels."""
    family = CounterMetricFamily if metric.counter else GaugeMetricFamily
    collected = family(metric.name, metric.documentation, labels=metric.labels)
    for labels, value in values.items():
        collected.add_metric(labels, value)
    return collected
