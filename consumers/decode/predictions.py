"""Prediction events in JSON: bodies to columns by model, and refusals.

A chunk goes straight into its model's typed structs; the events that these refuse are read again, value by value. What
cannot be counted is marked, and removed once, when the rest are columns.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from consumers.decode.columns import Predictions, RecordRefusal, joined, refusal_of
from consumers.decode.event_struct import PLAIN_FIELDS, event_fields, event_shape, readable, wrong_names
from consumers.decode.events_to_columns import predictions_of, whole_predictions
from consumers.decode.fields import LONGEST_NAME
from consumers.decode.lenient import lenient_event
from consumers.decode.routing import UNREADABLE, ModelDirectory, json_object
from monitor.arrays import Indices
from monitor.errors import InvalidMessage
from monitor.store.configuration import AppliedModel, Configuration
from monitor.types import DEFAULT_NAMESPACE

CHUNK = 1000  # events whose structs stay in the processor's cache until they are columns
EXTRAS_CAP = 200  # unknown names that the fast reading learns; events with others are read slowly


class PredictionDecoder:
    """Decodes batches of the predictions' topics under one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._directory = ModelDirectory(configuration)
        self._models = {model.model_id: model for model in self._directory.models}
        self._decoders: dict[int, _ModelDecoder] = {}  # made at a model's first record: most may never have one here
        self._guess = self._decoder(next(iter(self._models))) if self._models else None
        self._mixed = False

    def decode(
        self, bodies: Sequence[bytes], namespaces: Sequence[str] | None = None
    ) -> tuple[list[Predictions], dict[int, RecordRefusal]]:
        """Return the predictions of each model in *bodies*, and by row what was refused.

        Args:
            namespaces: What each record's header names, empty where it names none; None where no record has one.
        """
        parts: dict[int, list[Predictions]] = {}
        refused: dict[int, RecordRefusal] = {}
        for start in range(0, len(bodies), CHUNK):
            rows = range(start, min(start + CHUNK, len(bodies)))
            for group in self._groups(rows, bodies, namespaces, refused):
                predictions = self._columns(group, bodies, namespaces, refused)
                if predictions is not None:
                    parts.setdefault(predictions.model.model_id, []).append(predictions)
        return list(map(joined, parts.values())), refused

    def _groups(
        self, rows: range, bodies: Sequence[bytes], namespaces: Sequence[str] | None, refused: dict[int, RecordRefusal]
    ) -> "list[_Group]":
        """Return the events at *rows* by model, as far as the fast reading reads them."""
        group = self._one_model(rows, bodies) if namespaces is None and not self._mixed else None
        groups = [group] if group is not None else self._by_model(rows, bodies, namespaces, refused)
        self._mixed = len(groups) > 1
        if groups:
            self._guess = groups[-1].decoder
        return groups

    def _one_model(self, rows: range, bodies: Sequence[bytes]) -> "_Group | None":
        # The common case: the chunk is of the model that the last one was of, and nothing but that.
        if self._guess is None:
            return None
        group = self._guess.read(rows, bodies[rows.start : rows.stop])
        if group.unread and len(self._models) > 1:
            return None  # a refused one may be another model's
        namespace = self._guess.model.key.namespace
        if namespace != DEFAULT_NAMESPACE and {event.namespace for event in group.events if event} != {namespace}:
            return None
        return group

    def _by_model(
        self, rows: range, bodies: Sequence[bytes], namespaces: Sequence[str] | None, refused: dict[int, RecordRefusal]
    ) -> "list[_Group]":
        rows_of: dict[int, list[int]] = {}
        for row in rows:
            try:
                model = self._directory.of_body(bodies[row], namespaces[row] if namespaces else "")
            except InvalidMessage as error:
                refused[row] = refusal_of(error)
            else:
                rows_of.setdefault(model.model_id, []).append(row)
        return [
            self._decoder(model_id).read(of_model, [bodies[row] for row in of_model])
            for model_id, of_model in rows_of.items()
        ]

    def _decoder(self, model_id: int) -> "_ModelDecoder":
        if model_id not in self._decoders:
            self._decoders[model_id] = _ModelDecoder(self._models[model_id])
        return self._decoders[model_id]

    def _columns(
        self,
        group: "_Group",
        bodies: Sequence[bytes],
        namespaces: Sequence[str] | None,
        refused: dict[int, RecordRefusal],
    ) -> Predictions | None:
        """Return the events of *group* as columns; those that cannot be counted come into *refused*."""
        wrong, extra = self._read_slowly(group, bodies, namespaces)
        predictions = None
        if len(wrong) < len(group.rows):
            predictions = group.decoder.columns(group, wrong, extra)
        group.decoder.learn()
        if not wrong:
            return predictions
        refused |= {group.rows[index]: refusal for index, refusal in wrong.items()}
        if predictions is None or len(wrong) == len(group.rows):
            return None
        good = np.ones(len(group.rows), dtype=np.bool_)
        good[list(wrong)] = False
        return predictions.only(np.flatnonzero(good))

    def _read_slowly(
        self, group: "_Group", bodies: Sequence[bytes], namespaces: Sequence[str] | None
    ) -> tuple[dict[int, RecordRefusal], dict[int, int]]:
        """Read what the fast reading refused of *group*, into its events.

        Return by index the refusals of what cannot be counted, and of the others the number of unknown feature names.
        """
        wrong: dict[int, RecordRefusal] = {}
        extra: dict[int, int] = {}
        for index in group.unread:
            row = group.rows[index]
            model = None  # until the event says whose it is, it speaks against nobody
            try:
                document = json_object(bodies[row])
                model = self._directory.of_document(document, namespaces[row] if namespaces else "")
                group.events[index], extra[index] = group.decoder.read_leniently(document)
            except InvalidMessage as error:
                wrong[index] = refusal_of(error, model)
        return wrong, extra


