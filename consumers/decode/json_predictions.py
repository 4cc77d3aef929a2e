"""Prediction events in JSON: whole batches straight into the model's typed structs, one by one what they refuse."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from consumers.decode.decoded import DecodedPredictions, Predictions, Refusal
from consumers.decode.fields import LONGEST_NAME, malformed, shown, text_problem
from consumers.decode.joining import joined, later
from consumers.decode.model_struct import event_shape, readable
from consumers.decode.plain_json import json_object
from consumers.decode.routing import DEFAULT_NAMESPACE, Body, Directory
from consumers.decode.slow_prediction import slow_event
from consumers.decode.to_columns import predictions_of, whole_predictions
from monitor.errors import InvalidMessage
from monitor.store.configuration import AppliedModel, Configuration
from monitor.types import DeadLetterReason

CHUNK = 1000  # events whose structs stay in the processor's cache until they are columns
EXTRAS_CAP = 200  # unknown names that the fast reading learns; events with others are read slowly
_MODEL, _NAMESPACE, _VERSION = attrgetter("model"), attrgetter("namespace"), attrgetter("version")
_ID = attrgetter("prediction_id")
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


class _ModelDecoder:
    """Reads the events of one model; learns the unknown names that its producers send."""

    def __init__(self, model: AppliedModel) -> None:
        self.model = model
        self._learn(())

    def _learn(self, extras: tuple[str, ...]) -> None:
        self.shape = event_shape(self.model, extras)
        self._read: Callable[[bytes], Any] = msgspec.json.Decoder(self.shape.event_type).decode

    def read(self, bodies: Sequence[bytes]) -> list[Any]:
        """Return one event per body, None for each that the fast reading refuses."""
        events: list[Any] = []
        left = iter(bodies)
        while True:
            try:
                events.extend(map(self._read, left))  # keeps what came before an error
                return events
            except _UNREADABLE:
                events.append(None)

    def read_slowly(self, document: dict[str, Any]) -> tuple[Any, int]:
        """Return one event and its number of unknown names; see `slow_event`."""
        event, extra = slow_event(document, self.shape, self.model.spec)
        if extra and len(self.shape.extras) < EXTRAS_CAP and isinstance(document["features"], dict):
            known = {*self.shape.features, *self.shape.extras}
            new = [name for name in document["features"] if name not in known and readable(name)]
            self.new_extras = (*self.shape.extras, *new)[:EXTRAS_CAP]
        return event, extra

    new_extras: tuple[str, ...] | None = None

    def learn(self) -> None:
        """Take the new names into the fast reading, from the next batch on."""
        if self.new_extras is not None:
            self._learn(self.new_extras)
            self.new_extras = None


class PredictionDecoder:
    """Decodes batches of the predictions' topics under one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._directory = Directory(configuration)
        self._decoders = {each.model_id: _ModelDecoder(each) for each in self._directory.models}
        self._guess = next(iter(self._decoders.values()), None)
        self._mixed = False

    def decode(self, bodies: Sequence[bytes], namespaces: Sequence[str] | None = None) -> DecodedPredictions:
        """Return what *bodies* hold; *namespaces*: each one's header, None where no record has one."""
        models: dict[int, list[Predictions]] = {}
        refused: list[Refusal] = []
        for start in range(0, len(bodies), CHUNK):
            part = slice(start, start + CHUNK)
            found, not_read = self._chunk(bodies[part], namespaces[part] if namespaces else None)
            for each in found:
                models.setdefault(each.model.model_id, []).append(each if not start else later(each, start))
            refused += [replace(each, index=each.index + start) for each in not_read]
        return DecodedPredictions(models=tuple(map(joined, models.values())), refused=tuple(refused))

    def _chunk(
        self, bodies: Sequence[bytes], namespaces: Sequence[str] | None
    ) -> tuple[list[Predictions], list[Refusal]]:
        refused: list[Refusal] = []
        groups = self._one_model(bodies) if namespaces is None and not self._mixed else None
        if groups is None:
            groups = self._by_model(bodies, namespaces or [""] * len(bodies), refused)
        models = [
            decoded
            for decoder, rows, events in groups
            if (decoded := _columns(decoder, rows, events, bodies, namespaces, self._directory, refused)) is not None
        ]
        self._mixed = len(groups) > 1
        for decoder, _, _ in groups:
            decoder.learn()
            self._guess = decoder
        return models, sorted(refused, key=lambda each: each.index)

    def _one_model(self, bodies: Sequence[bytes]) -> list[tuple[_ModelDecoder, list[int], list[Any]]] | None:
        # The common case: the batch is of the model that the last one was of, and nothing but that.
        if self._guess is None:
            return None
        events = self._guess.read(bodies)
        key = self._guess.model.key
        good = [each for each in events if each is not None]
        if set(map(_MODEL, good)) != {key.name}:
            return None
        if {each or DEFAULT_NAMESPACE for each in set(map(_NAMESPACE, good))} != {key.namespace}:
            return None
        if len(good) < len(events) and len(self._decoders) > 1:
            return None  # a refused one may be another model's
        return [(self._guess, list(range(len(bodies))), events)]

    def _by_model(
        self, bodies: Sequence[bytes], namespaces: Sequence[str], refused: list[Refusal]
    ) -> list[tuple[_ModelDecoder, list[int], list[Any]]]:
        rows: dict[int, list[int]] = {}
        for index, (content, namespace) in enumerate(zip(bodies, namespaces, strict=True)):
            try:
                model = self._directory.of_body(Body(content=content, namespace=namespace))
            except InvalidMessage as error:
                refused.append(_refusal(index, error))
            else:
                rows.setdefault(model.model_id, []).append(index)
        return [
            (self._decoders[model_id], of_model, self._decoders[model_id].read([bodies[row] for row in of_model]))
            for model_id, of_model in rows.items()
        ]


