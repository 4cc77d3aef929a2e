"""Offsets of the input partitions, a row each: claimed by epoch, moved only by compare-and-set, kept alive by beats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.errors import OffsetFenced, RecordsUnaccounted
from monitor.store.model_intake import UNTIL_END
from monitor.store.schema import input_offset
from monitor.store.topics import incarnation_of
from monitor.types import PartitionKey, StartAt, TimestampType, TopicRole

FROM_BEGINNING = -2  # Kafka's own marks for "not a number yet"; the next claim puts the number in
FROM_END = -1
_NOW = sa.func.clock_timestamp()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionCounters:
    """What became of the records of one partition; *skipped*: offsets at which the broker has no record for us."""

    records: int = 0
    counted: int = 0
    duplicates: int = 0
    late: int = 0
    dead: int = 0
    unsampled: int = 0
    extra_fields: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOffset:
    """One row; times are epoch milliseconds (event time) or ISO text by the database's clock (wall time).

    Always: records + skipped = next_offset - first_offset. *first_offset* is where counting began; a resumption at an
    end of the log rewrites it at the next claim (until then None), so that the equation goes on.
    """

    key: PartitionKey
    role: TopicRole
    topic_id: str
    incarnation: int
    first_offset: int | None
    next_offset: int
    epoch: int
    max_event_time: int | None
    caught_up: bool
    heartbeat_at: str | None
    paused_reason: str | None
    forgiven_until: int
    recent_bad: bytes | None
    counters: PartitionCounters
    timestamp_type: TimestampType = TimestampType.UNKNOWN

    @property
    def unaccounted(self) -> int:
        """Offsets passed without a record counted or a hole explained; not 0: records were lost or counted twice."""
        if self.first_offset is None or self.next_offset < 0:
            return 0
        return self.next_offset - self.first_offset - self.counters.records - self.counters.skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPartition:
    """What the broker says of one partition: topic id (empty: it has none), first and end offset."""

    key: PartitionKey
    role: TopicRole
    topic_id: str
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionMove:
    """One partition's part of a flush: from the position we own to the next one, and what became of the records."""

    key: PartitionKey
    epoch: int
    incarnation: int
    first_offset: int
    next_offset: int
    max_event_time: int | None
    caught_up: bool
    counters: PartitionCounters
    recent_bad: bytes | None
    confirmed_event_time: int | None = None


def discover_partition(connection: sa.Connection, at_broker: BrokerPartition, *, start_at: StartAt) -> None:
    """Insert the partition's row by the start policy unless there is one."""
    position = at_broker.low if start_at is StartAt.EARLIEST else at_broker.high
    connection.execute(
        insert(input_offset)
        .values(
            topic=at_broker.key.topic,
            partition=at_broker.key.partition,
            role=at_broker.role.value,
            topic_id=at_broker.topic_id,
            incarnation=_incarnation(connection, at_broker, otherwise=0),
            first_offset=position,
            next_offset=position,
        )
        .on_conflict_do_nothing()
    )


def claim_partition(
    connection: sa.Connection,
    at_broker: BrokerPartition,
    *,
    start_at: StartAt,
    look_again: Callable[[], BrokerPartition] | None = None,
) -> StoredOffset:
    """Take the partition over: epoch + 1, so that the worker that held it before is fenced.

    A partition that cannot go on without a human's word (stopped, recreated, or cut by retention) is not claimed; it
    comes back with its `paused_reason`.

    Args:
        at_broker: As of before the row was locked; the worker that held the partition may have moved on since.
        look_again: Asks the broker once more, while the row is locked, before *at_broker* stops the partition.

    Raises:
        sqlalchemy.exc.OperationalError: Its row is locked for over two seconds, as by a worker frozen in its flush.
    """
    connection.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
    discover_partition(connection, at_broker, start_at=start_at)
    row = read_offset(connection, at_broker.key, lock=True)
    if row.paused_reason is not None:
        return row
    if look_again is not None and _cannot_go_on(row, at_broker, _position(row, at_broker)):
        at_broker = look_again()
    position = _position(row, at_broker)
    if reason := _cannot_go_on(row, at_broker, position):
        pause_partition(connection, at_broker.key, reason=reason)
        return read_offset(connection, at_broker.key)
    connection.execute(
        sa.update(input_offset)
        .where(is_partition(at_broker.key))
        .values(
            epoch=input_offset.c.epoch + 1,
            next_offset=position,
            first_offset=sa.func.coalesce(
                input_offset.c.first_offset, position - input_offset.c.records - input_offset.c.skipped
            ),
            topic_id=at_broker.topic_id or row.topic_id,
            incarnation=_incarnation(connection, at_broker, otherwise=row.incarnation),
            forgiven_until=at_broker.high if row.forgiven_until == UNTIL_END else row.forgiven_until,
            heartbeat_at=_NOW,
            caught_up_at=None,
        )
    )
    return read_offset(connection, at_broker.key)


