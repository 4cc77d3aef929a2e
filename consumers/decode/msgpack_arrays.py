"""Fast conversion of Python floats and zoned times to numpy arrays, by way of MessagePack."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from monitor.arrays import AnyUnsigned, Float64s, Int64s

_FLOAT_BYTES = 9
_ENCODER = msgspec.msgpack.Encoder()

_WHOLE, _FRACTION = (0xD6FF, ">u4", 6), (0xD7FF, ">u8", 10)  # marker, value, bytes of both
_RUNS_AT_MOST = 40
_SECONDS_BITS = np.uint64(34)
_SECONDS_MASK = np.uint64((1 << 34) - 1)


def float_column(values: Sequence[float | None]) -> Float64s:
    """Return *values* (floats or None, nothing else: a text would be read as a number) as an array, None as NaN."""
    packed = _ENCODER.encode(values)
    start = array_head_bytes(len(values))
    if not values or len(packed) != start + _FLOAT_BYTES * len(values):
        return np.fromiter(values, np.float64, len(values))  # reads None as NaN
    return np.ndarray((len(values),), ">f8", packed, start + 1, (_FLOAT_BYTES,)).astype(np.float64)


def float_columns(rows: Sequence[tuple[Any, ...]], indices: Sequence[int]) -> Float64s:
    """Return the values (floats or None) at *indices* of each of *rows*, shape ``(indices, rows)``, None as NaN.

    Packed floats all have one width, so that every column lies at fixed distances. ``[(1.5, 2.0, -0.5), ...]`` is::

        byte  0    1    2  3                  11 12                 20 21                 29   30
              92 | 93 | cb 3ff8000000000000 | cb 4000000000000000 | cb bfe0000000000000 | 93 | cb ...
              |    |    |  a value, big-endian
              |    |    marker of a float
              |    head of a row, like that of the list 1, 3 or 5 bytes
        strides: 9 bytes from column to column (3, 12, 21), 28 from row to row (3, 31)

    One None takes one byte instead of nine: then the length is another, and the values are read one by one.
    """
    count = len(indices)
    if not count or not rows:
        return np.empty((count, len(rows)))
    heads = list(map(_picker(tuple(indices)), rows))
    packed = _ENCODER.encode(heads)
    inner = array_head_bytes(count)
    width, start = inner + _FLOAT_BYTES * count, array_head_bytes(len(rows))
    if len(packed) != start + width * len(rows):
        flat = np.fromiter(chain.from_iterable(heads), np.float64, count * len(rows))
        return flat.reshape(len(rows), count).T.copy()
    shape, strides = (count, len(rows)), (_FLOAT_BYTES, width)
    return np.ndarray(shape, ">f8", packed, start + inner + 1, strides).astype(np.float64)


@cache
def _picker(indices: tuple[int, ...]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    first, count = indices[0], len(indices)
    if indices == tuple(range(first, first + count)):
        return itemgetter(slice(first, first + count))  # half the cost
    return itemgetter(*indices)


def array_head_bytes(length: int) -> int:
    """Return how many bytes MessagePack writes before the first element of an array of *length*."""
    return 1 if length < 1 << 4 else 3 if length < 1 << 16 else 5


def packed_millis(moments: Sequence[datetime | int]) -> Int64s | None:
    """Return epoch milliseconds (rounded down) of times from 1970 to 2514.

    None: some are integers or other times, or whole seconds and others change too often to be read in runs.
    """
    if not moments:
        return np.empty(0, dtype=np.int64)
    packed, place = _ENCODER.encode(moments), array_head_bytes(len(moments))
    parts: list[Int64s] = []
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


def _run(packed: bytes, place: int, left: int, marker: int, value: str, width: int) -> AnyUnsigned:
    """Return the values of the times of one form that stand at *place*, at most *left*."""
    room = min(left, (len(packed) - place) // width)
    if room == 0:
        return np.empty(0, dtype=value)
    markers = np.ndarray((room,), ">u2", packed, place, (width,))
    other = np.flatnonzero(markers != marker)
    length = int(other[0]) if len(other) else room
    return np.ndarray((length,), value, packed, place + 2, (width,))


def _millis(run: AnyUnsigned) -> Int64s:
    values = run.astype(np.uint64)
    if run.dtype.itemsize == 4:
        return (values * np.uint64(1000)).astype(np.int64)
    nanoseconds, seconds = values >> _SECONDS_BITS, values & _SECONDS_MASK
    return (seconds * np.uint64(1000) + nanoseconds // np.uint64(1_000_000)).astype(np.int64)
