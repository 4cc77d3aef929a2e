"""The partitions assigned to this worker: taken over in Postgres, read, stopped, resumed, given back."""

import math
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
import structlog

from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer
from consumers.model_intake import ModelIntakes
from consumers.partition_state import PartitionState
from monitor.backoff import Backoff
from monitor.clock import monotonic_seconds
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.store.duplicates import load_identities
from monitor.store.model_intake import load_intake, stopped_models
from monitor.store.offsets import (
    BrokerPartition,
    claim_partition,
    discover_partition,
    list_offsets,
    pause_partition,
)
from monitor.store.outage import named_outage
from monitor.store.partition_repairs import paused_partitions, unaccounted_partitions
from monitor.types import PartitionKey, StartAt, TopicRole

TOPICS_SECONDS = 2.0
CONFIRM_SECONDS = 3.0  # for the answer that a flush waits for
STOPPED_SECONDS = 2.0
FENCED_SECONDS = 3.0  # a zombie learns of its lost assignment before it would fence the new owner
UNCLAIMED_SECONDS = 5.0
CLAIMING_SECONDS = 1.0  # of one round: with a slow Postgres those that flow already must not wait for all others
REFUSED = Backoff(first_seconds=0.2, longest_seconds=5.0)
TOO_MANY_REFUSALS = 3

log = structlog.get_logger()