def _incarnation(connection: sa.Connection, at_broker: BrokerPartition, *, otherwise: int) -> int:
    if not at_broker.topic_id:
        return otherwise
    return incarnation_of(connection, at_broker.key.topic, at_broker.topic_id)


def _position(row: StoredOffset, at_broker: BrokerPartition) -> int:
    return {FROM_BEGINNING: at_broker.low, FROM_END: at_broker.high}.get(row.next_offset, row.next_offset)


def _cannot_go_on(row: StoredOffset, at_broker: BrokerPartition, position: int) -> str | None:
    if row.topic_id and at_broker.topic_id and row.topic_id != at_broker.topic_id:
        return (
            f"topic recreated: expected topic id {row.topic_id}, found {at_broker.topic_id};"
            f" the old one is counted up to offset {row.next_offset}, nothing of the new one"
        )
    if position < at_broker.low:
        return f"retention passed us: expected offset {position}, found {at_broker.low} as the first one left"
    if position > at_broker.high:
        return f"log is shorter than we read: expected offset {position}, found {at_broker.high} as its end"
    return None


def read_offset(connection: sa.Connection, key: PartitionKey, *, lock: bool = False) -> StoredOffset:
    """Return the partition's row, locked until the transaction ends where *lock* says so."""
    wanted = sa.select(input_offset).where(is_partition(key))
    return _stored(connection.execute(wanted.with_for_update() if lock else wanted).one())


def list_offsets(connection: sa.Connection) -> tuple[StoredOffset, ...]:
    """Return every partition's row in order of topic and partition."""
    rows = connection.execute(sa.select(input_offset).order_by(input_offset.c.topic, input_offset.c.partition))
    return tuple(_stored(row) for row in rows)


def move_offset(connection: sa.Connection, move: PartitionMove) -> None:
    """Move the partition's position by compare-and-set on position and epoch, and add its counters.

    Raises:
        OffsetFenced: The row is no longer where we left it; nothing may be written.
        RecordsUnaccounted: The move passes offsets without a record or an explained hole; nothing may be written.
    """
    if move.counters.records + move.counters.skipped != move.next_offset - move.first_offset:
        raise RecordsUnaccounted(
            move.key.topic,
            move.key.partition,
            f"offsets {move.first_offset} to {move.next_offset} with {move.counters.records} records"
            f" and {move.counters.skipped} explained holes",
        )
    added = {
        name: input_offset.c[name] + getattr(move.counters, name) for name in PartitionCounters.__dataclass_fields__
    }
    moved = connection.execute(
        sa.update(input_offset)
        .where(
            is_partition(move.key), input_offset.c.next_offset == move.first_offset, input_offset.c.epoch == move.epoch
        )
        .values(
            next_offset=move.next_offset,
            max_event_time=move.max_event_time,
            confirmed_event_time=sa.func.greatest(input_offset.c.confirmed_event_time, move.confirmed_event_time),
            caught_up_at=_NOW if move.caught_up else None,
            heartbeat_at=_NOW,
            recent_bad=move.recent_bad,
            **added,
        )
    )
    if moved.rowcount != 1:
        raise OffsetFenced(move.key.topic, move.key.partition)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPosition:
    """A worker's position in a partition without unflushed records.

    Attributes:
        at_end: It has read all there is.
        confirmed_event_time: Up to here (ms) other partitions were counted some seconds before it was read to its end.
    """

    epoch: int
    next_offset: int
    at_end: bool
    confirmed_event_time: int | None


