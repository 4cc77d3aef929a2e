"""Events of one model as one sequence per field, and the refusal of names that cannot be stored."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from consumers.decode.fields import LONGEST_NAME, malformed, text_problem
from consumers.distinct import distinct
from monitor.errors import InvalidMessage


class EventFields(NamedTuple):
    """What is read of the struct that `consumers.decode.model_struct` makes; all of one length."""

    ids: list[str]
    versions: list[str]
    moments: list[datetime | int]
    features: list[Any]
    predictions: list[Any]
    latencies: list[float | None]


def event_fields(events: Sequence[Any]) -> EventFields:
    """Return the fields of *events*."""
    return EventFields(
        ids=[each.prediction_id for each in events],
        versions=[each.version for each in events],
        moments=[each.timestamp for each in events],
        features=[each.features for each in events],
        predictions=[each.prediction for each in events],
        latencies=[each.latency_ms for each in events],
    )


def wrong_names(fields: EventFields) -> Iterator[tuple[int, InvalidMessage]]:
    """Yield the index and the refusal of each event whose id or version is no name of 1 to 200 bytes.

    The struct counts characters; only what is not ASCII can have more bytes.
    """
    together = "".join(fields.ids)
    bad_versions = {each for each in distinct(fields.versions) if text_problem(each)}
    if together.isascii() and "\x00" not in together and not bad_versions:
        return
    for index, (name, version) in enumerate(zip(fields.ids, fields.versions, strict=True)):
        if text_problem(name):
            yield index, malformed("prediction_id", f"a string of 1 to {LONGEST_NAME} bytes", name)
        elif version in bad_versions:
            yield index, malformed("version", f"a string of 1 to {LONGEST_NAME} bytes", version)
