"""Encoding of one pane's counts: the narrowest unsigned type that holds them, zstd level 1."""

import numpy as np
import zstandard

from monitor.arrays import AnyIntegers, AnyUnsigned
from monitor.errors import CorruptPaneError

_TYPES = (np.dtype("<u1"), np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8"))
_LIMITS = tuple(int(np.iinfo(dtype).max) for dtype in _TYPES)
_COMPRESSOR = zstandard.ZstdCompressor(level=1, write_content_size=True)
_DECOMPRESSOR = zstandard.ZstdDecompressor()


def encode_counts(counts: AnyIntegers) -> bytes:
    """Return non-negative *counts* (any integer type, one dimension) as one type byte and the compressed rest."""
    largest = int(counts.max(initial=0))
    code = next(index for index, limit in enumerate(_LIMITS) if largest <= limit)
    return bytes((code,)) + _COMPRESSOR.compress(counts.astype(_TYPES[code]).tobytes())


def decode_counts(encoded: bytes, *, size: int) -> AnyUnsigned:
    """Return the counts that `encode_counts` wrote, in their narrow type.

    Raises:
        CorruptPaneError: Not such an encoding, or not of *size* counts.
    """
    if not encoded or encoded[0] >= len(_TYPES):
        raise CorruptPaneError(f"expected a type byte under {len(_TYPES)}, found {encoded[:1]!r}")
    try:
        raw = _DECOMPRESSOR.decompress(encoded[1:])
    except zstandard.ZstdError as error:
        raise CorruptPaneError(f"expected zstd data, found: {error}") from error
    dtype = _TYPES[encoded[0]]
    if len(raw) != size * dtype.itemsize:
        raise CorruptPaneError(f"expected {size} counts of {dtype.itemsize} bytes, found {len(raw)} bytes")
    return np.frombuffer(raw, dtype=dtype)
