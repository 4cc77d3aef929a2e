"""Records as they came from Kafka: one role's part of a batch, with columns for place and time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

import numpy as np

from monitor.arrays import Indices, Int64s, Mask
from monitor.types import PartitionKey, TopicRole

LOG_APPEND_TIME = 2  # the broker dated the record; else its producer did, or nobody
NO_TIMESTAMP = 1 << 62  # a record without one can never be called future
Headers = Sequence[tuple[str, bytes | None]]


class Record(Protocol):
    """What is needed of a Kafka message; `consumers.kafka.admin.Message` is one."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def timestamp(self) -> tuple[int, int]: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Headers | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBatch:
    """Records of one role; those of one partition are in offset order.

    Attributes:
        partitions: The partitions in the batch.
        codes: Shape ``(records,)``. Index into *partitions*.
        offsets, timestamps: Shape ``(records,)``; timestamps in epoch milliseconds by Kafka.
    """

    role: TopicRole
    partitions: tuple[PartitionKey, ...]
    codes: Indices
    offsets: Int64s
    timestamps: Int64s
    records: Sequence[Record]

    def by_partition(self) -> Iterator[tuple[PartitionKey, Indices]]:
        """Yield the partitions that have records here, and the indices of these."""
        if len(self.partitions) == 1:
            if self.records:
                yield self.partitions[0], np.arange(len(self.records), dtype=np.intp)
            return
        for code, key in enumerate(self.partitions):
            rows = np.flatnonzero(self.codes == code)
            if len(rows):
                yield key, rows

    def only(self, keep: Mask) -> "RecordBatch | None":
        """Return the records that *keep* marks and the partitions they are of, None when there are none."""
        if keep.all():
            return self
        if not keep.any():
            return None
        used, codes = np.unique(self.codes[keep], return_inverse=True)
        return RecordBatch(
            role=self.role,
            partitions=tuple(self.partitions[code] for code in used.tolist()),
            codes=codes.astype(np.intp),
            offsets=self.offsets[keep],
            timestamps=self.timestamps[keep],
            records=[self.records[index] for index in np.nonzero(keep)[0].tolist()],
        )

    def without(self, keys: Collection[PartitionKey]) -> "RecordBatch | None":
        """Return the records of other partitions than *keys*, None when there are none."""
        stays = np.array([partition not in keys for partition in self.partitions], dtype=np.bool_)
        return self.only(stays[self.codes])


def batches_by_role(records: Sequence[Record], roles: Mapping[str, TopicRole]) -> list[RecordBatch]:
    """Return *records* as one batch per role; *roles* by topic."""
    topics = [record.topic() for record in records]
    if len({roles[topic] for topic in set(topics)}) == 1:
        return [_batch(roles[topics[0]], topics, records)]
    batches = []
    for role in TopicRole:
        chosen = [index for index, topic in enumerate(topics) if roles[topic] is role]
        if chosen:
            pick = itemgetter(*chosen) if len(chosen) > 1 else lambda line, at=chosen[0]: (line[at],)
            batches.append(_batch(role, pick(topics), pick(records)))
    return batches


def _batch(role: TopicRole, topics: Sequence[str], records: Sequence[Record]) -> RecordBatch:
    count = len(records)
    partitions, codes = _partition_codes(topics, [record.partition() for record in records])
    timestamps = np.fromiter([record.timestamp()[1] for record in records], np.int64, count)
    timestamps[timestamps < 0] = NO_TIMESTAMP
    return RecordBatch(
        role=role,
        partitions=partitions,
        codes=codes,
        offsets=np.fromiter([record.offset() for record in records], np.int64, count),
        timestamps=timestamps,
        records=records,
    )


def _partition_codes(topics: Sequence[str], numbers: Sequence[int]) -> tuple[tuple[PartitionKey, ...], Indices]:
    """Return the distinct partitions, and for each record the index of its own."""
    if len(set(topics)) == 1:
        distinct_numbers, codes = np.unique(np.fromiter(numbers, np.int64, len(numbers)), return_inverse=True)
        return tuple(PartitionKey(topics[0], number) for number in distinct_numbers.tolist()), codes.astype(np.intp)
    places = list(zip(topics, numbers, strict=True))
    distinct = sorted(set(places))
    code_of = {place: code for code, place in enumerate(distinct)}
    return tuple(PartitionKey(*place) for place in distinct), np.fromiter(
        map(code_of.__getitem__, places), np.intp, len(places)
    )
