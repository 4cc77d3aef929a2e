"""Ingest: poll, decode, count, flush; one process, one consumer, one thread."""

import gc
import os
import socket
import threading
from collections.abc import Collection, Sequence
from typing import cast

import sqlalchemy as sa
import structlog

from consumers.assignment import AssignedPartitions
from consumers.batch_counting import BatchCounter
from consumers.configure import Configurer
from consumers.flush import Flusher
from consumers.health import IngestHealth, log_stopped
from consumers.heartbeats import Heartbeats
from consumers.isolation import stop_refused_models
from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer
from consumers.kafka.hole_check import HoleCheck
from consumers.kafka.producer import TopicProducer
from consumers.kafka.settings import Rebalance
from consumers.kafka.topics import TimestampTypes, topic_roles
from consumers.outages import ServiceOutages
from consumers.pending_counts import PendingCounts
from consumers.position_check import PositionCheck
from consumers.records import Record, RecordBatch, batches_by_role
from consumers.resending import ParkedLetters
from consumers.telemetry import Timings, observe_flush, observe_lag
from consumers.wakeups import Wakeups
from monitor.clock import monotonic_seconds
from monitor.errors import (
    ConfigurationChanged,
    OffsetFenced,
    RecordsUnaccounted,
    RefusedByDatabaseError,
    UnavailableError,
    VersionsRefused,
)
from monitor.health import Health
from monitor.metrics import FENCED_FLUSHES, FLUSH_SECONDS
from monitor.settings import Settings
from monitor.store.configuration import Configuration
from monitor.store.database_clock import DatabaseClock
from monitor.store.engine import StatementLimits, make_engine
from monitor.types import PartitionKey, Service

BEAT_SECONDS = 1.0
SMALL_BATCH = 500

log = structlog.get_logger()


def run_ingest(
    settings: Settings,
    *,
    stop: threading.Event,
    health: Health | None = None,
    timings: Timings | None = None,
) -> None:
    """Ingest until *stop* is set, then flush once and leave the group.

    A Postgres or broker that is away is waited for. *health* shows that, and that the loop goes on; *timings* adds up
    CPU.
    """
    # The batch lives until its flush; the young generations would be walked thousands of times a second for nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    limits = StatementLimits(statement_seconds=settings.flush_timeout_seconds)
    engine = make_engine(settings.database_url, pool_size=2, limits=limits)
    try:
        IngestWorker(settings, engine, health=health or Health(), timings=timings or Timings()).run(stop)
    finally:
        engine.dispose()


