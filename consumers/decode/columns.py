"""What decoding hands to counting: predictions of one model as columns, chunks put together, and refusals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import numpy as np

from monitor.arrays import Float64s, Indices, Int64s
from monitor.errors import InvalidMessage
from monitor.reference.layout import ColumnRole
from monitor.spec.model import ColumnKind
from monitor.store.configuration import AppliedModel
from monitor.types import DeadLetterReason, ModelKey


class _Invalid:
    """A categorical value that is none: an object, an array, a number that is not finite."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()
INVALID_NUMBER: Final = float("inf")  # strict JSON cannot spell it, so it is free to mean "not a number"

Column = Float64s | Sequence[Any]
"""Numeric: float64, NaN is missing, infinite is invalid. Categorical: raw scalars, None is missing, or `INVALID`."""


class ColumnName(NamedTuple):
    """What a column of the decoded predictions is."""

    role: ColumnRole
    name: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A record that cannot be counted.

    Attributes:
        index: Its place in the batch.
        sentence: Names field, expected and found.
        model: Whose record it is, as far as it says.
        model_id: The same where that model is applied: the record speaks against it.
    """

    index: int
    reason: DeadLetterReason
    sentence: str
    model: ModelKey | None = None
    model_id: int | None = None


def refusal_of(index: int, error: InvalidMessage) -> Refusal:
    """Return *error* as the refusal of the record at *index*."""
    return Refusal(
        index=index,
        reason=DeadLetterReason(error.reason),
        sentence=error.sentence,
        model=error.model,
        model_id=error.model_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Predictions of one model in the order of the batch; every sequence has one entry per prediction.

    Attributes:
        rows: Index of each prediction's record in the batch, rising.
        times: Event times in epoch milliseconds.
        names, columns: The counted columns.
        tags: For each segment of the spec, the tag's value or None.
        scores, values: As `Column` says, for the ledger. labels: raw scalars.
        extra: Feature names that the spec does not know, counted per prediction; None: there are none at all.
    """

    model: AppliedModel
    rows: Indices
    ids: Sequence[str]
    versions: Sequence[str]
    times: Int64s
    names: tuple[ColumnName, ...]
    columns: tuple[Column, ...]
    tags: tuple[Sequence[str | None], ...]
    scores: Float64s
    labels: Sequence[Any]
    values: Float64s
    extra: Int64s | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedPredictions:
    """One batch of the predictions' topics, decoded."""

    models: tuple[Predictions, ...]
    refused: tuple[Refusal, ...]


def later(found: Predictions, start: int) -> Predictions:
    """Return *found* with its rows *start* records further on."""
    return replace(found, rows=found.rows + start)


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Return *parts* (one model, in order of their rows) as one."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    extra = None
    if any(part.extra is not None for part in parts):
        zeros = [np.zeros(len(part.rows), dtype=np.int64) for part in parts]
        extra = np.concatenate(
            [part.extra if part.extra is not None else none for part, none in zip(parts, zeros, strict=True)]
        )
    return Predictions(
        model=first.model,
        rows=np.concatenate([part.rows for part in parts]),
        ids=_line([part.ids for part in parts]),
        versions=_line([part.versions for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        names=first.names,
        columns=tuple(_line([part.columns[i] for part in parts]) for i in range(len(first.columns))),
        tags=tuple(_line([part.tags[i] for part in parts]) for i in range(len(first.tags))),
        scores=np.concatenate([part.scores for part in parts]),
        labels=_line([part.labels for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        extra=extra,
    )


def _line(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    whole: list[Any] = []
    for part in parts:
        whole.extend(part)
    return whole
