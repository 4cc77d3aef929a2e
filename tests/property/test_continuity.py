"""Whatever the client drops, repeats or swaps, a batch that does not start at our position is detected."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from consumers.continuity import Hole, holes_before
from consumers.partition_state import PartitionState
from monitor.store.offsets import PartitionMove
from tests.fakes.records import fresh_state

PIECES = st.lists(
    st.tuples(st.sampled_from(["as it is", "dropped", "twice", "swapped"]), st.integers(1, 20)), min_size=1, max_size=12
)


def handed_over(pieces: list[tuple[str, int]], first: int) -> tuple[list[int], set[int]]:
    """Return the offsets as a faulty client hands them over, and those it lost."""
    results: list[int] = []
    lost: set[int] = set()
    for what, length in pieces:
        piece = list(range(first, first + length))
        first += length
        if what == "dropped":
            lost |= set(piece)
        elif what == "twice":
            results += piece + piece
        elif what == "swapped":
            results += piece[length // 2 :] + piece[: length // 2]
        else:
            results += piece
    return results, lost


@given(PIECES, st.integers(0, 1000), st.data())
def test_dropped_repeated_and_swapped_pieces_are_detected(
    pieces: list[tuple[str, int]], first: int, data: st.DataObject
) -> None:
    """Cut anywhere into batches: exactly the lost offsets come out as holes, and nothing but rising records passes."""
    offsets, lost = handed_over(pieces, first)
    expected, start, reported = first, 0, set[int]()
    while start < len(offsets):
        stop = data.draw(st.integers(start + 1, len(offsets)))
        batch = np.array(offsets[start:stop], dtype=np.int64)
        holes = holes_before(batch, expected)
        rises = all(
            after > before for before, after in zip([expected - 1, *batch.tolist()], batch.tolist(), strict=False)
        )
        assert (holes is None) == (not rises)
        if holes is None:
            return
        inside = {offset for hole in holes for offset in range(hole.start, hole.stop)}
        assert inside == set(range(expected, int(batch[-1]) + 1)) - set(batch.tolist())
        reported |= inside
        expected, start = int(batch[-1]) + 1, stop
    assert reported == {offset for offset in lost if offset < expected}


def advance(state: PartitionState, *offsets: int) -> None:
    rows = np.array(offsets, dtype=np.int64)
    state.add(records=len(offsets))
    state.advance(offsets=rows, bad=np.zeros(len(offsets), dtype=np.bool_), max_event_time=None)


def adds_up(move: PartitionMove) -> bool:
    return move.counters.records + move.counters.skipped == move.next_offset - move.first_offset


def test_accepted_holes_are_counted_with_the_move_over_them() -> None:
    """
    offsets   0 1 2 . . 5 6 | . . 9   a flush at the bar; the hole behind 6 belongs to the next one
    """
    state = fresh_state()
    state.accept([Hole(3, 5)])
    assert state.now.next_offset == 0
    advance(state, 0, 1, 2)
    assert state.now.next_offset == 5
    advance(state, 5, 6)
    assert (state.move().counters.skipped, state.move().next_offset) == (2, 7)
    assert adds_up(state.move())
    state.mark_flushed(now=0.0)
    state.accept([Hole(7, 9)])
    assert (state.moved, state.now.next_offset, state.move().counters.skipped) == (True, 9, 2)
    advance(state, 9)
    assert adds_up(state.move())


def test_a_hole_stays_accepted_when_its_batch_is_counted_again() -> None:
    """After a roll-back the same records come with the same hole; a hole at our position is passed at once."""
    state = fresh_state()
    state.accept([Hole(0, 2), Hole(4, 6)])
    advance(state, 2, 3)
    state.roll_back()
    assert state.now.next_offset == 2
    assert state.unknown_holes([Hole(4, 6), Hole(8, 9)]) == (Hole(8, 9),)
    advance(state, 2, 3)
    assert state.now.next_offset == 6
    assert adds_up(state.move())


def test_an_end_counts_only_while_the_partition_flows() -> None:
    """An end that was reported before a partition was halted says nothing about the reading after it."""
    state = fresh_state()
    state.end_offset = 0
    assert not state.at_end
    state.flowing = True
    assert state.at_end
    state.halt()
    state.flowing = True
    assert not state.at_end
