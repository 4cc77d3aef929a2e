"""The rules of single fields, each refusal a sentence that names field, expected and found."""

import math
import re
from typing import Any

from consumers.decode.columns import INVALID, INVALID_NUMBER
from monitor.errors import InvalidMessage
from monitor.types import DeadLetterReason

LONGEST_NAME = 200
_SURROGATE = re.compile("[\ud800-\udfff]")

Scalar = str | int | float | bool | None


def shown(value: object) -> str:
    """Return *value* for a sentence, cut to eighty characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def malformed(field: str, expected: str, found: object, more: str = "") -> InvalidMessage:
    """Return the refusal of *field*; *more* ends the sentence."""
    return InvalidMessage(DeadLetterReason.MALFORMED.value, f"{field}: expected {expected}, found {shown(found)}{more}")


def text_problem(text: str) -> bool:
    """Return whether *text* is not a name of 1 to 200 bytes that Postgres can hold."""
    if not text or "\x00" in text or _SURROGATE.search(text):
        return True
    return len(text) > LONGEST_NAME // 4 and len(text.encode()) > LONGEST_NAME


def name_field(document: dict[str, Any], field: str) -> str:
    """Return a required name.

    Raises:
        InvalidMessage: Missing, not a string, or not 1 to 200 bytes.
    """
    found = document.get(field)
    if not isinstance(found, str) or text_problem(found):
        raise malformed(field, "a string of 1 to 200 bytes", found)
    return found


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
