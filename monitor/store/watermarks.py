"""Reads the partitions' rows from which watermarks are computed."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.store.schema import input_offset
from monitor.types import PartitionKey, TopicRole
from monitor.windows.watermark import PartitionState


def read_partitions(
    connection: sa.Connection, *, role: TopicRole, topics: Collection[str] | None = None
) -> tuple[tuple[PartitionState, ...], ...]:
    """Return the partitions of every topic of *role*, one tuple per topic; *topics*: only these."""
    query = sa.select(input_offset).where(input_offset.c.role == role.value)
    if topics is not None:
        query = query.where(input_offset.c.topic.in_(topics))
    by_topic: dict[str, list[PartitionState]] = {}
    for row in connection.execute(query.order_by(input_offset.c.topic, input_offset.c.partition)):
        state = PartitionState(
            key=PartitionKey(row.topic, row.partition),
            max_event_time=row.max_event_time,
            caught_up_at=_millis(row.caught_up_at),
            heartbeat_at=_millis(row.heartbeat_at),
            paused=row.paused_reason is not None,
        )
        by_topic.setdefault(row.topic, []).append(state)
    return tuple(tuple(each) for each in by_topic.values())


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)
