"""Where each partition stands: one row per partition, moved only by compare-and-set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from monitor.errors import DriftlineError, OffsetFenced, RecordsUnaccounted
from monitor.store.model_intake import forget_intake
from monitor.store.schema import dedup, input_offset
from monitor.store.topics import incarnation_of
from monitor.types import PartitionKey, StartAt, TimestampType, TopicRole

_FROM_BEGINNING = -2  # Kafka's own marks for "not a number yet"; the next claim puts the number in
_FROM_END = -1
_UNTIL_END = -1
_NOW = sa.func.clock_timestamp()


class ResumeAt(StrEnum):
    """Where a stopped partition goes on."""

    STORED = "stored"
    EARLIEST = "earliest"
    LATEST = "latest"


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
    """What the broker says of one partition: topic id (empty: it has none to tell), first and end offset."""

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


def discover_partition(connection: sa.Connection, found: BrokerPartition, *, start_at: StartAt) -> None:
    """Insert the partition's row by the start policy unless there is one."""
    position = found.low if start_at is StartAt.EARLIEST else found.high
    connection.execute(
        insert(input_offset)
        .values(
            topic=found.key.topic,
            partition=found.key.partition,
            role=found.role.value,
            topic_id=found.topic_id,
            incarnation=incarnation_of(connection, found.key.topic, found.topic_id) if found.topic_id else 0,
            first_offset=position,
            next_offset=position,
        )
        .on_conflict_do_nothing()
    )


def claim_partition(
    connection: sa.Connection,
    found: BrokerPartition,
    *,
    start_at: StartAt,
    look_again: Callable[[], BrokerPartition] | None = None,
) -> StoredOffset:
    """Take the partition over: epoch + 1, so that whoever held it before is fenced.

    A partition that cannot go on without a human's word (stopped, recreated, or cut by retention) is not taken; it
    comes back with its `paused_reason`.

    Args:
        found: What the broker said before the row was locked; whoever held the partition may have moved on since.
        look_again: Asks the broker once more, while the row is locked, before *found* stops the partition.

    Raises:
        sqlalchemy.exc.OperationalError: Its row is locked for over two seconds, as by a worker frozen in its flush.
    """
    connection.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
    discover_partition(connection, found, start_at=start_at)
    row = _row(connection, found.key, lock=True)
    if row.paused_reason is not None:
        return row
    if look_again is not None and _cannot_go_on(row, found, _position(row, found)):
        found = look_again()
    position = _position(row, found)
    if reason := _cannot_go_on(row, found, position):
        pause_partition(connection, found.key, reason=reason)
        return _row(connection, found.key)
    connection.execute(
        sa.update(input_offset)
        .where(_is(found.key))
        .values(
            epoch=input_offset.c.epoch + 1,
            next_offset=position,
            first_offset=sa.func.coalesce(
                input_offset.c.first_offset, position - input_offset.c.records - input_offset.c.skipped
            ),
            topic_id=found.topic_id or row.topic_id,
            incarnation=incarnation_of(connection, found.key.topic, found.topic_id)
            if found.topic_id
            else row.incarnation,
            forgiven_until=found.high if row.forgiven_until == _UNTIL_END else row.forgiven_until,
            heartbeat_at=_NOW,
            caught_up_at=None,
        )
    )
    return _row(connection, found.key)


def _position(row: StoredOffset, found: BrokerPartition) -> int:
    return {_FROM_BEGINNING: found.low, _FROM_END: found.high}.get(row.next_offset, row.next_offset)


def _cannot_go_on(row: StoredOffset, found: BrokerPartition, position: int) -> str | None:
    if row.topic_id and found.topic_id and row.topic_id != found.topic_id:
        return (
            f"topic recreated: expected topic id {row.topic_id}, found {found.topic_id};"
            f" the old one is counted up to offset {row.next_offset}, nothing of the new one"
        )
    if position < found.low:
        return f"retention passed us: expected offset {position}, found {found.low} as the first one left"
    if position > found.high:
        return f"log is shorter than we read: expected offset {position}, found {found.high} as its end"
    return None


