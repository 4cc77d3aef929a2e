"""Python floats to numpy arrays through MessagePack, a quarter of the cost of reading them one by one.

MessagePack writes a float as a marker and eight bytes, big end first, so in an array of floats all stand at equal
distances. None takes one byte: a total that is too short tells that some are missing.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np

from consumers.decode.decoded import Floats

_FLOAT_BYTES = 9
_ENCODER = msgspec.msgpack.Encoder()


def float_column(values: Sequence[float | None]) -> Floats:
    """Return *values* (floats or None, nothing else: a text would be read as a number) as an array, None as NaN."""
    packed = _ENCODER.encode(values)
    start = array_head_bytes(len(values))
    if not values or len(packed) != start + _FLOAT_BYTES * len(values):
        return np.fromiter(values, np.float64, len(values))  # reads None as NaN
    return np.ndarray((len(values),), ">f8", packed, start + 1, (_FLOAT_BYTES,)).astype(np.float64)


def float_columns(rows: Sequence[tuple[Any, ...]], indices: Sequence[int]) -> Floats:
    """Return the values (floats or None) at *indices* of each of *rows*, shape ``(indices, rows)``, None as NaN."""
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
