"""How old a truth is when it is known, in buckets: from a minute after the prediction to over 90 days."""

from bisect import bisect_left
from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from monitor.arrays import Indices, Int64s
from monitor.humanize import span_text
from monitor.units import DAY_MILLIS, HOUR_MILLIS, MINUTE_MILLIS


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
    MINUTE_MILLIS,
    5 * MINUTE_MILLIS,
    30 * MINUTE_MILLIS,
    HOUR_MILLIS,
    4 * HOUR_MILLIS,
    DAY_MILLIS,
    3 * DAY_MILLIS,
    7 * DAY_MILLIS,
    14 * DAY_MILLIS,
    30 * DAY_MILLIS,
    60 * DAY_MILLIS,
    90 * DAY_MILLIS,
)


def age_bucket(*, event_time: int, known_at: int) -> AgeBucket:
    """Return the bucket of a truth known at *known_at* of a prediction made at *event_time* (both epoch ms).

    A truth known before its prediction was made counts as youngest.
    """
    return AgeBucket(bisect_left(_LIMITS, known_at - event_time))


def age_buckets(*, event_times: Int64s, known_at: Int64s) -> Indices:
    """Return the `age_bucket` of each pair of times, shape ``(rows,)``."""
    return np.searchsorted(np.array(_LIMITS), known_at - event_times, side="left")


def age_words(bucket: AgeBucket) -> str:
    """Return which ages are in *bucket*: ``up to 4h``."""
    if bucket is AgeBucket.OLDER:
        return f"over {span_text(_LIMITS[-1] // MINUTE_MILLIS)}"
    return f"up to {span_text(_LIMITS[bucket] // MINUTE_MILLIS)}"


def age_of_share(labelled: Mapping[int, int], share: float) -> int:
    """Return the age (ms) at which the youngest *share* of the truths were known, from counts by `AgeBucket`.

    The upper limit of the bucket, so never too short; of those past the last limit, twice that. 0 without any.
    """
    wanted = share * sum(labelled.values())
    known = 0
    for bucket in sorted(labelled):
        known += labelled[bucket]
        if known >= wanted:
            return _LIMITS[bucket] if bucket < AgeBucket.OLDER else 2 * _LIMITS[-1]
    return 0
