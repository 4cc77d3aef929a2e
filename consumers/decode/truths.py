"""Ground-truth events in JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from consumers.decode.columns import INVALID, RecordRefusal, refusal_of
from consumers.decode.fields import (
    LONGEST_NAME,
    Scalar,
    malformed,
    name_field,
    scalar,
    text_problem,
)
from consumers.decode.routing import UNREADABLE, ModelDirectory, json_object
from consumers.decode.times import Timestamp, before_calendar, millis_of, time_field
from monitor.errors import InvalidMessage
from monitor.reference.layout import canonical_category
from monitor.store.configuration import AppliedModel, Configuration
from monitor.units import EARLIEST_MILLIS


class _TruthEvent(msgspec.Struct, gc=False):
    prediction_id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
    model: str
    timestamp: Timestamp
    truth: Scalar
    namespace: str = ""
    prediction_timestamp: Timestamp | None = None


_READ = msgspec.json.Decoder(_TruthEvent).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One truth; *value* is canonical text, None withdraws; times are epoch milliseconds."""

    row: int
    model: AppliedModel
    prediction_id: str
    known_at: int
    value: str | None
    prediction_time: int | None


class TruthDecoder:
    """Decodes batches of the truths' topics under one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._directory = ModelDirectory(configuration)

    def decode(
        self, bodies: Sequence[bytes], namespaces: Sequence[str] | None = None
    ) -> tuple[list[Truth], dict[int, RecordRefusal]]:
        """Return the truths in *bodies*, in order, and by row what was refused; *namespaces* as in predictions."""
        truths: list[Truth] = []
        refused: dict[int, RecordRefusal] = {}
        for row, body in enumerate(bodies):
            model, namespace = None, namespaces[row] if namespaces else ""
            try:
                try:
                    event = _READ(body)
                    model = self._directory.find(event.model, event.namespace or namespace)
                except UNREADABLE:
                    document = json_object(body)
                    model = self._directory.of_document(document, namespace)
                    event = _slow_truth(document)
                truths.append(_truth(row, model, event))
            except InvalidMessage as error:
                refused[row] = refusal_of(error, model)
        return truths, refused


def _truth(row: int, model: AppliedModel, event: _TruthEvent) -> Truth:
    if text_problem(event.prediction_id):
        raise malformed("prediction_id", f"a string of 1 to {LONGEST_NAME} bytes", event.prediction_id)
    value = None if event.truth is None else canonical_category(event.truth)
    if value is not None and text_problem(value):
        raise malformed("truth", f"null, a number, or a string of 1 to {LONGEST_NAME} bytes", event.truth)
    asked = None if event.prediction_timestamp is None else millis_of(event.prediction_timestamp)
    if asked is not None and asked < EARLIEST_MILLIS:
        raise before_calendar("prediction_timestamp", asked)
    return Truth(
        row=row,
        model=model,
        prediction_id=event.prediction_id,
        known_at=millis_of(event.timestamp),
        value=value,
        prediction_time=asked,
    )


def _slow_truth(document: dict[str, Any]) -> _TruthEvent:
    prediction_id = name_field(document, "prediction_id")
    known_at = time_field(document)
    truth = scalar(document["truth"]) if "truth" in document else INVALID
    if truth is INVALID:
        raise malformed("truth", "a string, a finite number, a boolean or null", document.get("truth"))
    asked = None if document.get("prediction_timestamp") is None else time_field(document, "prediction_timestamp")
    return _TruthEvent(
        prediction_id=prediction_id,
        model=document["model"],
        timestamp=known_at,
        truth=truth,  # type: ignore[arg-type]  # a scalar, checked above
        namespace=document.get("namespace") or "",
        prediction_timestamp=asked,
    )
