"""A table of past predictions as the columns that ingest counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from consumers.decode.columns import INVALID, INVALID_NUMBER, Column, ColumnName, Predictions
from monitor.arrays import Float64s, Indices, Int64s
from monitor.errors import SpecError
from monitor.reference.arrow_columns import TextColumn, UncountableColumn, epoch_millis, numeric_column, text_column
from monitor.reference.layout import CellsLayout, ColumnRole
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.store.configuration import AppliedModel
from monitor.units import MINUTE_MILLIS

VERSIONS_AT_MOST = 50  # a column with more is none of versions
_PREDICTION_PARTS = (
    ColumnName(ColumnRole.SCORE, "prediction.score", ColumnKind.NUMERIC),
    ColumnName(ColumnRole.LABEL, "prediction.label", ColumnKind.CATEGORICAL),
    ColumnName(ColumnRole.VALUE, "prediction.value", ColumnKind.NUMERIC),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryColumns:
    """Names in the table; features and tags have the names of the spec.

    Attributes:
        timestamp: Event times.
        identity: Prediction ids; only truths need them.
        version: Each row's version; None: all rows are of version `only_version`.
    """

    timestamp: str
    identity: str | None = None
    version: str | None = None
    only_version: str = "1"
    score: str | None = None
    label: str | None = None
    value: str | None = None
    latency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Past predictions in order of event time.

    Attributes:
        times: Shape ``(rows,)``, epoch milliseconds, never falling.
        names, columns: Everything that the model counts, each of one entry per row.
        ids: An Arrow array of texts; None without an identity column.
        versions: In order of their texts; *version_codes*: which one each row is of.
    """

    times: Int64s
    ids: pa.ChunkedArray | None
    versions: tuple[str, ...]
    version_codes: Indices
    names: tuple[ColumnName, ...]
    columns: tuple[Column, ...]
    tags: tuple[Sequence[str | None], ...]
    scores: Float64s
    labels: Sequence[Any]
    values: Float64s

    def chunks(self, *, minutes: int, rows: int) -> Iterator[slice]:
        """Yield consecutive rows that lie in one stretch of *minutes* of event time, at most *rows* of them."""
        owners = self.times // (minutes * MINUTE_MILLIS)
        cuts = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
        for start, stop in pairwise(cuts):
            for first in range(start, stop, rows):
                yield slice(first, min(first + rows, stop))

    def predictions(self, model: AppliedModel, chosen: slice) -> Predictions:
        """Return the *chosen* rows as what decoding would have made of their events."""
        rows = chosen.stop - chosen.start
        return Predictions(
            model=model,
            rows=np.arange(rows, dtype=np.intp),
            ids=[""] * rows if self.ids is None else self.ids.slice(chosen.start, rows).to_pylist(),
            versions=[self.versions[code] for code in self.version_codes[chosen].tolist()],
            times=self.times[chosen],
            names=self.names,
            columns=tuple(column[chosen] for column in self.columns),
            tags=tuple(tag[chosen] for tag in self.tags),
            scores=self.scores[chosen],
            labels=self.labels[chosen],
            values=self.values[chosen],
            extra=None,
        )


