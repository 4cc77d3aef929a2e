"""After the faults: everything runs undisturbed until the topics are read, joined, judged and delivered."""

import time
from collections.abc import Callable

import sqlalchemy as sa
from confluent_kafka import Consumer, TopicPartition

from monitor.store.partition_repairs import ResumeAt, paused_partitions, resume_partition
from monitor.store.schema import evaluation, input_offset, outbox, performance_due, truth, truth_inbox
from tests.soak.installation import Installation

QUIET_SECONDS = 20.0
DRAIN_SECONDS, JOIN_SECONDS, JUDGE_SECONDS, DELIVER_SECONDS = 600.0, 300.0, 300.0, 120.0


class NotSettled(AssertionError):
    """Something never came to its end; the text says what, and where it stands."""


def settle(under_test: Installation) -> None:
    """Return when nothing is left to do.

    Raises:
        NotSettled: It did not come to that in time.
    """
    under_test.mend()
    under_test.start_missing()
    ends = _ends(under_test)
    _wait(under_test, "every record read", DRAIN_SECONDS, lambda: _resume(under_test) or _unread(under_test, ends))
    _wait(under_test, "the inbox joined", JOIN_SECONDS, lambda: _rows(under_test, sa.select(truth_inbox.c.id)))
    # Every prediction is in the ledger now: one more look of each truth, which the schedule might give hours later.
    with under_test.engine.begin() as connection:
        again = sa.update(truth).where(truth.c.next_probe_at.is_not(None))
        connection.execute(again.values(next_probe_at=sa.func.clock_timestamp()))
    due = sa.select(truth.c.model_id).where(truth.c.next_probe_at <= sa.func.clock_timestamp())
    _wait(under_test, "every truth joined", JOIN_SECONDS, lambda: _rows(under_test, due))
    _wait(under_test, "windows judged", JUDGE_SECONDS, _Quiet(under_test))
    pending = sa.select(outbox.c.id).where(outbox.c.state == "pending")
    _wait(under_test, "messages delivered", DELIVER_SECONDS, lambda: _rows(under_test, pending))


class _Quiet:
    """Says what is left until nothing has been judged for QUIET_SECONDS."""

    def __init__(self, under_test: Installation) -> None:
        self._under_test = under_test
        self._seen: tuple[int, ...] = ()
        self._since = time.monotonic()

    def __call__(self) -> str:
        with self._under_test.engine.connect() as connection:
            newest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(evaluation.c.id), 0))).scalar_one()
            due = connection.execute(sa.select(sa.func.count()).select_from(performance_due)).scalar_one()
        if (newest, due) != self._seen:
            self._seen, self._since = (newest, due), time.monotonic()
        waited = time.monotonic() - self._since
        return "" if waited >= QUIET_SECONDS else f"evaluation {newest:,}, {due:,} minutes of accuracy due"


def _wait(under_test: Installation, what: str, seconds: float, left: Callable[[], str]) -> None:
    """Return when *left* says nothing; mend what ends by itself meanwhile."""
    deadline = time.monotonic() + seconds
    while result := left():
        if time.monotonic() > deadline:
            raise NotSettled(f"{what}: not within {seconds:.0f} s; left: {result}")
        under_test.mend()
        time.sleep(0.5)


def _rows(under_test: Installation, query: sa.Select[tuple[int]]) -> str:
    with under_test.engine.connect() as connection:
        result = connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()
    return f"{result:,} rows" if result else ""


def _resume(under_test: Installation) -> str:
    """Resume what stopped though nothing should have, and note it; say nothing."""
    with under_test.engine.begin() as connection:
        for key, reason in paused_partitions(connection).items():
            resume_partition(connection, key.topic, key.partition, at=ResumeAt.STORED)
            under_test.tally.stopped.append(f"{key.topic}[{key.partition}]: {reason}")
    return ""


def _ends(under_test: Installation) -> dict[tuple[str, int], int]:
    topics = under_test.topics
    consumer = Consumer({"bootstrap.servers": under_test.broker.bootstrap, "group.id": "soak"})
    try:
        return {
            (topic, partition): consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[1]
            for topic in (topics.predictions, topics.created, topics.truths, topics.deployments)
            for partition in range(under_test.plan.partitions)
        }
    finally:
        consumer.close()


def _unread(under_test: Installation, ends: dict[tuple[str, int], int]) -> str:
    with under_test.engine.connect() as connection:
        at = {(row.topic, row.partition): row.next_offset for row in connection.execute(sa.select(input_offset))}
    behind = {place: (at.get(place, 0), end) for place, end in ends.items() if at.get(place, 0) < end}
    return ", ".join(f"{topic}[{number}] at {here:,} of {end:,}" for (topic, number), (here, end) in behind.items())
