"""Whose prediction an event is and when it was made, read without the rest of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from consumers.decode.fields import name_field, text_problem
from consumers.decode.routing import UNREADABLE, json_object, named_model
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
        head = _HEAD.decode(body)
    except UNREADABLE:
        return _slow_head(body, header_namespace)
    if text_problem(head.version) or text_problem(head.prediction_id):
        return _slow_head(body, header_namespace)
    key = ModelKey(head.namespace or header_namespace or DEFAULT_NAMESPACE, head.model)
    at = millis_of(head.timestamp)
    if at < EARLIEST_MILLIS:
        return before_calendar("timestamp", at).sentence
    return EventHead(key, head.version, head.prediction_id, at)


def _slow_head(body: bytes, header_namespace: str) -> EventHead | str:
    try:
        document = json_object(body)
        model, namespace = named_model(document)
        return EventHead(
            ModelKey(namespace or header_namespace or DEFAULT_NAMESPACE, model),
            name_field(document, "version"),
            name_field(document, "prediction_id"),
            time_field(document),
        )
    except InvalidMessage as error:
        return error.sentence
