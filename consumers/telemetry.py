"""Metrics of ingest: what a flush counted, lag, and CPU seconds by step."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consumers.partition_state import PartitionState
from consumers.pending_counts import PendingCounts
from monitor.clock import cpu_seconds
from monitor.metrics import DEAD_LETTERS, FLUSH_RECORDS, LAG_RECORDS, RECORDS, SKIPPED_OFFSETS
from monitor.types import PartitionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """CPU seconds by step, and how many records were read."""

    consume: float
    decode: float
    count: float
    flush: float
    records: int


class Timings:
    """Adds up CPU seconds by step; a step contains what other threads (the Kafka client's) spend meanwhile."""

    def __init__(self) -> None:
        self._spent = {"consume": 0.0, "decode": 0.0, "count": 0.0, "flush": 0.0}
        self._last = cpu_seconds()
        self.records = 0

    def end(self, step: str) -> None:
        """Book the CPU since the last call on *step*."""
        now = cpu_seconds()
        self._spent[step] += now - self._last
        self._last = now

    def snapshot(self) -> Spent:
        """Return what was spent so far."""
        return Spent(**self._spent, records=self.records)


def observe_flush(pending: PendingCounts, states: Iterable[PartitionState]) -> None:
    """Add a committed flush; call before the states forget their counters."""
    FLUSH_RECORDS.observe(pending.events)
    for (reason, _), tally in pending.refused.items():
        DEAD_LETTERS.labels(reason=reason.value).inc(tally.records)
    for state in states:
        if not state.moved:
            continue
        counters = state.counters
        of_topic = {
            "counted": counters.counted,
            "duplicate": counters.duplicates,
            "late": counters.late,
            "dead": counters.dead,
            "unsampled": counters.unsampled,
        }
        for result, count in of_topic.items():
            if count:
                RECORDS.labels(topic=state.key.topic, result=result).inc(count)
        if state.skipped:
            SKIPPED_OFFSETS.labels(topic=state.key.topic).inc(state.skipped)


def observe_lag(states: Iterable[PartitionState], cached_end: Callable[[PartitionKey], int]) -> None:
    """Set how far each position is from the partition's end, as the client last learnt it."""
    LAG_RECORDS.clear()  # a partition that went to another worker must not lag here for ever
    for state in states:
        lag = max(0, cached_end(state.key) - state.now.next_offset)
        LAG_RECORDS.labels(topic=state.key.topic, partition=str(state.key.partition)).set(lag)
