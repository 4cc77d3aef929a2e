"""What a receiver is sent: an HTTP request or a mail; made by pure functions, sent by `alerting.delivery`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

JSON_HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request; secrets are left out where it is shown."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(repr=False, default_factory=lambda: JSON_HEADERS)
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail: *content* is the whole message with its headers, lines ended by CR LF."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


def json_request(url: str, content: Any, *, headers: Mapping[str, str] | None = None) -> HttpRequest:
    """Return a POST of *content* as JSON."""
    return HttpRequest(url=url, body=msgspec.json.encode(content), headers={**JSON_HEADERS, **(headers or {})})