def beat(connection: sa.Connection, held: Mapping[PartitionKey, HeldPosition]) -> frozenset[PartitionKey]:
    """Write the heartbeat of partitions without new records; return those whose row is not where we stand.

    Somebody else took them over, or the database was restored to an earlier moment: nothing was written for them, and
    without records no flush would ever find that out.
    """
    if not held:
        return frozenset()
    statement = (
        sa.update(input_offset)
        .where(
            input_offset.c.topic == sa.bindparam("of_topic"),
            input_offset.c.partition == sa.bindparam("of_partition"),
            input_offset.c.epoch == sa.bindparam("our_epoch"),
            input_offset.c.next_offset == sa.bindparam("our_offset"),
        )
        .values(
            heartbeat_at=_NOW,
            caught_up_at=sa.case(
                (sa.bindparam("is_at_end", type_=sa.Boolean), sa.func.coalesce(input_offset.c.caught_up_at, _NOW)),
                else_=None,
            ),
            confirmed_event_time=sa.func.greatest(
                input_offset.c.confirmed_event_time, sa.bindparam("is_confirmed", type_=sa.BigInteger)
            ),
        )
    )
    rows = [
        {
            "of_topic": key.topic,
            "of_partition": key.partition,
            "our_epoch": held[key].epoch,
            "our_offset": held[key].next_offset,
            "is_at_end": held[key].at_end,
            "is_confirmed": held[key].confirmed_event_time,
        }
        for key in sorted(held)
    ]
    if connection.execute(statement, rows).rowcount == len(rows):
        return frozenset()
    columns = (input_offset.c.topic, input_offset.c.partition, input_offset.c.epoch, input_offset.c.next_offset)
    stored = {PartitionKey(row[0], row[1]): (row[2], row[3]) for row in connection.execute(sa.select(*columns))}
    return frozenset(key for key, ours in held.items() if stored.get(key) != (ours.epoch, ours.next_offset))


def pause_partition(connection: sa.Connection, key: PartitionKey, *, reason: str, epoch: int | None = None) -> bool:
    """Stop the partition until `resume_partition`; with *epoch* only if still ours. Return whether it stopped."""
    mine = sa.true() if epoch is None else input_offset.c.epoch == epoch
    stopped = connection.execute(
        sa.update(input_offset).where(is_partition(key), mine).values(paused_reason=reason, caught_up_at=None)
    )
    return stopped.rowcount == 1


def is_partition(key: PartitionKey) -> sa.ColumnElement[bool]:
    """Return the condition that a row is the partition's."""
    return sa.and_(input_offset.c.topic == key.topic, input_offset.c.partition == key.partition)


def _stored(row: sa.Row) -> StoredOffset:  # type: ignore[type-arg]  # a row of every column
    return StoredOffset(
        key=PartitionKey(row.topic, row.partition),
        role=TopicRole(row.role),
        topic_id=row.topic_id,
        incarnation=row.incarnation,
        first_offset=row.first_offset,
        next_offset=row.next_offset,
        epoch=row.epoch,
        max_event_time=row.max_event_time,
        caught_up=row.caught_up_at is not None,
        heartbeat_at=None if row.heartbeat_at is None else row.heartbeat_at.isoformat(),
        paused_reason=row.paused_reason,
        forgiven_until=row.forgiven_until,
        recent_bad=row.recent_bad,
        timestamp_type=TimestampType(row.timestamp_type),
        counters=PartitionCounters(**{name: getattr(row, name) for name in PartitionCounters.__dataclass_fields__}),
    )