class _ModelDecoder:
    """Reads the events of one model; learns the unknown names and the kind of prediction that its producers send."""

    def __init__(self, model: AppliedModel) -> None:
        self.model = model
        self._use((), plain=True)

    def _use(self, extras: tuple[str, ...], *, plain: bool) -> None:
        self.shape = event_shape(self.model, extras, plain=plain)
        self._read: Callable[[bytes], Any] = msgspec.json.Decoder(self.shape.event_type).decode
        self._next = (extras, plain)

    def read(self, rows: Sequence[int], bodies: Sequence[bytes]) -> "_Group":
        """Return the events in *bodies*, which are at *rows*, as far as the fast reading reads them."""
        group = _Group(self, rows, [], [])
        left = iter(bodies)
        while True:
            try:
                group.events.extend(map(self._read, left))  # keeps what came before an error
                return group
            except UNREADABLE:
                group.unread.append(len(group.events))
                group.events.append(None)

    def read_leniently(self, document: dict[str, Any]) -> tuple[Any, int]:
        """Return one event and its number of unknown names; see `lenient_event`."""
        event, extra = lenient_event(document, self.shape, self.model.spec)
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

    def columns(self, group: "_Group", wrong: dict[int, RecordRefusal], extra: dict[int, int]) -> Predictions:
        """Return the events of *group* as columns.

        Args:
            wrong: By index what cannot be counted, not all of it; the columns hold another event's values there. Takes
                in what shows only now.
            extra: By index the number of unknown names of the events that were read slowly.
        """
        events = group.events
        if wrong:
            stand_in = next(event for event in events if event is not None)
            events = [stand_in if event is None else event for event in events]
        fields = event_fields(events, self.shape)
        self._refuse(wrong_names(fields), wrong)
        parts: Sequence[Any] = fields.predictions
        if not self.shape.plain:
            parts, unusable = whole_predictions(parts, self.model.spec)
            self._refuse(unusable, wrong)
        return predictions_of(self.model, self.shape, fields, parts, _indices(group.rows), extra)

    def _refuse(self, problems: Mapping[int, InvalidMessage], wrong: dict[int, RecordRefusal]) -> None:
        for index, problem in problems.items():
            wrong.setdefault(index, refusal_of(problem, self.model))

    def learn(self) -> None:
        """Extend the fast decoder by the names that were met, from the next chunk on."""
        if self._next != (self.shape.extras, self.shape.plain):
            extras, plain = self._next
            self._use(extras, plain=plain)


def _indices(rows: Sequence[int]) -> Indices:
    if isinstance(rows, range):  # the common case, and numpy reads a range one int at a time
        return np.arange(rows.start, rows.stop, dtype=np.intp)
    return np.array(rows, dtype=np.intp)


class _Group(NamedTuple):
    """Events of one model and their rows in the batch, rising; None at *unread*, the indices of what was refused."""

    decoder: _ModelDecoder
    rows: Sequence[int]
    events: list[Any]
    unread: list[int]
