"""Only what continues at our position is counted; the rest is explained by the broker or read again."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from sqlalchemy import Engine

from consumers.assignment import AssignedPartitions
from consumers.continuity import Hole
from consumers.kafka.admin import Cluster
from consumers.kafka.consumer import InputConsumer
from consumers.kafka.hole_check import HoleCheck
from consumers.partition_state import PartitionState
from consumers.position_check import PositionCheck
from consumers.records import batches_by_role
from monitor.errors import UnavailableError
from monitor.settings import Settings
from monitor.types import PartitionKey
from tests.fakes.records import ROLES, FakeRecord, fresh_state

KEY = PartitionKey("predictions", 0)


class FakeAssigned:
    """One partition that flows, and how often it was to be read again."""

    def __init__(self) -> None:
        state = fresh_state()
        state.flowing = True
        self.states: dict[PartitionKey, PartitionState] = {KEY: state}
        self.again: list[tuple[PartitionKey, int]] = []

    def read_again(self, key: PartitionKey, *, received: int) -> None:
        self.states[key].halt()
        self.again.append((key, received))


class SilentClient:
    """A Kafka client that can be stopped."""

    def stop_reading(self, keys: Sequence[PartitionKey]) -> None: ...


class FakeBroker:
    """The offsets that a second reading does not find; None: it does not answer."""

    def __init__(self, missing: set[int] | None) -> None:
        self.missing = missing
        self.asked = 0

    def refused(self, holes: Mapping[PartitionKey, Sequence[Hole]]) -> frozenset[PartitionKey]:
        self.asked += 1
        missing = self.missing
        if missing is None:
            raise UnavailableError("no answer")
        return frozenset(
            key
            for key, of_key in holes.items()
            if not all(set(range(hole.start, hole.stop)) <= missing for hole in of_key)
        )


class Desk:
    """A reading of one partition from offset 0 on."""

    def __init__(self, missing: set[int] | None = frozenset()) -> None:  # type: ignore[assignment]
        self.assigned, self.broker = FakeAssigned(), FakeBroker(missing)
        self.check = PositionCheck(cast(AssignedPartitions, self.assigned), cast(HoleCheck, self.broker))
        self.state = self.assigned.states[KEY]

    def follow(self, *offsets: int, **of_record: Any) -> list[int]:
        (batch,) = batches_by_role([FakeRecord(body=b"", at=offset, **of_record) for offset in offsets], ROLES)
        following = self.check.following(batch)
        return [] if following is None else following.offsets.tolist()


def test_records_that_go_on_ask_nobody() -> None:
    """The next records without a hole pass, and the broker is not asked."""
    desk = Desk()
    assert desk.follow(0, 1, 2) == [0, 1, 2]
    assert desk.broker.asked == 0


@pytest.mark.parametrize("offsets", [(1, 2), (0, 1, 3), (50,), (0, 0), (1, 0), (0, 1, 0)])
def test_a_hole_that_the_broker_can_fill_is_read_again(offsets: tuple[int, ...]) -> None:
    """Not one record of such a batch is counted: the partition is read from our position on."""
    desk = Desk()
    assert desk.follow(*offsets) == []
    assert [key for key, _ in desk.assigned.again] == [KEY]
    assert desk.state.now.next_offset == 0


def test_a_hole_that_stays_for_hours_is_read_again_for_hours() -> None:
    """One reading in five seconds, and no bound to the count of those that failed: ingest goes on."""
    assigned = AssignedPartitions(
        cast(Settings, None), cast(Engine, None), cast(InputConsumer, SilentClient()), cast(Cluster, None), ROLES
    )
    assigned.states[KEY] = fresh_state()
    for _ in range(2_000):
        assigned.read_again(KEY, received=3)
    (problem,) = assigned.problems()
    assert "skipped it 2000 times" in problem


def test_a_hole_of_the_log_is_passed_and_counted() -> None:
    """Markers of a transaction before, between and behind records: none of the records is held up."""
    desk = Desk({0, 3, 4, 6})
    assert desk.follow(1, 2, 5) == [1, 2, 5]
    assert desk.assigned.again == []
    assert desk.state.now.next_offset == 1  # over the first hole; the batch itself is absorbed later
    assert desk.broker.asked == 1
    assert desk.follow(1, 2, 5) == [1, 2, 5]
    assert desk.broker.asked == 1, "a batch that is counted again has the same holes"


def test_a_silent_broker_explains_nothing() -> None:
    """Without an answer the records wait: they are read again, not counted."""
    desk = Desk(None)
    assert desk.follow(1, 2) == []
    assert desk.assigned.again == [(KEY, 1)]


def test_an_end_beyond_our_position_is_a_hole() -> None:
    """The end of a partition behind records that we did not get is no end; behind markers it is."""
    desk = Desk({0})
    desk.check.end(KEY, 3)
    assert (desk.broker.asked, desk.state.at_end) == (0, False)
    desk.check.settle_ends()
    assert (desk.assigned.again, desk.state.at_end) == ([(KEY, 3)], False)
    desk = Desk({0})
    desk.check.end(KEY, 1)
    desk.check.settle_ends()
    assert (desk.assigned.again, desk.state.at_end, desk.state.now.next_offset) == ([], True, 1)


def test_an_end_from_before_the_partition_flowed_says_nothing() -> None:
    """An event of an earlier assignment, of a halted partition, or of one that others hold is no end."""
    desk = Desk()
    desk.state.halt()
    desk.check.end(KEY, 0)
    desk.check.end(PartitionKey("predictions", 7), 0)
    desk.state.flowing = True
    assert not desk.state.at_end
    desk.check.end(KEY, 0)
    assert desk.state.at_end


def test_records_of_partitions_that_do_not_flow_are_left() -> None:
    """What was fetched before a partition was halted is read again later, not counted now."""
    desk = Desk()
    desk.state.halt()
    assert desk.follow(0, 1) == []
    assert desk.follow(0, 1, of_partition=3) == []
    assert desk.assigned.again == []


def test_an_end_that_records_passed_meanwhile_is_forgotten() -> None:
    """Most markers of transactions are followed by records at once: nobody needs to be asked about their end."""
    desk = Desk({0})
    desk.check.end(KEY, 1)
    assert desk.follow(1, 2) == [1, 2]
    desk.check.settle_ends()
    assert desk.broker.asked == 1
    assert not desk.state.at_end
