"""The limit of dead letters: too many among a partition's last thousand records stop it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

REMEMBERED = 1000
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimit:
    """Over *share* of the last thousand records bad, and at least *minimum* of them."""

    share: float
    minimum: int


def decode_recent(stored: bytes | None) -> Mask:
    """Return which of the last records were bad, oldest first; *stored* as by `encode_recent`."""
    if not stored:
        return np.zeros(0, dtype=np.bool_)
    count = int.from_bytes(stored[:2], "big")
    return np.unpackbits(np.frombuffer(stored[2:], dtype=np.uint8), count=count).astype(np.bool_)


def encode_recent(recent: Mask) -> bytes:
    """Return the last records as two bytes of length and one bit each."""
    return len(recent).to_bytes(2, "big") + np.packbits(recent).tobytes()


def after(recent: Mask, bad: Mask) -> Mask:
    """Return the last thousand records once those of *bad* came."""
    return np.concatenate([recent, bad])[-REMEMBERED:]


def limit_reached(recent: Mask, bad: Mask, limit: DeadLetterLimit) -> bool:
    """Return whether the limit is passed at any record of *bad*, which follow *recent* (at most a thousand)."""
    if not bad.any():
        return False
    line = np.concatenate([recent, bad])
    total = np.concatenate([[0], np.cumsum(line)])
    ends = np.arange(len(recent) + 1, len(line) + 1)
    starts = np.maximum(ends - REMEMBERED, 0)
    among = total[ends] - total[starts]
    return bool(np.any((among >= limit.minimum) & (among > limit.share * (ends - starts))))
