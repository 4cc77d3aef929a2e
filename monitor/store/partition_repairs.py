"""Repairs of input partitions by an operator: list the stopped and unaccounted ones, resume, write off."""

from enum import StrEnum

import sqlalchemy as sa

from monitor.errors import DriftlineError
from monitor.store.model_intake import UNTIL_END, forget_intake
from monitor.store.offsets import FROM_BEGINNING, FROM_END, is_partition
from monitor.store.schema import dedup, input_offset
from monitor.types import PartitionKey

_MISSING = input_offset.c.next_offset - input_offset.c.first_offset - input_offset.c.records - input_offset.c.skipped
_UNACCOUNTED = sa.and_(_MISSING != 0, input_offset.c.next_offset >= 0)


class ResumeAt(StrEnum):
    """From which offset a stopped partition is resumed."""

    STORED = "stored"
    EARLIEST = "earliest"
    LATEST = "latest"


def paused_partitions(connection: sa.Connection) -> dict[PartitionKey, str]:
    """Return the reason of every stopped partition."""
    rows = connection.execute(
        sa.select(input_offset.c.topic, input_offset.c.partition, input_offset.c.paused_reason).where(
            input_offset.c.paused_reason.is_not(None)
        )
    )
    return {PartitionKey(topic, partition): reason for topic, partition, reason in rows}


def resume_partition(connection: sa.Connection, topic: str, partition: int, *, at: ResumeAt) -> None:
    """Resume a stopped partition; the worker that holds it sees that within seconds.

    Bad records that are in the topic by then no longer stop it: they become dead letters. ``stored`` goes on at the
    stored offset (and takes a recreated topic for the old one); ``earliest`` and ``latest`` begin at an end of the log,
    without memory of identities and event times.

    Raises:
        DriftlineError: No such partition, or it is not stopped.
    """
    key = PartitionKey(topic, partition)
    values: dict[str, object] = {}
    if at is not ResumeAt.STORED:
        connection.execute(sa.delete(dedup).where(dedup.c.topic == topic, dedup.c.partition == partition))
        forget_intake(connection, key)
        values = {
            "next_offset": FROM_BEGINNING if at is ResumeAt.EARLIEST else FROM_END,
            "first_offset": None,
            "max_event_time": None,
            "confirmed_event_time": None,
        }
    resumed = connection.execute(
        sa.update(input_offset)
        .where(is_partition(key), input_offset.c.paused_reason.is_not(None))
        .values(
            paused_reason=None,
            topic_id="",
            recent_bad=None,
            forgiven_until=UNTIL_END,
            epoch=input_offset.c.epoch + 1,
            **values,
        )
    )
    if resumed.rowcount != 1:
        stopped = ", ".join(map(str, sorted(paused_partitions(connection)))) or "none"
        raise DriftlineError(f"{key}: expected a stopped partition; stopped are: {stopped}")


def unaccounted_partitions(connection: sa.Connection) -> dict[PartitionKey, int]:
    """Return the partitions whose records do not add up to the offsets passed, and by how many (see `StoredOffset`)."""
    rows = connection.execute(sa.select(input_offset.c.topic, input_offset.c.partition, _MISSING).where(_UNACCOUNTED))
    return {PartitionKey(topic, partition): count for topic, partition, count in rows}


def account_for(connection: sa.Connection, key: PartitionKey) -> int:
    """Write the offsets that the records of *key* do not add up to as explained holes; return how many there were.

    Raises:
        DriftlineError: No such partition, or its records add up.
    """
    missing = connection.execute(sa.select(_MISSING).where(is_partition(key), _UNACCOUNTED).with_for_update()).scalar()
    if missing is None:
        listed = ", ".join(map(str, sorted(unaccounted_partitions(connection)))) or "none"
        raise DriftlineError(f"{key}: expected a partition whose records do not add up; there are: {listed}")
    connection.execute(
        sa.update(input_offset).where(is_partition(key)).values(skipped=input_offset.c.skipped + missing)
    )
    return int(missing)
