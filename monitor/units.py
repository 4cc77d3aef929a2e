"""Units of time, durations as people write them (`90s`, `10m`, `24h`), and which unit a number of event time is in."""

import re
from datetime import timedelta
from typing import NamedTuple

MINUTE_MILLIS = 60_000
HOUR_MILLIS = 60 * MINUTE_MILLIS
DAY_MILLIS = 24 * HOUR_MILLIS
WEEK_MILLIS = 7 * DAY_MILLIS
HOUR_MINUTES = 60
DAY_MINUTES = 1440

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"^(\d+)\s*([smhd])$")

EARLIEST_MILLIS = 100_000_000_000  # 1973-03-03T09:46:40Z
LATEST_MILLIS = 253_402_300_799_999  # the year 9999 ends

_UNITS_OF_NUMBERS = (  # name, first value, milliseconds in one unit as numerator and denominator
    ("nanoseconds", 10**17, 1, 1_000_000),
    ("microseconds", LATEST_MILLIS + 1, 1, 1000),
    ("milliseconds", EARLIEST_MILLIS, 1, 1),
    ("seconds", 10**8, 1000, 1),
)
_BEYOND = 10**20


def parse_duration(value: object) -> timedelta:
    """Return the duration that *value* spells.

    Raises:
        ValueError: Not a whole number followed by s, m, h or d.
    """
    if isinstance(value, timedelta):
        return value
    match = _PATTERN.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a duration like 90s, 10m, 24h or 7d, found {value!r}")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def duration_text(value: timedelta) -> str:
    """Return the shortest spelling that `parse_duration` reads back to the same duration."""
    seconds = int(value.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def minutes(value: timedelta) -> int:
    """Return whole minutes."""
    return int(value.total_seconds()) // 60


def millis(value: timedelta) -> int:
    """Return milliseconds."""
    return int(value.total_seconds() * 1000)


class TimeReading(NamedTuple):
    """The unit that a number reads as, and the time it then is in epoch milliseconds."""

    unit: str
    millis: int


def reading(value: int) -> TimeReading | None:
    """Return what *value* reads as; None: no unit fits."""
    if value >= _BEYOND:
        return None
    for name, first, numerator, denominator in _UNITS_OF_NUMBERS:
        if value >= first:
            return TimeReading(name, value * numerator // denominator)
    return None
