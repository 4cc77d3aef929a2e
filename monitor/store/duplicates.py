"""Identities a partition has seen lately: 8-byte hashes per flush, loaded again on assignment."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from monitor.arrays import Int64s, UInt64s
from monitor.store.schema import dedup
from monitor.types import PartitionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIdentities:
    """Offsets (int64, rising) and hashes (uint64) of records, one hash per offset."""

    offsets: Int64s
    hashes: UInt64s


def append_identities(
    connection: sa.Connection,
    seen: Mapping[PartitionKey, SeenIdentities],
    next_offsets: Mapping[PartitionKey, int],
    incarnations: Mapping[PartitionKey, int],
) -> None:
    """Store the identities of a flush that ends before *next_offsets*."""
    rows = [
        {
            "topic": key.topic,
            "incarnation": incarnations[key],
            "partition": key.partition,
            "next_offset": next_offsets[key],
            "offsets": values_seen.offsets.astype("<i8").tobytes(),
            "hashes": values_seen.hashes.astype("<u8").tobytes(),
        }
        for key, values_seen in sorted(seen.items())
    ]
    if rows:
        connection.execute(sa.insert(dedup), rows)


def forget_identities(connection: sa.Connection, next_offsets: Mapping[PartitionKey, int], *, horizon: int) -> None:
    """Drop the identities that lie wholly more than *horizon* offsets behind *next_offsets*."""
    if next_offsets:
        behind = (
            sa.and_(
                dedup.c.topic == key.topic,
                dedup.c.partition == key.partition,
                dedup.c.next_offset <= next_offset - horizon,
            )
            for key, next_offset in sorted(next_offsets.items())
        )
        connection.execute(sa.delete(dedup).where(sa.or_(*behind)))


def load_identities(connection: sa.Connection, key: PartitionKey, *, since: int, incarnation: int) -> SeenIdentities:
    """Return the stored identities of records at offset *since* or later, in offset order."""
    rows = connection.execute(
        sa.select(dedup.c.offsets, dedup.c.hashes)
        .where(
            dedup.c.topic == key.topic,
            dedup.c.incarnation == incarnation,
            dedup.c.partition == key.partition,
            dedup.c.next_offset > since,
        )
        .order_by(dedup.c.next_offset)
    ).all()
    offsets = np.frombuffer(b"".join(row.offsets for row in rows), dtype="<i8").astype(np.int64)
    hashes = np.frombuffer(b"".join(row.hashes for row in rows), dtype="<u8").astype(np.uint64)
    recent = offsets >= since
    return SeenIdentities(offsets=offsets[recent], hashes=hashes[recent])
