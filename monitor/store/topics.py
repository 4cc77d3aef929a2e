"""Input topics: incarnations of a name, who dates the records, and the partitions' rows that watermarks come from."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from monitor.clock import to_millis
from monitor.store.database_clock import database_now_millis
from monitor.store.schema import input_offset
from monitor.types import PartitionKey, TimestampType, TopicRole
from monitor.windows.watermark import PartitionProgress

_ADD = sa.text(
    """
    INSERT INTO topic_incarnation (topic, topic_id, number)
    SELECT :topic, :topic_id, coalesce(max(number) + 1, 0) FROM topic_incarnation WHERE topic = :topic
    ON CONFLICT (topic, topic_id) DO NOTHING
    """
)
_NUMBER = sa.text("SELECT number FROM topic_incarnation WHERE topic = :topic AND topic_id = :topic_id")


def incarnation_of(connection: sa.Connection, topic: str, topic_id: str) -> int:
    """Return the number of the incarnation of *topic* that Kafka calls *topic_id*; one never seen is the next one.

    Numbers rise in the order in which the incarnations were first read, so they order what stands at equal offsets.
    """
    names = {"topic": topic, "topic_id": topic_id}
    if (known := connection.execute(_NUMBER, names).scalar()) is None:
        connection.execute(_ADD, names)
        known = connection.execute(_NUMBER, names).scalar_one()
    return int(known)


def write_timestamp_types(connection: sa.Connection, types: Mapping[str, TimestampType]) -> None:
    """Store the timestamp type of each topic in the rows of its partitions; what is stored already is not touched."""
    for topic, timestamp_type in sorted(types.items()):
        connection.execute(
            sa.update(input_offset)
            .where(input_offset.c.topic == topic, input_offset.c.timestamp_type != timestamp_type.value)
            .values(timestamp_type=timestamp_type.value)
        )


def read_partitions(
    connection: sa.Connection, *, role: TopicRole, topics: Collection[str] | None = None
) -> tuple[PartitionProgress, ...]:
    """Return the partitions of every topic of *role*; *topics*: only these."""
    query = sa.select(input_offset).where(input_offset.c.role == role.value)
    if topics is not None:
        query = query.where(input_offset.c.topic.in_(topics))
    return tuple(
        PartitionProgress(
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
    """Return the largest event time (ms) that any partition of *role* has counted; None before the first.

    At most the database's clock: one producer's clock that is ahead must not make all that is kept look old.
    """
    query = sa.select(sa.func.max(input_offset.c.max_event_time)).where(input_offset.c.role == role.value)
    newest: int | None = connection.execute(query).scalar()
    return None if newest is None else min(newest, database_now_millis(connection))


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)
