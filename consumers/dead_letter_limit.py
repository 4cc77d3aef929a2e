"""The limit of dead letters: too many bad ones among the last thousand records of whoever sends them."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

REMEMBERED = 1000
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
_NONE: Places = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterLimit:
    """Over *share* of the last thousand records bad, and at least *minimum* of them."""

    share: float
    minimum: int


@dataclass(frozen=True, slots=True, eq=False)
class RecentRecords:
    """The last thousand records: how many there were yet, and the places (rising) of the bad ones among them.

    Whoever sends nothing bad costs one integer, and nothing to write once there were a thousand.
    """

    length: int = 0
    bad: Places = field(default_factory=lambda: _NONE)

    def after(self, bad: Mask) -> "RecentRecords":
        """Return the last thousand records once those of *bad* came."""
        total = self.length + len(bad)
        left = max(0, total - REMEMBERED)
        places = self.bad
        if bad.any():
            places = np.concatenate([places, self.length + np.flatnonzero(bad)])
        if len(places) and left:
            places = places[np.searchsorted(places, left) :] - left
        return RecentRecords(total - left, places)

    def first_past(self, bad: Mask, limit: DeadLetterLimit) -> int | None:
        """Return the index of the first of *bad*, which follow, that brings them over *limit*; None: none does.

        Only a bad record can: a good one adds to what the share is of, or replaces another in it.
        """
        new = self.length + np.flatnonzero(bad)
        if not len(new):
            return None
        line = np.concatenate([self.bad, new])
        before = np.searchsorted(line, new - REMEMBERED, side="right")
        among = np.arange(len(self.bad) + 1, len(line) + 1) - before
        past = (among >= limit.minimum) & (among > limit.share * np.minimum(new + 1, REMEMBERED))
        return int(new[np.argmax(past)]) - self.length if past.any() else None

    def is_past(self, limit: DeadLetterLimit) -> bool:
        """Return whether they are over *limit* now."""
        return len(self.bad) >= limit.minimum and len(self.bad) > limit.share * self.length

    def encoded(self) -> bytes:
        """Return them as two bytes of length and, if any is bad, one bit each."""
        length = self.length.to_bytes(2, "big")
        if not len(self.bad):
            return length
        bits = np.zeros(self.length, dtype=np.bool_)
        bits[self.bad] = True
        return length + np.packbits(bits).tobytes()


def decode_recent(stored: bytes | None) -> RecentRecords:
    """Return what `RecentRecords.encoded` wrote; nothing yet when None."""
    if not stored:
        return RecentRecords()
    length = int.from_bytes(stored[:2], "big")
    bits = np.unpackbits(np.frombuffer(stored[2:], dtype=np.uint8), count=length) if len(stored) > 2 else _NONE
    return RecentRecords(length, np.flatnonzero(bits))
