"""Identities of predictions: their hashes, which are in the ledger's sample, duplicates among recent offsets."""

from collections.abc import Sequence

import numpy as np
import xxhash

from monitor.arrays import Int64s, Mask, UInt64s
from monitor.store.duplicates import SeenIdentities
from monitor.types import ModelKey

_HALF = 1 << 64
_MERGE_AT = 16_384  # recent identities that are worth sorting into the others


def distinct(names: Sequence[str]) -> frozenset[str]:
    """Return the distinct *names*; where all are one, as usual with versions, none has to be hashed."""
    if not names:
        return frozenset()
    return frozenset(names[:1] if names.count(names[0]) == len(names) else names)


def prediction_digests(key: ModelKey, ids: Sequence[str]) -> UInt64s:
    """Return XXH3-128 of ``namespace \\x1f model \\x1f id``; shape ``(ids, 2)``: high and low half."""
    prefix = f"{key.namespace}\x1f{key.name}\x1f"
    digest = xxhash.xxh3_128_digest
    joined = b"".join([digest((prefix + row_id).encode()) for row_id in ids])
    return np.frombuffer(joined, dtype=">u8").reshape(-1, 2).astype(np.uint64)


def digest_text(digest: UInt64s) -> str:
    """Return one digest, shape ``(2,)``, as 32 hexadecimal digits."""
    return f"{int(digest[0]):016x}{int(digest[1]):016x}"


def identity_hashes(digests: UInt64s, versions: Sequence[str]) -> UInt64s:
    """Return 8-byte hashes of the identities (namespace, model, version, id)."""
    seeds: dict[str, int] = {name: xxhash.xxh3_64_intdigest(name.encode()) for name in distinct(versions)}
    if len(seeds) == 1:
        return digests[:, 1] ^ np.uint64(next(iter(seeds.values())))
    return digests[:, 1] ^ np.fromiter((seeds[version] for version in versions), np.uint64, len(versions))


def sampled(digests: UInt64s, rate: float) -> Mask:
    """Return which digests are under *rate* of 2^128: the same ids wherever and whenever they are read."""
    limit = int(rate * (1 << 128))
    if limit >= 1 << 128:
        return np.ones(len(digests), dtype=np.bool_)
    high, low = np.uint64(limit // _HALF), np.uint64(limit % _HALF)
    below: Mask = (digests[:, 0] < high) | ((digests[:, 0] == high) & (digests[:, 1] < low))
    return below


class RecentIdentities:
    """Duplicate: the same identity among the preceding *horizon* offsets of the partition.

    Arrays instead of a dict: 24 bytes an identity instead of a hundred. The log holds what was seen in offset order:
    what was loaded or merged, then an entry a batch. Its hashes are sorted as well, the recent ones with every batch::

        log, offsets    10 11 12 13 | 14 15 | 16 17      _stored = 2: so many entries are flushed, others can be
             hashes      d  b  a  c |  e  b |  f  a      forgotten
        _old_sorted      a  b  c  d
        _recent_sorted                a  b  e  f

    With a horizon of 8, of the next records b at 18 and d at 19 both have a hit in a sorted array, so their last
    offsets are looked up in the log: b at 15 is a duplicate (18 - 15 <= 8), d at 10 is too long ago.
    """

    def __init__(self, seen: SeenIdentities, *, horizon: int) -> None:
        self._horizon = horizon
        self._log: list[tuple[Int64s, UInt64s]] = [(seen.offsets, seen.hashes)]
        self._old_sorted = np.sort(seen.hashes)
        self._stored = 1
        self._recent_sorted = np.zeros(0, dtype=np.uint64)

    def duplicates(self, offsets: Int64s, hashes: UInt64s) -> Mask:
        """Return which of these records (in offset order) are duplicates, and remember them all."""
        repeated = np.zeros(len(hashes), dtype=np.bool_)
        ordered = np.sort(hashes)
        seen = _is_in(ordered, self._old_sorted) | _is_in(ordered, self._recent_sorted)
        seen[1:] |= ordered[1:] == ordered[:-1]
        if seen.any():
            self._mark(repeated, offsets, hashes, np.unique(ordered[seen]))
        self._log.append((offsets, hashes))
        # stable: two sorted runs are merged, a quarter of the cost of sorting them
        self._recent_sorted = np.sort(np.concatenate([self._recent_sorted, ordered]), kind="stable")
        return repeated

    def _mark(self, repeated: Mask, offsets: Int64s, hashes: UInt64s, candidates: UInt64s) -> None:
        last: dict[int, int] = {}
        for log_offsets, log_hashes in self._log:
            hit = _is_in(log_hashes, candidates)
            last.update(zip(log_hashes[hit].tolist(), log_offsets[hit].tolist(), strict=True))
        for index in np.flatnonzero(_is_in(hashes, candidates)).tolist():
            identity, offset = int(hashes[index]), int(offsets[index])
            before = last.get(identity)
            repeated[index] = before is not None and offset - before <= self._horizon
            last[identity] = offset

    def unstored(self) -> SeenIdentities:
        """Return what was seen since the last `mark_flushed`."""
        pending = self._log[self._stored :]
        return SeenIdentities(
            offsets=np.concatenate([np.zeros(0, np.int64), *(logged[0] for logged in pending)]),
            hashes=np.concatenate([np.zeros(0, np.uint64), *(logged[1] for logged in pending)]),
        )

    def mark_flushed(self) -> None:
        """Note that a flush stored what was seen."""
        self._stored = len(self._log)
        if len(self._recent_sorted) >= _MERGE_AT:
            self._merge()

    def forget_unstored(self) -> None:
        """Go back to the last `mark_flushed`."""
        del self._log[self._stored :]
        recent = [logged[1] for logged in self._log[1:]]
        self._recent_sorted = np.sort(np.concatenate([np.zeros(0, np.uint64), *recent]))

    def _merge(self) -> None:
        offsets = np.concatenate([logged[0] for logged in self._log])
        hashes = np.concatenate([logged[1] for logged in self._log])
        recent = offsets >= offsets[-1] - self._horizon
        self._log = [(offsets[recent], hashes[recent])]
        self._old_sorted = np.sort(self._log[0][1])
        self._stored = 1
        self._recent_sorted = np.zeros(0, dtype=np.uint64)


def _is_in(wanted: UInt64s, ordered: UInt64s) -> Mask:
    if not len(ordered):
        return np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    present: Mask = ordered[places] == wanted
    return present
