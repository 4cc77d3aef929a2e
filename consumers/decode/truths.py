"""Ground-truth events in JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from consumers.decode.columns import INVALID, Refusal, refusal_of
from consumers.decode.fields import (
    LONGEST_NAME,
    Scalar,
    malformed,
    name_field,
    scalar,
    text_problem,
)
from consumers.decode.routing import Directory, json_object
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
        self._directory = Directory(configuration)

    def decode(
        self, bodies: Sequence[bytes], namespaces: Sequence[str] | None = None
    ) -> tuple[list[Truth], list[Refusal]]:
        """Return the truths in *bodies* and what was refused, each in order; *namespaces* as in predictions."""
        truths, refused = [], []
        for row, body in enumerate(bodies):
            try:
                truths.append(self._truth(row, body, namespaces[row] if namespaces else ""))
            except InvalidMessage as error:
                refused.append(refusal_of(row, error))
        return truths, refused

    def _truth(self, row: int, body: bytes, namespace: str) -> Truth:
        try:
            event: _TruthEvent | dict[str, Any] = _READ(body)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            event = json_object(body)
        if isinstance(event, dict):
            model = self._directory.of_document(event, namespace)
        else:
            model = self._directory.find(event.model, event.namespace or namespace)
        try:
            return _truth(row, model, _slow_truth(event) if isinstance(event, dict) else event)
        except InvalidMessage as error:
            error.model, error.model_id = model.key, model.model_id
            raise


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
    found = scalar(document["truth"]) if "truth" in document else INVALID
    if found is INVALID:
        raise malformed("truth", "a string, a finite number, a boolean or null", document.get("truth"))
    asked = None if document.get("prediction_timestamp") is None else time_field(document, "prediction_timestamp")
    return _TruthEvent(
        prediction_id=prediction_id,
        model=document["model"],
        timestamp=known_at,
        truth=found,  # type: ignore[arg-type]  # a scalar, checked above
        namespace=document.get("namespace") or "",
        prediction_timestamp=asked,
    )
