"""Every batch and every end of a partition goes on exactly at our position, or it is read from there again."""

from collections.abc import Sequence

import structlog

from consumers.claims import Claims
from consumers.continuity import Hole, holes_before
from consumers.holes import SecondReading
from consumers.partition import PartitionState
from consumers.records import RecordBatch
from monitor.errors import UnavailableError
from monitor.types import PartitionKey

log = structlog.get_logger()


class Reading:
    """What the client hands over, held against where we are; nothing is passed over that the broker has."""

    def __init__(self, claims: Claims, second_reading: SecondReading) -> None:
        self._claims = claims
        self._second_reading = second_reading

    def following(self, batch: RecordBatch) -> RecordBatch | None:
        """Return the records of the partitions that we hold and that go on at our positions."""
        states = self._claims.states
        out = [key for key in batch.partitions if key not in states or not states[key].flowing]
        held = batch.without(out) if out else batch
        if held is None:
            return None
        broken = [key for code, key in enumerate(held.partitions) if not self._goes_on(held, code, states[key])]
        return held.without(broken) if broken else held

    def end(self, key: PartitionKey, offset: int) -> None:
        """The broker said that *key* ends at *offset*; the records before it were absorbed."""
        state = self._claims.states.get(key)
        if state is None or not state.flowing or offset < state.now.next_offset:
            return  # not ours any more, or more came since
        if offset == state.now.next_offset or self._explained(state, (Hole(state.now.next_offset, offset),)):
            state.end_offset = offset
        else:
            self._claims.read_again(key, found=offset)

    def close(self) -> None:
        """Let go of the broker."""
        self._second_reading.close()

    def _goes_on(self, batch: RecordBatch, code: int, state: PartitionState) -> bool:
        offsets = batch.offsets if len(batch.partitions) == 1 else batch.offsets[batch.codes == code]
        holes = holes_before(offsets, state.now.next_offset)
        if holes is not None and (not holes or self._explained(state, holes)):
            state.refusals = 0
            return True
        self._claims.read_again(state.key, found=int(offsets[0]) if holes is None else holes[0].stop)
        return False

    def _explained(self, state: PartitionState, holes: Sequence[Hole]) -> bool:
        """Return whether the broker has nothing in *holes* either; then they are passed over, and counted."""
        unknown = state.unknown_holes(holes)
        try:
            if unknown and not self._second_reading.explains(state.key, unknown):
                return False
        except UnavailableError as error:
            log.warning("kafka.complained", complaint=str(error))
            return False
        state.accept(holes)
        return True
