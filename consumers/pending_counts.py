"""Pending counts: everything counted since the last flush that is not in Postgres yet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from consumers.records import RecordBatch
from consumers.unseen_values import UnseenKey, ValueTally
from consumers.version_places import WantedVersions
from monitor.arrays import UInt32s
from monitor.store.dead_letters import DeadLetter
from monitor.store.flush import DeploymentRow, InboxRow
from monitor.store.refused_counts import RefusedKey
from monitor.types import ModelKey, PartitionKey, SeriesKey


@dataclass(slots=True, kw_only=True)
class OpenPane:
    """Counts of one series in one minute, growing."""

    counts: UInt32s
    events: int = 0
    sampled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledPredictions:
    """Columns of one length for the ledger, whose series have no ids yet."""

    model_id: int
    source: PartitionKey
    hashes: Sequence[str]
    versions: Sequence[str]
    series: Sequence[tuple[SeriesKey, ...]]
    event_times: Sequence[int]
    scores: Sequence[float | None]
    labels: Sequence[str | None]
    values: Sequence[float | None]
    offsets: Sequence[int]


@dataclass(slots=True)
class RefusedTally:
    """Records refused for one reason of one model, and those of them that are kept as dead letters."""

    records: int = 0
    bytes: int = 0
    kept: int = 0
    kept_bytes: int = 0


PaneKey = tuple[SeriesKey, int, int]
"""Series, cells id, start of the minute (ms)."""


@dataclass(slots=True, kw_only=True)
class PendingCounts:
    """What the next flush writes, and the raw records that it was counted from, to be counted again if need be."""

    raw: list[RecordBatch] = field(default_factory=list)
    events: int = 0
    bytes: int = 0  # of the raw records' bodies
    panes: dict[PaneKey, OpenPane] = field(default_factory=dict)
    predictions: list[SampledPredictions] = field(default_factory=list)
    truths: list[InboxRow] = field(default_factory=list)
    deployments: list[DeploymentRow] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    kept_bytes: int = 0  # of the dead letters
    refused: dict[RefusedKey, RefusedTally] = field(default_factory=dict)
    discovered: "Counter[ModelKey]" = field(default_factory=Counter)
    versions: WantedVersions = field(default_factory=dict)
    unseen: dict[UnseenKey, ValueTally] = field(default_factory=dict)

    def pane(self, key: PaneKey, size: int) -> OpenPane:
        """Return the open pane of *key*, made of *size* zeros if new."""
        pane = self.panes.get(key)
        if pane is None:
            pane = self.panes[key] = OpenPane(counts=np.zeros(size, dtype=np.uint32))
        return pane
