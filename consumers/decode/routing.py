"""Finds the applied model that an event names; lenient JSON parsing, with bare NaN and Infinity."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from consumers.decode.fields import LONGEST_NAME, malformed, shown, text_problem
from monitor.errors import InvalidMessage
from monitor.store.configuration import AppliedModel, Configuration
from monitor.types import DEFAULT_NAMESPACE, DeadLetterReason, ModelKey

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises for a body that is not as its type says; it is read as Python reads it then."""


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


class _Address(msgspec.Struct, gc=False):
    model: str
    namespace: str = ""


_ADDRESS = msgspec.json.Decoder(_Address)


def named_model(document: dict[str, Any]) -> tuple[str, str]:
    """Return the fields `model` and `namespace` (empty: none) of a parsed event.

    Raises:
        InvalidMessage: One of them is not a string.
    """
    model, namespace = document.get("model"), document.get("namespace")
    if not isinstance(model, str):
        raise malformed("model", "a string", model)
    if namespace is not None and not isinstance(namespace, str):
        raise malformed("namespace", "a string", namespace)
    return model, namespace or ""


class ModelDirectory:
    """The applied models by name."""

    def __init__(self, configuration: Configuration) -> None:
        self._models: Mapping[ModelKey, AppliedModel] = {model.key: model for model in configuration.models}
        self._unreadable = {unreadable.key: unreadable.problem for unreadable in configuration.unreadable}
        self._known = ", ".join(map(str, sorted(self._models)[:10])) or "none"

    @property
    def models(self) -> Sequence[AppliedModel]:
        return tuple(self._models.values())

    def find(self, model: str, namespace: str) -> AppliedModel:
        """Return the model of that name.

        Raises:
            InvalidMessage: No such model was applied, its spec cannot be read, or that is no name.
        """
        key = ModelKey(namespace or DEFAULT_NAMESPACE, model)
        applied = self._models.get(key)
        if applied is not None:
            return applied
        for field, name in (("namespace", key.namespace), ("model", key.name)):
            if text_problem(name):
                raise malformed(field, f"a string of 1 to {LONGEST_NAME} bytes", name)
        if key in self._unreadable:
            raise InvalidMessage(DeadLetterReason.SPEC_UNREADABLE.value, f"model: {self._unreadable[key]}", model=key)
        asked = f"{namespace}/{model}" if namespace else model
        sentence = f"model: expected an applied model ({self._known}), found {shown(asked)}"
        raise InvalidMessage(DeadLetterReason.UNKNOWN_MODEL.value, sentence, model=key)

    def of_document(self, document: dict[str, Any], header_namespace: str) -> AppliedModel:
        """Return the model that a parsed *document* names; see `find`."""
        model, namespace = named_model(document)
        return self.find(model, namespace or header_namespace)

    def of_body(self, body: bytes, header_namespace: str) -> AppliedModel:
        """Return the model that an unparsed *body* names; see `find`."""
        try:
            address = _ADDRESS.decode(body)
        except UNREADABLE:
            return self.of_document(json_object(body), header_namespace)
        return self.find(address.model, address.namespace or header_namespace)