def history_of(
    table: pa.Table, *, spec: ModelSpec, layout: CellsLayout, columns: HistoryColumns, source: str
) -> History:
    """Return *table* as the history of the model of *spec*, sorted by event time.

    As in the reference, NaN is an invalid value and null a missing one.

    Args:
        layout: Cells of the reference, which say what is counted.
        source: Where the table is from, for messages.

    Raises:
        SpecError: Columns that are not there or hold something else; all of them at once.
    """
    problems: list[str] = []
    names = tuple(ColumnName(column.role, column.name, column.kind) for column in layout.columns)
    sources = {name: _source(name, columns) for name in names}
    wanted = [columns.timestamp, columns.identity, columns.version, *sources.values()]
    wanted += [segment.tag for segment in spec.segments]
    known = ", ".join(table.column_names)
    for name in dict.fromkeys(wanted):
        if name is not None and name not in table.column_names:
            problems.append(f"column {name!r}: expected one of {known}; found none")
    for role, option in ((ColumnRole.SCORE, "score"), (ColumnRole.LABEL, "label"), (ColumnRole.VALUE, "value")):
        if any(name.role is role for name in names) and getattr(columns, option) is None:
            problems.append(f"--{option}: expected the column with the prediction's {option}, found none")
    if problems:
        raise SpecError(source, tuple(problems))
    times = _read(lambda: epoch_millis(table[columns.timestamp]), columns.timestamp, problems)
    order = np.zeros(0, np.intp) if times is None else np.argsort(times, kind="stable")
    versions = _versions(table, columns, order, problems)
    counted = tuple(_column(table, sources[name], name, order, problems) for name in names)
    # The ledger keeps every part of the prediction, counted or not.
    of_prediction = {
        part.role: _column(table, _source(part, columns), part, order, problems) for part in _PREDICTION_PARTS
    }
    if problems or times is None or versions is None:
        raise SpecError(source, tuple(problems))
    return History(
        times=times[order],
        ids=None if columns.identity is None else identities(table[columns.identity]).take(pa.array(order)),
        versions=versions.categories,
        version_codes=versions.codes,
        names=names,
        columns=counted,
        tags=tuple(_tag(table, segment.tag, order) for segment in spec.segments),
        scores=np.asarray(of_prediction[ColumnRole.SCORE]),
        labels=list(of_prediction[ColumnRole.LABEL]),
        values=np.asarray(of_prediction[ColumnRole.VALUE]),
    )


def identities(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return prediction ids as texts, spelled as in events."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.large_string())
    return pa.chunked_array([pa.array([str(value) for value in column.to_pylist()], pa.large_string())])


def _versions(table: pa.Table, columns: HistoryColumns, order: Indices, problems: list[str]) -> TextColumn | None:
    if columns.version is None:
        nothing = np.zeros(len(order), dtype=np.bool_)
        return TextColumn((columns.only_version,), np.zeros(len(order), np.intp), nothing, nothing)
    versions = _read(lambda: text_column(table[columns.version]), columns.version, problems)
    if versions is None:
        return None
    without, count = int(np.count_nonzero(versions.codes < 0)), len(versions.categories)
    if without:
        problems.append(f"column {columns.version!r}: expected a version in every row, found none in {without:,}")
    if count > VERSIONS_AT_MOST:
        expected = f"expected the model's versions, at most {VERSIONS_AT_MOST}"
        problems.append(f"column {columns.version!r}: {expected}; found {count:,} different values")
    return TextColumn(versions.categories, versions.codes[order], versions.missing, versions.invalid)


def _source(name: ColumnName, columns: HistoryColumns) -> str | None:
    match name.role:
        case ColumnRole.FEATURE:
            return name.name
        case ColumnRole.SCORE:
            return columns.score
        case ColumnRole.LABEL:
            return columns.label
        case ColumnRole.VALUE:
            return columns.value
        case ColumnRole.LATENCY:
            return columns.latency


def _column(table: pa.Table, source: str | None, name: ColumnName, order: Indices, problems: list[str]) -> Column:
    if source is None or pa.types.is_null(table[source].type):
        return np.full(len(order), np.nan) if name.kind is ColumnKind.NUMERIC else [None] * len(order)
    if name.kind is ColumnKind.NUMERIC:
        read = _read(lambda: numeric_column(table[source]), source, problems)
        if read is None:
            return ()
        values = np.where(read.missing, np.nan, np.where(read.invalid, INVALID_NUMBER, read.values))
        if name.role is ColumnRole.SCORE:
            outside = (read.values < 0) | (read.values > 1)
            if len(read.valid) and outside[~(read.missing | read.invalid)].all():
                low, high = read.valid.min(), read.valid.max()
                problems.append(f"column {source!r}: expected scores between 0 and 1, found {low:g} to {high:g}")
            values[outside] = INVALID_NUMBER
        return values[order]
    spelled = _read(lambda: text_column(table[source]), source, problems)
    if spelled is None:
        return ()
    of_code = np.array([*spelled.categories, None], dtype=object)
    values = of_code[spelled.codes]
    values[spelled.invalid] = INVALID
    return list(values[order])


def _read(reading: Any, source: str, problems: list[str]) -> Any:
    try:
        return reading()
    except UncountableColumn as error:
        problems.append(f"column {source!r}: {error}")
        return None


def _tag(table: pa.Table, source: str, order: Indices) -> list[str | None]:
    values = table[source].to_pylist()
    return [None if values[index] is None else str(values[index]) for index in order.tolist()]
