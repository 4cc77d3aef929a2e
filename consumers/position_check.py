"""Checks that batches continue exactly at our positions; what does not is read again from there."""

from collections.abc import Mapping, Sequence

import structlog

from consumers.assignment import AssignedPartitions
from consumers.continuity import Hole, holes_before
from consumers.kafka.hole_check import HoleCheck
from consumers.partition_state import PartitionState
from consumers.records import RecordBatch
from monitor.errors import UnavailableError
from monitor.types import PartitionKey

log = structlog.get_logger()


class PositionCheck:
    """Compares what the client delivers with our positions; no record that the broker has is skipped."""

    def __init__(self, partitions: AssignedPartitions, hole_check: HoleCheck) -> None:
        self._partitions = partitions
        self._hole_check = hole_check
        self._ends: dict[PartitionKey, int] = {}  # behind our positions, with a hole between

    def following(self, batch: RecordBatch) -> RecordBatch | None:
        """Return the records of our partitions that continue at our positions."""
        states = self._partitions.states
        out = [key for key in batch.partitions if key not in states or not states[key].flowing]
        held = batch.without(out) if out else batch
        if held is None:
            return None
        holes: dict[PartitionKey, Sequence[Hole]] = {}
        broken: dict[PartitionKey, int] = {}
        for code, key in enumerate(held.partitions):
            offsets = held.offsets if len(held.partitions) == 1 else held.offsets[held.codes == code]
            before = holes_before(offsets, states[key].now.next_offset)
            if before is None:
                broken[key] = int(offsets[0])
            elif before:
                holes[key] = before
            else:
                states[key].refusals = 0
        if holes:
            broken |= {key: holes[key][0].stop for key in self._unexplained(holes)}
        for key, received in broken.items():
            self._partitions.read_again(key, received=received)
        return held.without(broken) if broken else held

    def end(self, key: PartitionKey, offset: int) -> None:
        """The broker said that *key* ends at *offset*; the records before it were absorbed."""
        state = self._flowing(key)
        if state is None:
            return
        if offset == state.now.next_offset:
            state.end_offset = offset
        elif offset > state.now.next_offset:
            self._ends[key] = offset

    def settle_ends(self) -> None:
        """Ask the broker about holes between our positions and ends that it named before.

        Called once a second: a topic that is written in transactions ends in a marker after each of them, and most are
        followed by the next records at once.
        """
        ends, self._ends = self._ends, {}
        holes: dict[PartitionKey, Sequence[Hole]] = {}
        for key, offset in ends.items():
            state = self._flowing(key)
            if state is not None and state.now.next_offset < offset:
                holes[key] = (Hole(state.now.next_offset, offset),)
        if not holes:
            return
        refused = self._unexplained(holes)
        for key in holes:
            if key in refused:
                self._partitions.read_again(key, received=ends[key])
            else:
                self.end(key, ends[key])

    def close(self) -> None:
        """Close the connection to the broker."""
        self._hole_check.close()

    def _flowing(self, key: PartitionKey) -> PartitionState | None:
        state = self._partitions.states.get(key)
        return state if state is not None and state.flowing else None

    def _unexplained(self, holes: Mapping[PartitionKey, Sequence[Hole]]) -> frozenset[PartitionKey]:
        """Return where the broker does not have nothing, too; the holes of the others are passed over, and counted."""
        states = self._partitions.states
        unknown = {key: states[key].unknown_holes(of_key) for key, of_key in holes.items()}
        asked = {key: of_key for key, of_key in unknown.items() if of_key}
        try:
            refused = self._hole_check.refused(asked) if asked else frozenset()
        except UnavailableError as error:
            log.warning("kafka.error_reported", complaint=str(error))
            refused = frozenset(asked)
        for key in holes.keys() - refused:
            states[key].accept(holes[key])
            states[key].refusals = 0
        return refused
