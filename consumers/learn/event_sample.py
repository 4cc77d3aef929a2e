"""A sample of bounded size that is a function of the events alone: the identities with the smallest hashes."""

import heapq
from dataclasses import dataclass, field

from monitor.types import PartitionKey

_EVERYTHING = 1 << 64


@dataclass(frozen=True, slots=True, order=True)
class SampledEvent:
    """One event: where it lies, and (not compared) its body and the namespace that its header names."""

    source: PartitionKey
    offset: int
    body: bytes = field(compare=False)
    namespace: str = field(compare=False, default="")


class EventSample:
    """Keeps *size* of the events that it is offered, each identity once: the first of it in the log.

    Hashes of identities are as good as random, so every event has the same chance, whatever the order, the
    partitions and the batches in which they come; reading the log again gives the same sample.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[int, SampledEvent] = {}
        self._limit = _EVERYTHING
        self.offered = 0

    def offer(self, identity: int, event: SampledEvent) -> None:
        """Take *event*, whose identity has the 64-bit hash *identity*, if it belongs to the sample."""
        self.offered += 1
        if identity >= self._limit:
            return
        known = self._kept.get(identity)
        if known is None or event < known:
            self._kept[identity] = event
        if len(self._kept) >= 2 * self._size:
            self._prune()

    def events(self) -> list[SampledEvent]:
        """Return the sample in the order of the log."""
        self._prune()
        return sorted(self._kept.values())

    @property
    def is_whole(self) -> bool:
        """Whether every identity that was offered is in the sample."""
        return self._limit == _EVERYTHING

    def _prune(self) -> None:
        if len(self._kept) <= self._size:
            return
        smallest = heapq.nsmallest(self._size, self._kept)
        self._limit = smallest[-1] + 1
        self._kept = {identity: self._kept[identity] for identity in smallest}
