"""Decoded predictions of one model as columns, and the refusal of a record: what decoding returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
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
class RecordRefusal:
    """Why a record cannot be counted.

    Attributes:
        sentence: Names field, expected and found.
        model: Whose record it is, as far as it says.
        model_id: The same where that model is applied: the record speaks against it.
    """

    reason: DeadLetterReason
    sentence: str
    model: ModelKey | None = None
    model_id: int | None = None


def refusal_of(error: InvalidMessage, model: AppliedModel | None = None) -> RecordRefusal:
    """Return *error* as a refusal; *model*: the one whose record it is; the record then counts as bad for it."""
    return RecordRefusal(
        reason=DeadLetterReason(error.reason),
        sentence=error.sentence,
        model=error.model if model is None else model.key,
        model_id=None if model is None else model.model_id,
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

    def only(self, chosen: Indices) -> "Predictions":
        """Return the predictions at the indices *chosen*."""
        indices = chosen.tolist()

        def pick(column: Any) -> Any:
            return column[chosen] if isinstance(column, np.ndarray) else [column[index] for index in indices]

        return Predictions(
            model=self.model,
            rows=self.rows[chosen],
            ids=pick(self.ids),
            versions=pick(self.versions),
            times=self.times[chosen],
            names=self.names,
            columns=tuple(map(pick, self.columns)),
            tags=tuple(map(pick, self.tags)),
            scores=self.scores[chosen],
            labels=pick(self.labels),
            values=self.values[chosen],
            extra=None if self.extra is None else self.extra[chosen],
        )


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Return *parts* (one model, in order of their rows) as one."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    extra = None
    if any(part.extra is not None for part in parts):
        extra = np.concatenate(
            [np.zeros(len(part.rows), dtype=np.int64) if part.extra is None else part.extra for part in parts]
        )
    return Predictions(
        model=first.model,
        rows=np.concatenate([part.rows for part in parts]),
        ids=_line([part.ids for part in parts]),
        versions=_line([part.versions for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        names=first.names,
        columns=tuple(map(_line, zip(*(part.columns for part in parts), strict=True))),
        tags=tuple(map(_line, zip(*(part.tags for part in parts), strict=True))),
        scores=np.concatenate([part.scores for part in parts]),
        labels=_line([part.labels for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        extra=extra,
    )


def _line(parts: Sequence[Any]) -> Any:
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else list(chain.from_iterable(parts))
