"""Which unit a whole number of event time is in: milliseconds are told from seconds, micro- and nanoseconds by size.

Milliseconds since 1970 have 12 to 15 digits from 1973 to the year 9999; a number outside is in another unit::

    1e8 ........ 1e11 ........ 1e14 ........ 1e17 ........ 1e20
     | seconds    | milliseconds | microseconds | nanoseconds |       each 1973-03-03 to 5138-11-16

Between 1e14 and the end of the year 9999 milliseconds win: sentinels like 9999-12-31 are no microseconds of 1978.
"""

from typing import NamedTuple

EARLIEST_MILLIS = 100_000_000_000  # 1973-03-03T09:46:40Z
LATEST_MILLIS = 253_402_300_799_999  # the year 9999 ends

_UNITS = (  # name, first value, milliseconds in one unit as numerator and denominator
    ("nanoseconds", 10**17, 1, 1_000_000),
    ("microseconds", LATEST_MILLIS + 1, 1, 1000),
    ("milliseconds", EARLIEST_MILLIS, 1, 1),
    ("seconds", 10**8, 1000, 1),
)
_BEYOND = 10**20


class Reading(NamedTuple):
    """The unit that a number reads as, and the time it then is in epoch milliseconds."""

    unit: str
    millis: int


def reading(value: int) -> Reading | None:
    """Return what *value* reads as; None: no unit fits."""
    if value >= _BEYOND:
        return None
    for name, first, numerator, denominator in _UNITS:
        if value >= first:
            return Reading(name, value * numerator // denominator)
    return None
