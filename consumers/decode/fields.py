"""Rules of single fields (names, numbers, categories); a refusal is a sentence of field, expected and found."""

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


def malformed(field: str, expected: str, value: object, more: str = "") -> InvalidMessage:
    """Return the refusal of *value* as *field*; *more* ends the sentence."""
    return InvalidMessage(DeadLetterReason.MALFORMED.value, f"{field}: expected {expected}, found {shown(value)}{more}")


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
    name = document.get(field)
    if not isinstance(name, str) or text_problem(name):
        raise malformed(field, "a string of 1 to 200 bytes", name)
    return name


def number(value: object) -> float | None:
    """Return a numeric column's value: None is missing, `INVALID_NUMBER` whatever is no finite number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return INVALID_NUMBER
    try:
        converted = float(value)
    except OverflowError:
        return INVALID_NUMBER
    return converted if math.isfinite(converted) else INVALID_NUMBER


def scalar(value: object) -> object:
    """Return a categorical column's value: None is missing, `INVALID` whatever is no scalar or not finite."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return INVALID