class IngestWorker:
    """The ingest loop and its handling of outages, lost partitions and changed configurations."""

    def __init__(self, settings: Settings, engine: sa.Engine, *, health: Health, timings: Timings) -> None:
        self._settings = settings
        self._engine = engine
        self._timings = timings
        self._roles = topic_roles(settings)
        self._consumer = InputConsumer(
            settings, Rebalance(assigned=self._assigned, revoked=self._revoked, lost=self._revoked)
        )
        cluster = Cluster(settings)
        self._partitions = AssignedPartitions(settings, engine, self._consumer, cluster, self._roles)
        self._heartbeats = Heartbeats(engine, self._partitions, self._consumer)
        self._position_check = PositionCheck(self._partitions, HoleCheck(settings, cluster))
        self._timestamp_types = TimestampTypes(engine, cluster, self._roles)
        self._clock = DatabaseClock(engine)
        self._configurer = Configurer(engine, settings, timings, self._clock)
        self._flusher = Flusher(
            engine, worker=_worker_name(), horizon=settings.dedup_horizon, places=self._configurer.places
        )
        self._wakeups = Wakeups(TopicProducer(settings), settings.wakeups_topic)
        self._parked = ParkedLetters(engine, settings, self._roles)
        self._pending = PendingCounts()
        self._pending_since = self._beat_at = 0.0
        self._batch_counter: BatchCounter | None = None
        self._configuration = Configuration(-1, ())
        self._ingest_health = IngestHealth(settings, health, self._partitions, self._consumer)
        self._outages = ServiceOutages(health, engine, cluster, self._consumer, held=self._partitions.states.keys)
        self._broker_in_doubt = self._ending = self._received = False
        self._count = min(SMALL_BATCH, settings.batch_size)
        self._flushes = 0

    def run(self, stop: threading.Event) -> None:
        """Loop until *stop*; then one last flush."""
        self._begin(stop)
        self._consumer.subscribe(sorted(self._roles))
        while not stop.is_set():
            self._step()
        self._ending = True
        self._try_flush()
        self._consumer.close()
        self._position_check.close()
        log.info("ingest.stopped", records=self._timings.records, flushes=self._flushes)

    def _begin(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._clock.read()
                self._load_configuration()
                self._partitions.discover()
                self._timestamp_types.refresh_if_due()
            except (UnavailableError, RefusedByDatabaseError) as error:
                self._away(error)
                self._report()
                stop.wait(self._outages.wait_seconds)
            else:
                self._outages.end()
                return

    def _step(self) -> None:
        received = self._consumer.consume(self._count, timeout_seconds=min(0.2, self._settings.flush_seconds / 2))
        self._timings.end("consume")
        self._received = bool(received.records)
        for complaint in received.complaints:
            log.debug("kafka.error_reported", complaint=complaint)  # if it lasts it is an outage, and logged as one
        if received.complaints:
            self._broker_in_doubt = True
            self._partitions.doubt_topics()
            self._heartbeats.doubt_ends()  # what the client fetched since is perhaps of before
        for batch in batches_by_role(cast("list[Record]", received.records), self._roles) if received.records else ():
            self._absorb(batch)
        self._count = self._next_count(len(received.records))
        for key, offset in received.ends.items():
            self._position_check.end(key, offset)
        if received.cut:
            self._cut(received.cut)
        now = monotonic_seconds()
        self._ingest_health.loop_advanced(now, all_flushed=not self._unflushed)
        if not self._outages.over(now):
            return
        if self._due(now) and not self._try_flush():
            return
        self._tend(now)

    def _cut(self, keys: frozenset[PartitionKey]) -> None:
        # What was read before the cut is kept if Postgres takes it now; the next claim says whether we may go on.
        self._try_flush()
        for key in sorted(keys):
            self._partitions.give_back(key, because="the log no longer holds our position")
        self._recount_without(keys)

    def _next_count(self, received: int) -> int:
        """Return how many records to ask for: fewer while each opens a pane of its own, which costs its whole layout.

        A backfill of one event a minute would otherwise open as many panes as a batch has records.
        """
        if received and len(self._pending.panes) > self._settings.flush_panes:
            return min(SMALL_BATCH, self._settings.batch_size)
        return min(2 * self._count, self._settings.batch_size)

    @property
    def _unflushed(self) -> bool:
        # A position may move over a hole at the end of the log, without a record.
        return bool(self._pending.raw) or any(state.moved for state in self._partitions.states.values())

    def _due(self, now: float) -> bool:
        pending = self._pending
        return self._unflushed and (
            now - self._pending_since >= self._settings.flush_seconds
            or pending.events >= self._settings.flush_events
            or pending.bytes >= self._settings.flush_bytes
            or len(pending.panes) >= self._settings.flush_panes
        )

    def _tend(self, now: float) -> None:
        try:
            self._outages.ask()
            if not self._received:
                self._outages.replace_client_cut_off(now)
            self._ask_broker_in_doubt()
            self._still_the_same(self._partitions.topics_due())
            self._partitions.update()
            self._clock.refresh()
            self._timestamp_types.refresh_if_due()
            if self._configurer.is_stale(self._configuration.generation):
                self._load_configuration()
                self._recount()
            self._parked.send_if_due()
            if now - self._beat_at >= BEAT_SECONDS:
                self._position_check.settle_ends()
                self._heartbeats.beat(every_seconds=BEAT_SECONDS)
                self._beat_at = now
                observe_lag(self._partitions.states.values(), self._consumer.cached_end)
                self._report()
        except (UnavailableError, RefusedByDatabaseError) as error:
            self._away(error)
        else:
            self._outages.end()
        self._recount_without(self._claims_lost())
        self._wakeups.send()
        self._timings.end("flush")

    # Counting

    def _absorb(self, batch: RecordBatch) -> None:
        if not self._unflushed:
            self._pending_since = monotonic_seconds()
        ours = self._position_check.following(batch)
        if ours is None or self._batch_counter is None:
            return
        self._timings.records += len(ours.records)
        self._batch_counter.count(ours, self._partitions.states, self._pending)

    def _ask_broker_in_doubt(self) -> None:
        """After a complaint the end of a partition is known only once the broker answers: no heartbeat before.

        A heartbeat says "read to the end"; without a broker it would let windows close over events nobody has read.
        """
        if self._broker_in_doubt and self._partitions.states:
            self._consumer.watermarks(min(self._partitions.states))
        self._broker_in_doubt = False

    def _claims_lost(self) -> frozenset[PartitionKey]:
        return frozenset(
            key for batch in self._pending.raw for key in batch.partitions if key not in self._partitions.states
        )

    def _recount_without(self, keys: frozenset[PartitionKey]) -> None:
        """Count the raw records again, those of *keys* left out."""
        if not any(key in keys for batch in self._pending.raw for key in batch.partitions):
            return
        self._recount(keys)

    def _recount(self, keys: frozenset[PartitionKey] = frozenset()) -> None:
        raw, self._pending = self._pending.raw, PendingCounts()
        for state in self._partitions.states.values():
            state.roll_back()
        for batch in raw:
            left = batch.without(keys)
            if left is not None:
                self._absorb(left)

    # Flushing

    def _try_flush(self) -> bool:
        """Flush what is pending; False when Postgres is away and the batch stays."""
        if self._ending and (Service.POSTGRES in self._outages or Service.KAFKA in self._outages):
            return False  # tried before; the next worker that reads the partitions counts these records
        while self._unflushed:
            try:
                if self._still_the_same({state.key.topic for state in self._partitions.states.values() if state.moved}):
                    self._flush()
                    return True
            except ConfigurationChanged:
                try:
                    self._load_configuration()
                except (UnavailableError, RefusedByDatabaseError) as error:
                    self._away(error)
                    return False
                self._recount()
            except VersionsRefused:
                self._recount()
            except OffsetFenced as error:
                FENCED_FLUSHES.inc()
                key = PartitionKey(error.topic, error.partition)
                self._partitions.fenced(key)
                self._recount_without(frozenset({key}))
            except RecordsUnaccounted as error:
                log.error("partition.unaccounted", error=str(error))
                key = PartitionKey(error.topic, error.partition)
                self._partitions.give_back(key, because="records do not add up")
                self._recount_without(frozenset({key}))
            except UnavailableError as error:
                self._away(error)
                return False
            except RefusedByDatabaseError as error:
                if not self._isolated(error):
                    return False
        return True

    def _isolated(self, error: RefusedByDatabaseError) -> bool:
        """Stop the models whose rows the database refuses and count the batch again; False: wait and try again."""
        assert self._batch_counter is not None
        moved = [state for state in self._partitions.states.values() if state.moved]
        try:
            stopped = stop_refused_models(
                self._flusher,
                self._pending,
                moved,
                names=self._configuration.names,
                generation=self._batch_counter.generation,
            )
        except ConfigurationChanged:
            return True  # the next flush finds that out, too
        except UnavailableError as outage:
            self._away(outage)
            return False
        if not stopped:
            self._away(error)
            return False
        self._recount()
        return True

    def _still_the_same(self, topics: Collection[str]) -> bool:
        """Return whether every unflushed record of *topics* is of the topic it was claimed for; drop others at once."""
        changed = self._partitions.changed(topics) if topics else {}
        for key, because in changed.items():
            self._partitions.give_back(key, because=because)
        self._recount_without(frozenset(changed))
        return not changed

    def _flush(self) -> None:
        assert self._batch_counter is not None
        self._heartbeats.look_at_ends()
        states = list(self._partitions.states.values())
        with FLUSH_SECONDS.time():
            kept = self._flusher.flush(self._pending, states, generation=self._batch_counter.generation)
        self._outages.end(Service.POSTGRES)
        self._configurer.dead_letters.flushed(kept)
        observe_flush(self._pending, states)
        positions = {state.key: state.now.next_offset for state in states if state.moved}
        now = monotonic_seconds()
        for state in states:
            if state.moved:
                log_stopped(state, self._configuration)
                state.mark_flushed(now=now)
        self._flushes += 1
        self._wakeups.changed({series.model_id for series, _, _ in self._pending.panes})
        self._pending = PendingCounts()
        self._consumer.commit(positions)
        self._timings.end("flush")

    def _load_configuration(self) -> None:
        self._configuration, self._batch_counter = self._configurer.load()
        self._wakeups.set_configuration(self._configuration)
        self._parked.set_configuration(self._configuration)

    def _away(self, error: UnavailableError | RefusedByDatabaseError) -> None:
        self._outages.begin(error)
        self._heartbeats.doubt_ends()  # nothing is fetched until it is over, and heartbeats are written before that
        self._report()

    # The group

    def _assigned(self, keys: Sequence[PartitionKey]) -> None:
        self._partitions.assign(keys)

    def _revoked(self, keys: Sequence[PartitionKey]) -> None:
        # Also when they are lost already: what somebody else moved since is refused, and the log says so.
        self._try_flush()
        self._partitions.release(keys)
        self._recount_without(frozenset(keys))

    # Health

    def _report(self) -> None:
        self._ingest_health.report(self._configuration, self._timestamp_types.notices)


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
