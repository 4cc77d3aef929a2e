"""Kafka records and configurations made by hand, for tests of ingest without a broker."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from consumers.admission import DeadLetterLimit
from consumers.batch_counting import BatchCounter
from consumers.dead_letters import DeadLetterCollector
from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts
from consumers.records import batches_by_role
from consumers.telemetry import Timings
from consumers.version_places import VersionPlaces
from monitor.reference.layout import CellsLayout
from monitor.settings import Settings
from monitor.spec.file import parse_spec
from monitor.store.configuration import AppliedCells, AppliedModel, Configuration
from monitor.store.duplicates import SeenIdentities
from monitor.store.offsets import PartitionCounters, StoredOffset
from monitor.store.refused_counts import KeptBytes
from monitor.types import PartitionKey, TopicRole
from tests.models.credit import START, layout, spec_text

ROLES = {"predictions": TopicRole.PREDICTIONS, "truths": TopicRole.TRUTHS, "deployments": TopicRole.DEPLOYMENTS}


@dataclass(frozen=True, kw_only=True)
class FakeRecord:
    """A Kafka message."""

    body: bytes | None
    at: int
    of_topic: str = "predictions"
    of_partition: int = 0
    stamp: int = START + 10_000_000
    dated_by_broker: bool = False
    of_headers: tuple[tuple[str, bytes | None], ...] = ()

    def topic(self) -> str:
        return self.of_topic

    def partition(self) -> int:
        return self.of_partition

    def offset(self) -> int:
        return self.at

    def timestamp(self) -> tuple[int, int]:
        return 2 if self.dated_by_broker else 1, self.stamp

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.of_headers) or None


def configuration(cells: CellsLayout | None = None, **changes: Any) -> Configuration:
    """Return one applied model of `spec_text` with *changes*."""
    spec = parse_spec(spec_text(**changes), source="test")
    applied = AppliedModel(1, spec.key, 1, spec, 1, (AppliedCells(1, cells or layout(), 0),))
    return Configuration(1, (applied,))


def fresh_state(
    partition: int = 0, topic: str = "predictions", *, horizon: int = 100_000, settle_seconds: float = 5.0
) -> PartitionState:
    """Return a partition that was never read."""
    row = StoredOffset(
        key=PartitionKey(topic, partition),
        role=ROLES[topic],
        topic_id="",
        incarnation=0,
        first_offset=0,
        next_offset=0,
        epoch=1,
        max_event_time=None,
        caught_up=False,
        heartbeat_at=None,
        paused_reason=None,
        forgiven_until=0,
        recent_bad=None,
        counters=PartitionCounters(),
    )
    nothing = SeenIdentities(offsets=np.zeros(0, np.int64), hashes=np.zeros(0, np.uint64))
    return PartitionState(row, nothing, horizon=horizon, settle_seconds=settle_seconds)


@dataclass(kw_only=True)
class FakeClock:
    """The database's clock, standing still; *asked* counts how often it was read again."""

    now: int = START + 10_000_000
    asked: int = 0

    def now_millis(self) -> int:
        return self.now

    def read(self) -> int:
        self.asked += 1
        return self.now


class Bench:
    """Ingest's counting, records in and pending counts out."""

    def __init__(
        self,
        *,
        configured: Configuration | None = None,
        partitions: int = 1,
        clock_millis: Callable[[], int] = lambda: START,
        clock: FakeClock | None = None,
        **settings: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        chosen = Settings.model_validate({"dead_letter_minimum": 1_000_000, **settings})
        self.places = VersionPlaces(seconds=lambda: 0.0)
        self.places.set_placed(
            {}, {model.model_id: model.spec.versions for model in (configured or configuration()).models}
        )
        self.dead_letters = DeadLetterCollector(chosen, clock_millis=clock_millis)
        self.batch_counter = BatchCounter(
            configured or configuration(),
            chosen,
            Timings(),
            self.clock,
            dead_letters=self.dead_letters,
            places=self.places,
        )
        self.pending = PendingCounts()
        states = [fresh_state(n, topic, horizon=chosen.dedup_horizon) for topic in ROLES for n in range(partitions)]
        self.states = {state.key: state for state in states}
        self.next = 0
        self.limit = DeadLetterLimit(share=chosen.dead_letter_share, minimum=chosen.dead_letter_minimum)
        self._flushed: Counter[str] = Counter()

    def take(self, *records: FakeRecord) -> None:
        """Absorb *records* as one batch."""
        for batch in batches_by_role(records, ROLES):
            self.batch_counter.count(batch, self.states, self.pending)

    def take_bodies(self, *bodies: bytes, **of_record: Any) -> None:
        """Absorb *bodies* as the next records of partition 0."""
        first, self.next = self.next, self.next + len(bodies)
        self.take(*(FakeRecord(body=body, at=first + n, **of_record) for n, body in enumerate(bodies)))

    def flushed(self, kept: KeptBytes | None = None) -> None:
        """As if everything until now were committed, and the hour kept these dead letters."""
        self.dead_letters.flushed(kept or KeptBytes())
        for state in self.states.values():
            self._flushed.update(asdict(state.counters) if state.key.topic == "predictions" else {})
            state.mark_flushed(now=0.0)
        self.pending = PendingCounts()

    def rolled_back(self) -> None:
        """As if nothing since the last flush had come."""
        self.next = 0
        for state in self.states.values():
            state.roll_back()
        self.pending = PendingCounts()

    def total(self) -> PartitionCounters:
        """Return the counters of the predictions' partitions over all flushes."""
        return PartitionCounters(**self._flushed)

    def counters(self, topic: str = "predictions", partition: int = 0) -> PartitionCounters:
        return self.states[PartitionKey(topic, partition)].counters

    def panes(self) -> dict[Any, tuple[int, int, tuple[int, ...]]]:
        return {key: (p.events, p.sampled, tuple(p.counts.tolist())) for key, p in self.pending.panes.items()}
