"""The typed structs that one model's events are read into, made from its columns, and their fields as lists."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from consumers.decode.columns import ColumnName
from consumers.decode.fields import LONGEST_NAME, Scalar, malformed, text_problem
from consumers.decode.times import Timestamp
from consumers.identities import distinct
from monitor.errors import InvalidMessage
from monitor.reference.layout import ColumnRole
from monitor.spec.model import ColumnKind
from monitor.store.configuration import AppliedModel
from monitor.types import DEFAULT_NAMESPACE

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class PlainPrediction(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The `prediction` object as most producers send it."""

    score: float | None = None
    label: Scalar = None
    value: float | None = None


class Prediction(msgspec.Struct, gc=False):
    """Any `prediction` object; what is rare stays raw. Its first fields are those of `PlainPrediction`."""

    score: float | None = None
    label: Scalar = None
    value: float | None = None
    scores: Raw | UnsetType = UNSET
    outputs: Raw | UnsetType = UNSET


PLAIN_FIELDS = frozenset(PlainPrediction.__struct_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShape:
    """How one model's events are decoded.

    Attributes:
        names: Every column that some layout of the model counts.
        features: Feature names; field *i* of the struct of features holds `features[i]`.
        numbers: Indices of those that decode to floats only.
        categorical: Features that some layout counts as categories.
        array_order: Feature names in the order of the array form.
        tags: Tags that the spec cuts segments by; field *i* of the struct of tags.
        extras: Names the spec does not know but producers send; decoded and only counted.
        plain: Predictions are `PlainPrediction`s; others are refused (and read slowly).
    """

    names: tuple[ColumnName, ...]
    features: tuple[str, ...]
    numbers: tuple[int, ...]
    categorical: frozenset[str]
    array_order: tuple[str, ...]
    tags: tuple[str, ...]
    extras: tuple[str, ...]
    plain: bool
    event_type: type[Any]
    features_type: type[Any]
    tags_type: type[Any] | None


def event_shape(model: AppliedModel, extras: tuple[str, ...] = (), *, plain: bool = True) -> EventShape:
    """Return the shape of *model*'s events; unknown names other than *extras* are refused (and read slowly)."""
    layouts = [cell.layout for cell in reversed(model.cells)]
    names = tuple(dict.fromkeys(ColumnName(c.role, c.name, c.kind) for layout in layouts for c in layout.columns))
    categorical = {
        name.name for name in names if name.role is ColumnRole.FEATURE and name.kind is ColumnKind.CATEGORICAL
    }
    # In the order of the reference, which producers often share: msgspec looks for a name behind the last one first.
    features = tuple(dict.fromkeys(name.name for name in names if name.role is ColumnRole.FEATURE))
    kinds = [Scalar if name in categorical else float | None for name in features]
    fields: list[tuple[str, Any, Any]] = [(f"f{index}", kind, None) for index, kind in enumerate(kinds)]
    fields += [(f"x{index}", Raw | UnsetType, UNSET) for index in range(len(extras))]
    features_type = msgspec.defstruct(
        "Features",
        fields,
        rename=_renamed((field[0] for field in fields), (*features, *extras)),
        gc=False,
        forbid_unknown_fields=True,
    )
    tags = tuple(segment.tag for segment in model.spec.segments)
    tags_type = None
    if tags:
        tag_fields = [(f"t{index}", str | None, None) for index in range(len(tags))]
        tags_type = msgspec.defstruct(
            "Tags",
            tag_fields,
            rename=_renamed((field[0] for field in tag_fields), tags),
            gc=False,
            forbid_unknown_fields=not all(map(readable, tags)),
        )
    return EventShape(
        names=names,
        features=features,
        numbers=tuple(index for index, name in enumerate(features) if name not in categorical),
        categorical=frozenset(categorical),
        array_order=tuple(column.name for column in layouts[0].columns if column.role is ColumnRole.FEATURE),
        tags=tags,
        extras=extras,
        plain=plain,
        event_type=_event_type(model, features_type, tags_type, plain=plain),
        features_type=features_type,
        tags_type=tags_type,
    )


def readable(name: str) -> bool:
    """Return whether msgspec can read a field of this name; events with another one are read slowly."""
    return not any(character in '\\"' or character < " " for character in name)


def _renamed(fields: Iterable[str], names: Sequence[str]) -> dict[str, str]:
    # A stand-in that no producer sends: the true name is then unknown to the struct, which refuses it.
    return {field: name if readable(name) else f"{field}\x7f" for field, name in zip(fields, names, strict=True)}


def _event_type(
    model: AppliedModel, features_type: type[Any], tags_type: type[Any] | None, *, plain: bool
) -> type[Any]:
    # Another model's event is refused while it is read: nobody has to look at the names of all that pass.
    any_namespace = model.key.namespace != DEFAULT_NAMESPACE
    fields: list[Any] = [
        ("prediction_id", _Name),
        ("model", Literal[model.key.name]),
        ("version", _Name),
        ("timestamp", Timestamp),
        ("features", features_type),
        ("prediction", PlainPrediction if plain else Prediction | str | float | int | bool),
        ("latency_ms", float | None, None),
        ("namespace", str if any_namespace else Literal["", "default"], ""),
    ]
    if tags_type is not None:
        fields.append(("tags", tags_type | None, None))
    return msgspec.defstruct("Event", fields, gc=False)


class EventFields(NamedTuple):
    """The fields of events of one shape, all of one length; *tags* is empty where the spec cuts by none."""

    ids: list[str]
    versions: list[str]
    moments: list[datetime | int]
    features: list[Any]
    predictions: list[Any]
    latencies: list[float | None]
    tags: list[Any]


def event_fields(events: Sequence[Any], shape: EventShape) -> EventFields:
    """Return the fields of *events*, which are of *shape*."""
    return EventFields(
        ids=[event.prediction_id for event in events],
        versions=[event.version for event in events],
        moments=[event.timestamp for event in events],
        features=[event.features for event in events],
        predictions=[event.prediction for event in events],
        latencies=[event.latency_ms for event in events],
        tags=[] if shape.tags_type is None else [event.tags for event in events],
    )


def wrong_names(fields: EventFields) -> dict[int, InvalidMessage]:
    """Return by index the refusal of each event whose id or version is no name of 1 to 200 bytes.

    The struct counts characters; only what is not ASCII can have more bytes.
    """
    together = "".join(fields.ids)
    bad_versions = {name for name in distinct(fields.versions) if text_problem(name)}
    if together.isascii() and "\x00" not in together and not bad_versions:
        return {}
    expected, wrong = f"a string of 1 to {LONGEST_NAME} bytes", {}
    for index, (name, version) in enumerate(zip(fields.ids, fields.versions, strict=True)):
        if text_problem(name):
            wrong[index] = malformed("prediction_id", expected, name)
        elif version in bad_versions:
            wrong[index] = malformed("version", expected, version)
    return wrong
