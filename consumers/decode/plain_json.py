"""The slow second reading: JSON as Python reads it, bare NaN and Infinity included."""

import json
from typing import Any

from consumers.decode.fields import malformed


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object in *body*.

    Raises:
        InvalidMessage: Not UTF-8, not JSON, not an object, or nested too deeply.
    """
    if not body:
        raise malformed("body", "a JSON object", None)
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise malformed("body", f"a JSON object ({type(error).__name__}: {error})"[:200], body[:60]) from error
    if not isinstance(document, dict):
        raise malformed("body", "a JSON object", document)
    if b"\\u" in body:
        _refuse_lone_surrogates(document, body)
    return document


def _refuse_lone_surrogates(document: dict[str, Any], body: bytes) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise malformed("body", "strings of whole characters (no lone surrogates)", body[:60]) from error
