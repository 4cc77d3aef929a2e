"""The hour of the season goes by the clock on the wall, also when that is put forward or back."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.season_clock import SeasonClock
from monitor.types import Season
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS

BERLIN = SeasonClock(Season.HOUR_OF_DAY, "Europe/Berlin")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("clock", "moment", "hour"),
    [
        (SeasonClock(Season.HOUR_OF_DAY), "2026-07-01T08:59", 8),
        (BERLIN, "2026-01-15T07:00", 8),
        (BERLIN, "2026-07-15T06:00", 8),
        (BERLIN, "2026-03-29T00:59", 1),
        (BERLIN, "2026-03-29T01:00", 3),  # 2 o'clock does not exist on this day
        (BERLIN, "2026-10-25T00:30", 2),
        (BERLIN, "2026-10-25T01:30", 2),  # and exists twice on this one
        (SeasonClock(Season.HOUR_OF_DAY, "America/New_York"), "2026-07-15T03:00", 23),
        (SeasonClock(Season.HOUR_OF_DAY, "Asia/Kolkata"), "2026-07-15T00:59", 5),  # 5:30 to 6:30, as one hour
        (SeasonClock(Season.HOUR_OF_WEEK), "2026-07-16T05:00", 5),  # a Thursday, as the epoch's first day
        (SeasonClock(Season.HOUR_OF_WEEK, "America/New_York"), "2026-07-16T03:00", 167),
    ],
)
def test_the_hour_is_the_one_of_the_place(clock: SeasonClock, moment: str, hour: int) -> None:
    """Hours are those that people there see on the clock."""
    assert clock.hour(_at(moment)) == hour


@given(
    times=st.lists(st.integers(_at("1975-01-01T00:00"), _at("2100-01-01T00:00")), min_size=1, max_size=30),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns"]),
    season=st.sampled_from(Season),
)
def test_many_moments_are_as_each_one(times: list[int], zone: str, season: Season) -> None:
    """The array form agrees with the single one, and an hour of UTC is never cut: spans inside it are counted alike."""
    clock = SeasonClock(season, zone)
    assert clock.hours(np.array(times)).tolist() == [clock.hour(time) for time in times]
    for time in times:
        start = time // HOUR_MILLIS * HOUR_MILLIS
        assert {clock.hour(start), clock.hour(start + 30 * MINUTE_MILLIS)} == {clock.hour(time)}
        assert 0 <= clock.hour(time) < season.hours