def _columns(
    decoder: _ModelDecoder,
    rows: list[int],
    events: list[Any],
    bodies: Sequence[bytes],
    namespaces: Sequence[str] | None,
    directory: Directory,
    refused: list[Refusal],
) -> Predictions | None:
    extra: dict[int, int] = {}
    bad: set[int] = set()
    for index, event in enumerate(events):
        if event is not None:
            continue
        try:
            document = json_object(bodies[rows[index]])
            directory.of_document(document, namespaces[rows[index]] if namespaces else "")
            events[index], count = decoder.read_slowly(document)
            if count:
                extra[index] = count
        except InvalidMessage as error:
            refused.append(_refusal(rows[index], error))
            bad.add(index)
    _refuse_names(rows, events, bad, refused)
    raw = [each.prediction if each is not None else None for each in events]
    parts, unusable = whole_predictions(raw, decoder.model) if not bad else _whole_but(raw, bad, decoder.model)
    for index, cause in unusable.items():
        if index not in bad:
            refused.append(_prediction_refusal(rows[index], cause))
            bad.add(index)
    if bad:
        kept = [index for index in range(len(events)) if index not in bad]
        extra = {new: extra[old] for new, old in enumerate(kept) if old in extra}
        events, parts, rows = [events[i] for i in kept], [parts[i] for i in kept], [rows[i] for i in kept]
    if not events:
        return None
    return predictions_of(decoder.model, decoder.shape, events, parts, np.array(rows, dtype=np.intp), extra)


def _whole_but(raw: list[Any], bad: set[int], model: AppliedModel) -> tuple[list[Any], dict[int, Exception]]:
    kept = [index for index in range(len(raw)) if index not in bad]
    parts, unusable = whole_predictions([raw[index] for index in kept], model)
    whole: list[Any] = [None] * len(raw)
    for index, part in zip(kept, parts, strict=True):
        whole[index] = part
    return whole, {kept[index]: cause for index, cause in unusable.items()}


def _refuse_names(rows: list[int], events: list[Any], bad: set[int], refused: list[Refusal]) -> None:
    """Refuse ids and versions that are longer than 200 bytes or that Postgres cannot hold."""
    good = [each for each in events if each is not None]
    bad_versions = {each for each in set(map(_VERSION, good)) if text_problem(each)}
    long = max(map(len, map(_ID, good)), default=0) > LONGEST_NAME // 4  # four bytes are the longest character
    if not bad_versions and not long:
        return
    for index, event in enumerate(events):
        if event is None:
            continue
        for field in ("prediction_id", "version"):
            found = getattr(event, field)
            problem = found in bad_versions if field == "version" else len(found.encode()) > LONGEST_NAME
            if problem:
                refused.append(_refusal(rows[index], malformed(field, "a string of 1 to 200 bytes", found)))
                bad.add(index)
                break


def _refusal(index: int, error: InvalidMessage) -> Refusal:
    return Refusal(index=index, reason=DeadLetterReason(error.reason), sentence=error.sentence)


def _prediction_refusal(index: int, cause: Exception) -> Refusal:
    if isinstance(cause, InvalidMessage):
        return _refusal(index, cause)
    return Refusal(
        index=index, reason=DeadLetterReason.MALFORMED, sentence=f"prediction: expected JSON, found {shown(str(cause))}"
    )
