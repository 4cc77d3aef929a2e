"""Times with a zone to epoch milliseconds through MessagePack, a tenth of the cost of asking each for its own.

MessagePack writes a time of whole seconds as ``d6 ff`` and four bytes of seconds, another one as ``d7 ff`` and eight
bytes: thirty bits of nanoseconds, thirty-four of seconds. A run of one form is read at once.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt

from consumers.decode.packed_floats import array_head_bytes

Integers = npt.NDArray[np.int64]

_WHOLE, _FRACTION = (0xD6FF, ">u4", 6), (0xD7FF, ">u8", 10)  # marker, value, bytes of both
_RUNS_AT_MOST = 40
_SECONDS_BITS = np.uint64(34)
_SECONDS_MASK = np.uint64((1 << 34) - 1)
_ENCODER = msgspec.msgpack.Encoder()


def packed_millis(moments: Sequence[datetime | int]) -> Integers | None:
    """Return epoch milliseconds (rounded down) of times from 1970 to 2514.

    None: some are integers or other times, or whole seconds and others change too often to be read in runs.
    """
    if not moments:
        return np.empty(0, dtype=np.int64)
    packed, place = _ENCODER.encode(moments), array_head_bytes(len(moments))
    parts: list[Integers] = []
    left, form = len(moments), _FRACTION
    for _ in range(_RUNS_AT_MOST):
        run = _run(packed, place, left, *form)
        parts.append(_millis(run))
        left, place = left - len(run), place + len(run) * form[2]
        if left == 0:
            return np.concatenate(parts)
        form = _WHOLE if form is _FRACTION else _FRACTION
        if packed[place : place + 2] != form[0].to_bytes(2, "big"):
            return None
    return None


def _run(packed: bytes, place: int, left: int, marker: int, value: str, width: int) -> npt.NDArray[np.unsignedinteger]:
    """Return the values of the times of one form that stand at *place*, at most *left*."""
    room = min(left, (len(packed) - place) // width)
    if room == 0:
        return np.empty(0, dtype=value)
    markers = np.ndarray((room,), ">u2", packed, place, (width,))
    other = np.flatnonzero(markers != marker)
    length = int(other[0]) if len(other) else room
    return np.ndarray((length,), value, packed, place + 2, (width,))


def _millis(run: npt.NDArray[np.unsignedinteger]) -> Integers:
    values = run.astype(np.uint64)
    if run.dtype.itemsize == 4:
        return (values * np.uint64(1000)).astype(np.int64)
    nanoseconds, seconds = values >> _SECONDS_BITS, values & _SECONDS_MASK
    return (seconds * np.uint64(1000) + nanoseconds // np.uint64(1_000_000)).astype(np.int64)
