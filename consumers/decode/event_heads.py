"""Whose prediction an event is and when it was made, read without the rest of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from consumers.decode.fields import malformed, name_field, text_problem
from consumers.decode.routing import json_object
from consumers.decode.times import Timestamp, before_calendar, millis_of, time_field
from monitor.errors import InvalidMessage
from monitor.types import DEFAULT_NAMESPACE, ModelKey
from monitor.units import EARLIEST_MILLIS


@dataclass(frozen=True, slots=True)
class EventHead:
    """Identity and event time (ms) of one prediction."""

    model: ModelKey
    version: str
    prediction_id: str
    at: int


class _Head(msgspec.Struct, gc=False):
    model: str
    version: str
    prediction_id: str
    timestamp: Timestamp
    namespace: str = ""


_HEAD = msgspec.json.Decoder(_Head)


def event_heads(bodies: Sequence[bytes], namespaces: Sequence[str] | None) -> list[EventHead | str]:
    """Return the head of each body; for one that is no prediction event the sentence that says why.

    Args:
        namespaces: What each record's header names, as in decoding; None where no record has one.
    """
    return [_head(body, namespaces[index] if namespaces is not None else "") for index, body in enumerate(bodies)]


def _head(body: bytes, header_namespace: str) -> EventHead | str:
    try:
        found = _HEAD.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _slow_head(body, header_namespace)
    if text_problem(found.version) or text_problem(found.prediction_id):
        return _slow_head(body, header_namespace)
    key = ModelKey(found.namespace or header_namespace or DEFAULT_NAMESPACE, found.model)
    at = millis_of(found.timestamp)
    if at < EARLIEST_MILLIS:
        return before_calendar("timestamp", at).sentence
    return EventHead(key, found.version, found.prediction_id, at)


def _slow_head(body: bytes, header_namespace: str) -> EventHead | str:
    try:
        document = json_object(body)
        model, namespace = document.get("model"), document.get("namespace")
        if not isinstance(model, str):
            raise malformed("model", "a string", model)
        if namespace is not None and not isinstance(namespace, str):
            raise malformed("namespace", "a string", namespace)
        return EventHead(
            ModelKey(namespace or header_namespace or DEFAULT_NAMESPACE, model),
            name_field(document, "version"),
            name_field(document, "prediction_id"),
            time_field(document),
        )
    except InvalidMessage as error:
        return error.sentence
