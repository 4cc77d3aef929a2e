"""Reads the partitions' rows from which watermarks are computed."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.store.schema import input_offset
from monitor.types import PartitionKey, TopicRole
from monitor.windows.watermark import PartitionState

_NOW_MILLIS = sa.cast(sa.func.floor(sa.extract("epoch", sa.func.clock_timestamp()) * 1000), sa.BigInteger)


def read_partitions(
    connection: sa.Connection, *, role: TopicRole, topics: Collection[str] | None = None
) -> tuple[PartitionState, ...]:
    """Return the partitions of every topic of *role*; *topics*: only these."""
    query = sa.select(input_offset).where(input_offset.c.role == role.value)
    if topics is not None:
        query = query.where(input_offset.c.topic.in_(topics))
    return tuple(
        PartitionState(
            key=PartitionKey(row.topic, row.partition),
            max_event_time=row.max_event_time,
            caught_up_at=_millis(row.caught_up_at),
            heartbeat_at=_millis(row.heartbeat_at),
            confirmed_event_time=row.confirmed_event_time,
            paused=row.paused_reason is not None,
        )
        for row in connection.execute(query.order_by(input_offset.c.topic, input_offset.c.partition))
    )


def newest_event_time(connection: sa.Connection, role: TopicRole) -> int | None:
    """Return the largest event time (ms) that any partition of *role* has counted, now at most; None: no event yet."""
    newest = sa.func.max(input_offset.c.max_event_time)
    found: int | None = connection.execute(
        sa.select(sa.case((newest.is_not(None), sa.func.least(newest, _NOW_MILLIS)))).where(
            input_offset.c.role == role.value
        )
    ).scalar()
    return found


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)
