"""The rules of single fields, each refusal a sentence that names field, expected and found."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from consumers.decode.decoded import INVALID, INVALID_NUMBER
from consumers.decode.packed_times import packed_millis
from monitor.errors import InvalidMessage
from monitor.types import DeadLetterReason

LONGEST_NAME = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LATEST = 253_402_300_799_999  # the year 9999 ends
_SURROGATE = re.compile("[\ud800-\udfff]")

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)] | Annotated[int, msgspec.Meta(ge=-_LATEST, le=_LATEST)]
Scalar = str | int | float | bool | None


def shown(value: object) -> str:
    """Return *value* for a sentence, cut to eighty characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def malformed(field: str, expected: str, found: object) -> InvalidMessage:
    """Return the refusal of *field*."""
    return InvalidMessage(DeadLetterReason.MALFORMED.value, f"{field}: expected {expected}, found {shown(found)}")


def text_problem(text: str) -> bool:
    """Return whether *text* is not a name of 1 to 200 bytes that Postgres can hold."""
    if not text or "\x00" in text or _SURROGATE.search(text):
        return True
    return len(text) > LONGEST_NAME // 4 and len(text.encode()) > LONGEST_NAME


def all_millis(moments: Sequence[datetime | int]) -> npt.NDArray[np.int64]:
    """Return `millis_of` of each."""
    packed = packed_millis(moments)
    return packed if packed is not None else np.fromiter(map(millis_of, moments), np.int64, len(moments))


def name_field(document: dict[str, Any], field: str) -> str:
    """Return a required name.

    Raises:
        InvalidMessage: Missing, not a string, or not 1 to 200 bytes.
    """
    found = document.get(field)
    if not isinstance(found, str) or text_problem(found):
        raise malformed(field, "a string of 1 to 200 bytes", found)
    return found


def millis_of(moment: datetime | int) -> int:
    """Return epoch milliseconds."""
    return moment if isinstance(moment, int) else (moment - _EPOCH) // _MILLISECOND


def time_field(document: dict[str, Any], field: str = "timestamp") -> int:
    """Return a required time in epoch milliseconds.

    Raises:
        InvalidMessage: Missing, naive, or no time at all.
    """
    found = document.get(field)
    try:
        return millis_of(msgspec.convert(found, Timestamp))
    except (msgspec.ValidationError, OverflowError) as error:
        raise malformed(field, "RFC 3339 with a zone, or whole epoch milliseconds", found) from error


def number(found: object) -> float | None:
    """Return a numeric column's value: None is missing, `INVALID_NUMBER` whatever is no finite number."""
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return INVALID_NUMBER
    try:
        value = float(found)
    except OverflowError:
        return INVALID_NUMBER
    return value if math.isfinite(value) else INVALID_NUMBER


def scalar(found: object) -> object:
    """Return a categorical column's value: None is missing, `INVALID` whatever is no scalar or not finite."""
    if found is None or isinstance(found, str | bool | int):
        return found
    if isinstance(found, float) and math.isfinite(found):
        return found
    return INVALID
