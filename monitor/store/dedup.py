"""Identities a partition has seen lately: 8-byte hashes per flush, loaded again on assignment."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from monitor.store.schema import dedup
from monitor.types import PartitionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIdentities:
    """Offsets (int64, rising) and hashes (uint64) of records, one hash per offset."""

    offsets: npt.NDArray[np.int64]
    hashes: npt.NDArray[np.uint64]


def append_identities(
    connection: sa.Connection, key: PartitionKey, seen: SeenIdentities, *, next_offset: int, horizon: int
) -> None:
    """Store a flush's identities and forget what lies wholly more than *horizon* offsets behind *next_offset*."""
    connection.execute(
        sa.insert(dedup).values(
            topic=key.topic,
            partition=key.partition,
            next_offset=next_offset,
            offsets=seen.offsets.astype("<i8").tobytes(),
            hashes=seen.hashes.astype("<u8").tobytes(),
        )
    )
    connection.execute(
        sa.delete(dedup).where(
            dedup.c.topic == key.topic,
            dedup.c.partition == key.partition,
            dedup.c.next_offset <= next_offset - horizon,
        )
    )


def load_identities(connection: sa.Connection, key: PartitionKey, *, since: int) -> SeenIdentities:
    """Return the stored identities of records at offset *since* or later, in offset order."""
    rows = connection.execute(
        sa.select(dedup.c.offsets, dedup.c.hashes)
        .where(dedup.c.topic == key.topic, dedup.c.partition == key.partition, dedup.c.next_offset > since)
        .order_by(dedup.c.next_offset)
    ).all()
    offsets = np.frombuffer(b"".join(each.offsets for each in rows), dtype="<i8").astype(np.int64)
    hashes = np.frombuffer(b"".join(each.hashes for each in rows), dtype="<u8").astype(np.uint64)
    recent = offsets >= since
    return SeenIdentities(offsets=offsets[recent], hashes=hashes[recent])
