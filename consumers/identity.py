"""Identities of predictions: XXH3-128 of namespace, model and id; never to change, stored hashes depend on it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from consumers.distinct import distinct
from monitor.types import ModelKey

Digests = npt.NDArray[np.uint64]
_HALF = 1 << 64


def prediction_digests(key: ModelKey, ids: Sequence[str]) -> Digests:
    """Return XXH3-128 of ``namespace \\x1f model \\x1f id``; shape ``(ids, 2)``: high and low half."""
    prefix = f"{key.namespace}\x1f{key.name}\x1f"
    digest = xxhash.xxh3_128_digest
    joined = b"".join([digest((prefix + each).encode()) for each in ids])
    return np.frombuffer(joined, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def digest_text(digest: Digests) -> str:
    """Return one digest, shape ``(2,)``, as 32 hexadecimal digits."""
    return f"{int(digest[0]):016x}{int(digest[1]):016x}"


def identity_hashes(digests: Digests, versions: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return 8-byte hashes of the identities (namespace, model, version, id)."""
    seeds: dict[str, int] = {each: xxhash.xxh3_64_intdigest(each.encode()) for each in distinct(versions)}
    if len(seeds) == 1:
        return digests[:, 1] ^ np.uint64(next(iter(seeds.values())))
    return digests[:, 1] ^ np.fromiter((seeds[each] for each in versions), np.uint64, len(versions))


def sampled(digests: Digests, rate: float) -> npt.NDArray[np.bool_]:
    """Return which digests are under *rate* of 2^128: the same ids wherever and whenever they are read."""
    limit = int(rate * (1 << 128))
    if limit >= 1 << 128:
        return np.ones(len(digests), dtype=np.bool_)
    high, low = np.uint64(limit // _HALF), np.uint64(limit % _HALF)
    below: npt.NDArray[np.bool_] = (digests[:, 0] < high) | ((digests[:, 0] == high) & (digests[:, 1] < low))
    return below
