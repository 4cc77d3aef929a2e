"""How old a prediction was when its truth became known, in buckets."""

from bisect import bisect_left
from enum import IntEnum

_MINUTE = 60_000
_HOUR, _DAY = 60 * _MINUTE, 1440 * _MINUTE


class AgeBucket(IntEnum):
    """Index in the performance panes' key; each holds ages up to and including the one it is named after."""

    M1 = 0
    M5 = 1
    M30 = 2
    H1 = 3
    H4 = 4
    D1 = 5
    D3 = 6
    D7 = 7
    D14 = 8
    D30 = 9
    D60 = 10
    D90 = 11
    OLDER = 12


_LIMITS = (
    _MINUTE,
    5 * _MINUTE,
    30 * _MINUTE,
    _HOUR,
    4 * _HOUR,
    _DAY,
    3 * _DAY,
    7 * _DAY,
    14 * _DAY,
    30 * _DAY,
    60 * _DAY,
    90 * _DAY,
)


def age_bucket(*, event_time: int, known_at: int) -> AgeBucket:
    """Return the bucket of a truth known at *known_at* of a prediction made at *event_time* (both epoch ms).

    A truth known before its prediction was made counts as youngest.
    """
    return AgeBucket(bisect_left(_LIMITS, known_at - event_time))
