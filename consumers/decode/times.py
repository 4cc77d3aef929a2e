"""Event times: RFC 3339 with a zone or epoch milliseconds; a number in another unit is refused with the unit's name."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import numpy as np

from consumers.decode.fields import malformed
from consumers.decode.msgpack_arrays import packed_millis
from monitor.arrays import Int64s
from monitor.clock import iso_utc
from monitor.errors import InvalidMessage
from monitor.units import EARLIEST_MILLIS, LATEST_MILLIS, reading

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LONGEST_NUMBER = 30  # digits of a text that is tried as a number

# The bounds cost the fast reading nothing: what is outside comes to `time_field`, which names the unit.
Timestamp = (
    Annotated[datetime, msgspec.Meta(tz=True)] | Annotated[int, msgspec.Meta(ge=EARLIEST_MILLIS, le=LATEST_MILLIS)]
)


def all_millis(moments: Sequence[datetime | int]) -> Int64s:
    """Return `millis_of` of every one of *moments*."""
    packed = packed_millis(moments)
    return packed if packed is not None else np.fromiter(map(millis_of, moments), np.int64, len(moments))


def millis_of(moment: datetime | int) -> int:
    """Return epoch milliseconds."""
    return moment if isinstance(moment, int) else (moment - _EPOCH) // _MILLISECOND


def time_field(document: dict[str, Any], field: str = "timestamp") -> int:
    """Return a required time in epoch milliseconds.

    Raises:
        InvalidMessage: Missing, naive, no time at all, or a number in another unit.
    """
    moment = document.get(field)
    try:
        return millis_of(msgspec.convert(moment, Timestamp))
    except (msgspec.ValidationError, OverflowError) as error:
        raise malformed(field, "RFC 3339 with a zone, or whole epoch milliseconds", moment, _unit(moment)) from error


def before_calendar(field: str, millis: int) -> InvalidMessage:
    """Return the refusal of a time before 1973; most are epoch seconds that were read as milliseconds."""
    return malformed(field, "a time since 1973-03-03", iso_utc(millis), f" ({millis} ms{_unit(millis)})")


def _unit(value: object) -> str:
    """Return the end of a sentence that names what *value* reads as; empty when it reads as nothing."""
    number = _whole_number(value)
    read = None if number is None else reading(number)
    if read is None:
        return ""
    quotes = " in quotes" if isinstance(value, str) else ""
    return f", which reads as epoch {read.unit}{quotes} ({iso_utc(read.millis)})"


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and (len(value) > _LONGEST_NUMBER or not value.isascii()):
        return None
    try:
        return int(value) if isinstance(value, str) and value.strip().lstrip("+-").isdigit() else _floor(float(value))
    except ValueError:
        return None


def _floor(number: float) -> int | None:
    return math.floor(number) if math.isfinite(number) else None
