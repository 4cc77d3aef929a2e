"""Durations as people write them: `90s`, `10m`, `24h`, `7d`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PATTERN = re.compile(r"^(\d+)\s*([smhd])$")


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


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*[smhd]$", "examples": ["10m", "24h", "7d"]}),
]


def minutes(value: timedelta) -> int:
    """Return whole minutes."""
    return int(value.total_seconds()) // 60


def millis(value: timedelta) -> int:
    """Return milliseconds."""
    return int(value.total_seconds() * 1000)
