"""Prediction events in JSON: whole batches straight into the model's typed structs, one by one what they refuse."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from consumers.decode.columns import DecodedPredictions, Predictions, Refusal, joined, later, refusal_of
from consumers.decode.event_struct import PLAIN_FIELDS, event_fields, event_shape, readable, wrong_names
from consumers.decode.fields import LONGEST_NAME, shown
from consumers.decode.lenient import slow_event
from consumers.decode.routing import Body, Directory, json_object
from consumers.decode.to_columns import predictions_of, whole_predictions
from monitor.errors import InvalidMessage
from monitor.store.configuration import AppliedModel, Configuration
from monitor.types import DEFAULT_NAMESPACE, DeadLetterReason

CHUNK = 1000  # events whose structs stay in the processor's cache until they are columns
EXTRAS_CAP = 200  # unknown names that the fast reading learns; events with others are read slowly
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class _Read(NamedTuple):
    """Events, and the indices of those that are None."""

    events: list[Any]
    refused: list[int]


class _Kept(NamedTuple):
    """Events that are well-formed so far, their rows in the batch, and by index how many names the spec lacks."""

    rows: Sequence[int]
    events: list[Any]
    extra: dict[int, int]

    def without(self, bad: Collection[int]) -> "_Kept":
        """Return those whose index is not among *bad*."""
        if not bad:
            return self
        stays = [index for index in range(len(self.events)) if index not in bad]
        extra = {new: self.extra[old] for new, old in enumerate(stays) if old in self.extra}
        return _Kept([self.rows[index] for index in stays], [self.events[index] for index in stays], extra)


class _ModelDecoder:
    """Reads the events of one model; learns the unknown names and the kind of prediction that its producers send."""

    def __init__(self, model: AppliedModel) -> None:
        self.model = model
        self._learn((), plain=True)

    def _learn(self, extras: tuple[str, ...], *, plain: bool) -> None:
        self.shape = event_shape(self.model, extras, plain=plain)
        self._read: Callable[[bytes], Any] = msgspec.json.Decoder(self.shape.event_type).decode
        self._next = (extras, plain)

    def read(self, bodies: Sequence[bytes]) -> _Read:
        """Return one event per body, None for each that the fast reading refuses."""
        found = _Read([], [])
        left = iter(bodies)
        while True:
            try:
                found.events.extend(map(self._read, left))  # keeps what came before an error
                return found
            except _UNREADABLE:
                found.refused.append(len(found.events))
                found.events.append(None)

    def read_slowly(self, document: dict[str, Any]) -> tuple[Any, int]:
        """Return one event and its number of unknown names; see `slow_event`."""
        event, extra = slow_event(document, self.shape, self.model.spec)
        extras, plain = self._next
        if extra and len(self.shape.extras) < EXTRAS_CAP and isinstance(document["features"], dict):
            known = {*self.shape.features, *self.shape.extras}
            new = [
                name
                for name in document["features"]
                if name not in known and readable(name) and len(name) <= LONGEST_NAME
            ]
            extras = (*self.shape.extras, *new)[:EXTRAS_CAP]
        prediction = document["prediction"]
        plain = plain and isinstance(prediction, dict) and prediction.keys() <= PLAIN_FIELDS
        self._next = (extras, plain)
        return event, extra

    def learn(self) -> None:
        """Take what was met into the fast reading, from the next batch on."""
        if self._next != (self.shape.extras, self.shape.plain):
            extras, plain = self._next
            self._learn(extras, plain=plain)


class _Group(NamedTuple):
    """Records of one model: their rows in the batch, rising, and what the fast reading found in them."""

    decoder: _ModelDecoder
    rows: Sequence[int]
    found: _Read


class PredictionDecoder:
    """Decodes batches of the predictions' topics under one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._directory = Directory(configuration)
        self._models = {model.model_id: model for model in self._directory.models}
        self._decoders: dict[int, _ModelDecoder] = {}  # made at a model's first record: most may never have one here
        self._guess = self._decoder(next(iter(self._models))) if self._models else None
        self._mixed = False

    def decode(self, bodies: Sequence[bytes], namespaces: Sequence[str] | None = None) -> DecodedPredictions:
        """Return what *bodies* hold; *namespaces*: each one's header, None where no record has one."""
        models: dict[int, list[Predictions]] = {}
        refused: list[Refusal] = []
        for start in range(0, len(bodies), CHUNK):
            part = slice(start, start + CHUNK)
            found, not_read = self._chunk(bodies[part], namespaces[part] if namespaces else None)
            for value in found:
                models.setdefault(value.model.model_id, []).append(value if not start else later(value, start))
            refused += [replace(refusal, index=refusal.index + start) for refusal in not_read]
        return DecodedPredictions(models=tuple(map(joined, models.values())), refused=tuple(refused))

    def _chunk(
        self, bodies: Sequence[bytes], namespaces: Sequence[str] | None
    ) -> tuple[list[Predictions], list[Refusal]]:
        refused: list[Refusal] = []
        groups = self._one_model(bodies) if namespaces is None and not self._mixed else None
        if groups is None:
            groups = self._by_model(bodies, namespaces or [""] * len(bodies), refused)
        models = [
            decoded for group in groups if (decoded := self._columns(group, bodies, namespaces, refused)) is not None
        ]
        self._mixed = len(groups) > 1
        for group in groups:
            group.decoder.learn()
            self._guess = group.decoder
        return models, sorted(refused, key=lambda refusal: refusal.index)

    def _one_model(self, bodies: Sequence[bytes]) -> list[_Group] | None:
        # The common case: the batch is of the model that the last one was of, and nothing but that.
        if self._guess is None:
            return None
        found = self._guess.read(bodies)
        if found.refused and len(self._models) > 1:
            return None  # a refused one may be another model's
        namespace = self._guess.model.key.namespace
        if namespace != DEFAULT_NAMESPACE and {event.namespace for event in found.events if event} != {namespace}:
            return None
        return [_Group(self._guess, range(len(bodies)), found)]

    def _by_model(self, bodies: Sequence[bytes], namespaces: Sequence[str], refused: list[Refusal]) -> list[_Group]:
        rows: dict[int, list[int]] = {}
        for index, (content, namespace) in enumerate(zip(bodies, namespaces, strict=True)):
            try:
                model = self._directory.of_body(Body(content=content, namespace=namespace))
            except InvalidMessage as error:
                refused.append(refusal_of(index, error))
            else:
                rows.setdefault(model.model_id, []).append(index)
        return [
            _Group(decoder := self._decoder(model_id), of_model, decoder.read([bodies[row] for row in of_model]))
            for model_id, of_model in rows.items()
        ]

    def _decoder(self, model_id: int) -> _ModelDecoder:
        if model_id not in self._decoders:
            self._decoders[model_id] = _ModelDecoder(self._models[model_id])
        return self._decoders[model_id]

    def _columns(
        self, group: _Group, bodies: Sequence[bytes], namespaces: Sequence[str] | None, refused: list[Refusal]
    ) -> Predictions | None:
        decoder = group.decoder
        kept = self._read_patiently(group, bodies, namespaces, refused)
        if not kept.events:
            return None
        fields = event_fields(kept.events)
        if names := dict(wrong_names(fields)):
            refused += [_against(decoder.model, kept.rows[index], problem) for index, problem in names.items()]
            kept = kept.without(names)
            if not kept.events:
                return None
            fields = event_fields(kept.events)
        parts: Sequence[Any] = fields.predictions
        if not decoder.shape.plain:
            parts, unusable = whole_predictions(parts, decoder.model)
            if unusable:
                refused += [_against(decoder.model, kept.rows[index], cause) for index, cause in unusable.items()]
                parts = [part for index, part in enumerate(parts) if index not in unusable]
                kept = kept.without(unusable)
                if not kept.events:
                    return None
                fields = event_fields(kept.events)
        rows = np.array(kept.rows, dtype=np.intp)
        return predictions_of(decoder.model, decoder.shape, kept.events, fields, parts, rows, kept.extra)

    def _read_patiently(
        self, group: _Group, bodies: Sequence[bytes], namespaces: Sequence[str] | None, refused: list[Refusal]
    ) -> _Kept:
        """Return the events of *group*, those that the fast reading refused read again or refused for good."""
        kept = _Kept(group.rows, group.found.events, {})
        bad: set[int] = set()
        for index in group.found.refused:
            row = group.rows[index]
            try:
                document = json_object(bodies[row])
                self._directory.of_document(document, namespaces[row] if namespaces else "")
            except InvalidMessage as error:  # it does not say whose it is, or is another's: nobody's fault here
                refused.append(refusal_of(row, error))
                bad.add(index)
                continue
            try:
                kept.events[index], count = group.decoder.read_slowly(document)
                if count:
                    kept.extra[index] = count
            except InvalidMessage as error:
                refused.append(_against(group.decoder.model, row, error))
                bad.add(index)
        return kept.without(bad)


def _against(model: AppliedModel, index: int, cause: Exception) -> Refusal:
    """Return the refusal of a record of *model*, which speaks against it."""
    if isinstance(cause, InvalidMessage):
        return replace(refusal_of(index, cause), model=model.key, model_id=model.model_id)
    return Refusal(
        index=index,
        reason=DeadLetterReason.MALFORMED,
        sentence=f"prediction: expected JSON, found {shown(str(cause))}",
        model=model.key,
        model_id=model.model_id,
    )