class AssignedPartitions:
    """The partitions that the group assigned to this worker, and the state of those taken over in Postgres."""

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        consumer: InputConsumer,
        cluster: Cluster,
        roles: Mapping[str, TopicRole],
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._consumer = consumer
        self._cluster = cluster
        self._roles = roles
        self._topic_ids: dict[str, str] = {}
        self._topics_at = self._stopped_at = monotonic_seconds()
        self._not_before: dict[PartitionKey, float] = {}
        self._to_stop: dict[PartitionKey, tuple[int, str]] = {}
        self.assigned: set[PartitionKey] = set()
        self.states: dict[PartitionKey, PartitionState] = {}
        self.stopped: dict[PartitionKey, str] = {}
        self.unclaimed: dict[PartitionKey, str] = {}  # ours by the group, not to be had yet, and why
        self.unaccounted: dict[PartitionKey, int] = {}  # ours, and how many offsets its records do not add up to

    def discover(self) -> None:
        """Insert the rows of partitions nobody has read yet, so that they hold the watermark until somebody does.

        Raises:
            UnavailableError: Postgres or the broker does not answer, or an input topic is missing.
        """
        topics = self._cluster.topics(sorted(self._roles))
        self._topic_ids = {name: topic.topic_id for name, topic in topics.items()}
        with named_outage(self._engine, "reading offsets"), self._engine.begin() as connection:
            read_before = {offset.key.topic for offset in list_offsets(connection)}
            for topic in topics.values():
                start_at = StartAt.EARLIEST if topic.name in read_before else self._settings.start_at
                for partition in range(topic.partitions):
                    at_broker = self._ask_broker(PartitionKey(topic.name, partition))
                    discover_partition(connection, at_broker, start_at=start_at)

    def assign(self, keys: Sequence[PartitionKey]) -> None:
        """The group gave us *keys*; `claim` takes them over."""
        self.assigned |= set(keys)
        log.info("partitions.assigned", partitions=[str(key) for key in keys])

    def release(self, keys: Sequence[PartitionKey]) -> None:
        """*keys* are no longer ours."""
        for key in keys:
            self.assigned.discard(key)
            self.states.pop(key, None)
            self.stopped.pop(key, None)
            self.unclaimed.pop(key, None)
            self.unaccounted.pop(key, None)
            self._not_before.pop(key, None)
            self._to_stop.pop(key, None)
        log.info("partitions.released", partitions=[str(key) for key in keys])

    def fenced(self, key: PartitionKey) -> None:
        """Somebody else moved *key*, or our own commit did unseen: drop it, look again a little later."""
        state = self.states.pop(key, None)
        log.warning("offset.fenced", partition=str(key), position=state.stored.next_offset if state else None)
        self._consumer.stop_reading([key])
        self._not_before[key] = monotonic_seconds() + FENCED_SECONDS

    def give_back(self, key: PartitionKey, *, because: str) -> None:
        """Drop *key* and its unflushed records; the next claim compares our position with the broker's log."""
        state = self.states.pop(key, None)
        self._consumer.stop_reading([key])
        if state is not None:
            log.warning(
                "partition.given_back",
                partition=str(key),
                because=because,
                flushed_to=state.stored.next_offset,
                dropped_to=state.now.next_offset,
            )

    def topics_due(self) -> frozenset[str]:
        """Return the topics whose ids are to be confirmed now although nothing is flushed: all of ours, or none."""
        now = monotonic_seconds()
        if now - self._topics_at < TOPICS_SECONDS:
            return frozenset()
        self._topics_at = now
        return frozenset(key.topic for key in self.states)

    def doubt_topics(self) -> None:
        """Ask for the topics' ids in the next round: an error suggests that a topic was recreated."""
        self._topics_at = -math.inf

    def changed(self, topics: Collection[str]) -> dict[PartitionKey, str]:
        """Return our partitions of *topics* that are of another log than when they were claimed, and why.

        What was consumed before this call began was read from the topic with the id that the answer names, if that is
        the one we know: a topic that was created again never gets its old id back.

        Raises:
            UnavailableError: The broker does not answer.
        """
        ids = self._cluster.ids(sorted(topics), timeout_seconds=CONFIRM_SECONDS)
        if ids is None:
            return {}
        reasons: dict[PartitionKey, str] = {}
        for key, state in self.states.items():
            if key.topic not in topics or not state.topic_id or ids.get(key.topic) in ("", state.topic_id):
                continue
            reasons[key] = f"topic id {state.topic_id} expected, found {ids.get(key.topic, 'no such topic')}"
        return reasons

    def read_again(self, key: PartitionKey, *, received: int) -> None:
        """Read *key* from our position on once more: the offset *received* followed it, and nothing explains that."""
        state = self.states[key]
        log.warning("partition.reread", partition=str(key), expected=state.now.next_offset, found=received)
        state.halt()
        state.refusals += 1
        self._consumer.stop_reading([key])
        self._not_before[key] = monotonic_seconds() + REFUSED.wait_seconds(state.refusals)

    def problems(self) -> list[str]:
        """Return what is wrong with our partitions, a sentence each, for the operator."""
        sentences = [f"{key}: {reason}" for key, reason in sorted(self.stopped.items())]
        sentences += [f"{key}: {reason}" for key, reason in sorted(self.unclaimed.items())]
        sentences += [
            f"{key}: {abs(count)} offsets were passed {'without' if count > 0 else 'with more than'} a record counted"
            " or a hole explained; records are missing or counted twice, compare `driftline partitions list`"
            for key, count in sorted(self.unaccounted.items())
        ]
        sentences += [
            f"{key}: expected the record at offset {state.now.next_offset}, the client skipped it"
            f" {state.refusals} times though the broker has it"
            for key, state in sorted(self.states.items())
            if state.refusals >= TOO_MANY_REFUSALS
        ]
        return sentences

    def stop(self, key: PartitionKey, reason: str) -> None:
        """Stop *key* before its offset moves, until a human resumes it."""
        state = self.states.pop(key, None)
        self._consumer.stop_reading([key])
        self.stopped[key] = reason
        if state is not None:
            self._to_stop[key] = (state.epoch, reason)
        log.error("partition.stopped", partition=str(key), reason=reason)

    def update(self) -> None:
        """Take over what was assigned and start reading it; detect what was stopped, resumed or recreated.

        Raises:
            UnavailableError: Postgres or the broker does not answer; what is left is done at the next call.
        """
        self._write_stops()
        self._topic_ids.clear()  # the claims of each round read them again
        now = monotonic_seconds()
        if now - self._stopped_at >= STOPPED_SECONDS:
            self._stopped_at = now
            self._notice_resumed()
            self._notice_unaccounted()
            self._notice_resumed_models()
        for key in sorted(self.assigned - self.states.keys() - self.stopped.keys()):
            if self._not_before.get(key, now) <= now and not self._try_claim(key):
                break  # a broker that is silent costs one timeout a round, whatever the number of partitions
            if monotonic_seconds() - now > CLAIMING_SECONDS:
                break
        for key, state in self.states.items():
            if not state.flowing and self._not_before.get(key, now) <= now:
                state.flowing = self._consumer.start_reading(key, state.now.next_offset)

    def _try_claim(self, key: PartitionKey) -> bool:
        """Claim *key*; False: not now. One partition without a leader, or locked, must not hold up the others."""
        try:
            self._claim(key)
        except UnavailableError as error:
            if key not in self.unclaimed:
                log.warning("partition.claim_failed", partition=str(key), error=str(error))
            self.unclaimed[key] = str(error)
            self._not_before[key] = monotonic_seconds() + UNCLAIMED_SECONDS
            return False
        self.unclaimed.pop(key, None)
        return True

    def _claim(self, key: PartitionKey) -> None:
        at_broker = self._ask_broker(key)
        with named_outage(self._engine, f"taking over {key}"), self._engine.begin() as connection:
            # without a row it was made after we began: the start policy is about what was there before
            row = claim_partition(
                connection, at_broker, start_at=StartAt.EARLIEST, look_again=lambda: self._ask_again(key)
            )
            horizon = self._settings.dedup_horizon
            since = row.next_offset - horizon
            seen = load_identities(connection, key, since=since, incarnation=row.incarnation)
            intakes = ModelIntakes(key, load_intake(connection, key), end=at_broker.high)
        if row.paused_reason is not None:
            self.stopped[key] = row.paused_reason
            log.error("partition.stopped", partition=str(key), reason=row.paused_reason)
            return
        self._not_before.pop(key, None)
        self.states[key] = PartitionState(
            row, seen, horizon=horizon, intakes=intakes, settle_seconds=self._settings.settle_seconds
        )
        log.info("partition.claimed", partition=str(key), offset=row.next_offset, epoch=row.epoch)

    def _ask_broker(self, key: PartitionKey) -> BrokerPartition:
        if key.topic not in self._topic_ids:
            self._read_topic_ids()
        if key.topic not in self._topic_ids:
            raise UnavailableError(
                f"Kafka at {self._settings.kafka_bootstrap} has no topic {key.topic}; it was deleted"
            )
        low, high = self._consumer.watermarks(key)
        role, topic_id = self._roles[key.topic], self._topic_ids[key.topic]
        return BrokerPartition(key=key, role=role, topic_id=topic_id, low=low, high=high)

    def _ask_again(self, key: PartitionKey) -> BrokerPartition:
        self._topic_ids.pop(key.topic, None)
        return self._ask_broker(key)

    def _read_topic_ids(self) -> None:
        topics = self._cluster.topics(sorted(self._roles))
        self._topic_ids = {name: topic.topic_id for name, topic in topics.items()}

    def _write_stops(self) -> None:
        for key, (epoch, reason) in list(self._to_stop.items()):
            with named_outage(self._engine, f"stopping {key}"), self._engine.begin() as connection:
                pause_partition(connection, key, reason=reason, epoch=epoch)
            del self._to_stop[key]

    def _notice_resumed(self) -> None:
        if not self.stopped:
            return
        with named_outage(self._engine, "reading stopped partitions"), self._engine.connect() as connection:
            still = paused_partitions(connection)
        for key in set(self.stopped) - still.keys() - self._to_stop.keys():
            del self.stopped[key]
            log.info("partition.resumed", partition=str(key))

    def _notice_unaccounted(self) -> None:
        with named_outage(self._engine, "comparing records with offsets"), self._engine.connect() as connection:
            counts = unaccounted_partitions(connection)
        self.unaccounted = {key: count for key, count in counts.items() if key in self.assigned}

    def _notice_resumed_models(self) -> None:
        """Count the records of models again that a human resumed, from the next one on."""
        known = {(key, model_id) for key, state in self.states.items() for model_id in state.intakes.stopped}
        if not known:
            return
        with named_outage(self._engine, "reading stopped models"), self._engine.connect() as connection:
            still = {(stopped.source, stopped.model_id) for stopped in stopped_models(connection)}
            resumed = {key: load_intake(connection, key) for key in {key for key, _ in known - still}}
        for key, rows in resumed.items():
            state = self.states[key]
            end = max(self._consumer.cached_end(key), state.now.next_offset)
            for row in rows:
                if (key, row.model_id) in known - still:
                    state.intakes.resumed(row.model_id, end=end, blind_until=row.blind_until)
                    log.info("model.resumed", partition=str(key), model_id=row.model_id)
