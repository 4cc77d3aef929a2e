"""The hour of the season in which a moment lies, in a time zone: daylight saving moves with the people."""

from dataclasses import dataclass
from datetime import UTC as UTC_ZONE
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from monitor.arrays import Indices, Int64s
from monitor.types import UTC, Season
from monitor.units import HOUR_MILLIS


@dataclass(frozen=True, slots=True)
class SeasonClock:
    """A season and the time zone (IANA name) of its hours.

    A whole hour of UTC is one hour of the season: the one in which it begins there. Counts are kept by spans inside
    hours of UTC, so in zones that are half an hour off the hours of the season are half an hour off too, and in both
    samples alike.
    """

    season: Season
    timezone: str = UTC

    def hour(self, millis: int) -> int:
        """Return the hour of the season at *millis* (epoch)."""
        return _season_hour(self, millis // HOUR_MILLIS)

    def hours(self, times: Int64s) -> Indices:
        """Return the hour of the season of each of *times* (epoch ms), in the same shape."""
        distinct, places = np.unique(times // HOUR_MILLIS, return_inverse=True)
        hours = np.array([_season_hour(self, hour) for hour in distinct.tolist()], dtype=np.intp)
        return hours[places].reshape(times.shape)


HOURS_OF_DAY = SeasonClock(Season.HOUR_OF_DAY)


@lru_cache(maxsize=1 << 16)
def _season_hour(clock: SeasonClock, hour: int) -> int:
    """Return the hour of the season of an hour since the epoch."""
    start = hour * HOUR_MILLIS
    if clock.timezone != UTC:
        moment = datetime(1970, 1, 1, tzinfo=UTC_ZONE) + timedelta(milliseconds=start)
        offset = moment.astimezone(ZoneInfo(clock.timezone)).utcoffset()
        assert offset is not None
        start += round(offset.total_seconds() * 1000)
    return start // HOUR_MILLIS % clock.season.hours