def read_offset(connection: sa.Connection, key: PartitionKey) -> StoredOffset:
    """Return the partition's row."""
    return _row(connection, key)


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
        .where(_is(move.key), input_offset.c.next_offset == move.first_offset, input_offset.c.epoch == move.epoch)
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
class Held:
    """Where a worker stands in a partition without unflushed records.

    Attributes:
        at_end: It has read all there is.
        confirmed_event_time: Up to here (ms) other partitions were counted some seconds before it was read to its end.
    """

    epoch: int
    next_offset: int
    at_end: bool
    confirmed_event_time: int | None


def beat(connection: sa.Connection, held: Mapping[PartitionKey, Held]) -> frozenset[PartitionKey]:
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
        sa.update(input_offset).where(_is(key), mine).values(paused_reason=reason, caught_up_at=None)
    )
    return stopped.rowcount == 1


def paused_partitions(connection: sa.Connection) -> dict[PartitionKey, str]:
    """Return the reason of every stopped partition."""
    rows = connection.execute(
        sa.select(input_offset.c.topic, input_offset.c.partition, input_offset.c.paused_reason).where(
            input_offset.c.paused_reason.is_not(None)
        )
    )
    return {PartitionKey(topic, partition): reason for topic, partition, reason in rows}


def unaccounted_partitions(connection: sa.Connection) -> dict[PartitionKey, int]:
    """Return the partitions whose records do not add up to the offsets passed, and by how many (see `StoredOffset`)."""
    missing = input_offset.c.next_offset - input_offset.c.first_offset - input_offset.c.records - input_offset.c.skipped
    rows = connection.execute(
        sa.select(input_offset.c.topic, input_offset.c.partition, missing).where(
            missing != 0, input_offset.c.next_offset >= 0
        )
    )
    return {PartitionKey(topic, partition): count for topic, partition, count in rows}


def account_for(connection: sa.Connection, key: PartitionKey) -> int:
    """Write the offsets that the records of *key* do not add up to as explained holes; return how many there were.

    Raises:
        DriftlineError: No such partition, or its records add up.
    """
    row = connection.execute(sa.select(input_offset).where(_is(key)).with_for_update()).one_or_none()
    missing = 0 if row is None else _stored(row).unaccounted
    if missing == 0:
        listed = ", ".join(map(str, sorted(unaccounted_partitions(connection)))) or "none"
        raise DriftlineError(f"{key}: expected a partition whose records do not add up; there are: {listed}")
    connection.execute(sa.update(input_offset).where(_is(key)).values(skipped=input_offset.c.skipped + missing))
    return missing


def resume_partition(connection: sa.Connection, topic: str, partition: int, *, at: ResumeAt) -> None:
    """Let a stopped partition go on; the worker that holds it notices within seconds.

    Bad records that are in the topic by then no longer stop it: they become dead letters. `STORED` goes on at the
    stored offset (and takes a recreated topic for the old one); `EARLIEST` and `LATEST` start anew at an end of
    the log, without memory of identities and event times.

    Raises:
        DriftlineError: No such partition, or it is not stopped.
    """
    key = PartitionKey(topic, partition)
    ends = {ResumeAt.EARLIEST: _FROM_BEGINNING, ResumeAt.LATEST: _FROM_END}
    anew = {"next_offset": ends[at]} if at in ends else {}
    if anew:
        connection.execute(sa.delete(dedup).where(dedup.c.topic == topic, dedup.c.partition == partition))
        forget_intake(connection, key)
    resumed = connection.execute(
        sa.update(input_offset)
        .where(_is(key), input_offset.c.paused_reason.is_not(None))
        .values(
            paused_reason=None,
            topic_id="",
            recent_bad=None,
            forgiven_until=_UNTIL_END,
            epoch=input_offset.c.epoch + 1,
            **anew,
            **({"max_event_time": None, "confirmed_event_time": None, "first_offset": None} if anew else {}),
        )
    )
    if resumed.rowcount != 1:
        stopped = ", ".join(map(str, sorted(paused_partitions(connection)))) or "none"
        raise DriftlineError(f"{key}: expected a stopped partition; stopped are: {stopped}")


def _is(key: PartitionKey) -> sa.ColumnElement[bool]:
    return sa.and_(input_offset.c.topic == key.topic, input_offset.c.partition == key.partition)


def _row(connection: sa.Connection, key: PartitionKey, *, lock: bool = False) -> StoredOffset:
    wanted = sa.select(input_offset).where(_is(key))
    return _stored(connection.execute(wanted.with_for_update() if lock else wanted).one())


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
