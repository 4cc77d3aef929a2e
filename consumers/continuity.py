"""Holes in the offsets of one partition's records: which offsets were never delivered; pure."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Int64s


@dataclass(frozen=True, slots=True, order=True)
class Hole:
    """Offsets ``[start, stop)`` of a log without a record that was handed to us."""

    start: int
    stop: int


def holes_before(offsets: Int64s, expected: int) -> tuple[Hole, ...] | None:
    """Return the holes between *expected* and the last of *offsets*, in order; None: they do not rise from there.

    Args:
        offsets: Shape ``(records,)``, at least one. The offsets of one partition's records as they came.
        expected: The offset that must be read next.

    Returns:
        Empty where the first is *expected* and each follows the one before. None where a record was handed over
        twice, or out of order: nothing that the log of the broker could explain.
    """
    first, last = int(offsets[0]), int(offsets[-1])
    if first == expected and last - first == len(offsets) - 1 and bool((np.diff(offsets) == 1).all()):
        return ()
    before = np.concatenate((np.array([expected - 1]), offsets[:-1]))
    steps = offsets - before
    if (steps < 1).any():
        return None
    return tuple(Hole(int(before[at]) + 1, int(offsets[at])) for at in np.nonzero(steps > 1)[0].tolist())
