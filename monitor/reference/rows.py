"""Rows of a reference table: which count and with which weight; and the importance of its columns."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from monitor.arrays import Float64s, Indices
from monitor.errors import SpecError
from monitor.reference.arrow_columns import UncountableColumn, numeric_column

COPIES_WORTH_A_NOTE = 0.01


@dataclass(frozen=True, slots=True)
class RowWeights:
    """Weights of rows, scaled so that they add up to the rows that they are worth.

    Attributes:
        values: Shape ``(rows,)``, positive; their sum is `effective_rows`.
    """

    values: Float64s

    @property
    def effective_rows(self) -> int:
        """The equal rows that these are worth, at least 1."""
        return round(float(self.values.sum()))

    def within(self, groups: Indices) -> "RowWeights":
        """Return the weights scaled within each group of rows, to what the group alone is worth.

        Args:
            groups: Shape ``(rows,)``. Number of each row's group, from 0 on.
        """
        sums = np.bincount(groups, weights=self.values)
        squares = np.bincount(groups, weights=self.values * self.values)
        return replace(self, values=self.values * (sums / np.where(squares > 0.0, squares, 1.0))[groups])


def scaled_weights(raw: Float64s) -> RowWeights:
    r"""Return positive weights in units in which they add up to Kish's effective sample size, rounded.

    .. math:: n_\mathrm{eff} = \frac{(\sum w)^2}{\sum w^2}

    A share estimated from weighted rows varies as one from :math:`n_\mathrm{eff}` equal rows; counts in these units
    therefore claim no more evidence than there is.

    Args:
        raw: Shape ``(rows,)``, at least one row, positive.

    References:
        Kish (1965), *Survey Sampling*, the design effect of weighting.
    """
    largest = float(raw.max())
    shares = raw / largest  # neither the sum nor the squares overflow
    effective = max(1, round(float(shares.sum() ** 2 / (shares * shares).sum())))
    return RowWeights(shares * (effective / shares.sum()))


def read_weights(column: pa.ChunkedArray) -> Float64s:
    """Return the weights in a column of a table, shape ``(rows,)``; a row of weight 0 counts for nothing.

    Raises:
        UncountableColumn: Not numbers, or some are missing, not finite or negative, or all are 0.
    """
    weights = numeric_column(column)
    bad = weights.missing | weights.invalid | (weights.values < 0.0)
    if bad.any():
        first = int(np.argmax(bad))
        raise UncountableColumn(
            f"expected a weight of 0 or more in every row, found {column[first].as_py()} in row {first + 1}"
            f" ({int(bad.sum())} of {bad.size} rows have none)"
        )
    if not weights.values.any():
        raise UncountableColumn("expected weights, found 0 in every row")
    return weights.values


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableRows:
    """The rows of a reference, their weights (None: all equal), and sentences on what was left out or is unusual."""

    table: pa.Table
    weights: RowWeights | None
    notes: tuple[str, ...]


def usable_rows(
    table: pa.Table, *, source: str, columns: tuple[str, ...] = (), identity: str | None = None, weights: str | None
) -> UsableRows:
    """Return the rows of *table* that count.

    Args:
        source: Name of the table, for messages.
        columns: Those that are read; rows that are equal in all of them get a note.
        identity: Column with prediction ids; of several rows of one id the first counts, as it does of events.
        weights: Column with row weights.

    Raises:
        SpecError: The weights cannot be used, or a column is not there.
    """
    absent = [name for name in (identity, weights) if name is not None and name not in table.column_names]
    if absent:
        known = ", ".join(table.column_names)
        raise SpecError(source, tuple(f"column {name!r}: expected one of {known}; found none" for name in absent))
    notes = []
    if identity is not None:
        once = _first_of_each(table, identity)
        if once.num_rows < table.num_rows:
            repeats = table.num_rows - once.num_rows
            notes.append(f"{repeats:,} rows repeat the {identity} of an earlier one and were left out")
        table = once
    elif note := _copies_note(table, columns):
        notes.append(note)
    if weights is None:
        return UsableRows(table=table, weights=None, notes=tuple(notes))
    try:
        raw = read_weights(table[weights])
    except UncountableColumn as error:
        raise SpecError(source, (f"column {weights!r}: {error}",)) from error
    if not raw.all():
        notes.append(f"{int((raw == 0.0).sum()):,} rows of weight 0 were left out")
        table, raw = table.filter(pa.array(raw > 0.0)), raw[raw > 0.0]
    if np.all(raw == raw[0]):
        notes.append(f"{weights}: all weights are equal, so each row counts once")
        return UsableRows(table=table, weights=None, notes=tuple(notes))
    scaled = scaled_weights(raw)
    notes.append(
        f"{weights}: {len(raw):,} weighed rows are worth {scaled.effective_rows:,} equal ones (Kish), and count as such"
    )
    return UsableRows(table=table, weights=scaled, notes=tuple(notes))


def _first_of_each(table: pa.Table, identity: str) -> pa.Table:
    rows = pa.table({"id": table[identity], "row": np.arange(table.num_rows)})
    first = rows.group_by("id", use_threads=False).aggregate([("row", "min")])["row_min"]
    return table if len(first) == table.num_rows else table.take(np.sort(first.to_numpy()))


def _copies_note(table: pa.Table, columns: tuple[str, ...]) -> str | None:
    """Return what to say of rows that are equal in all *columns*; None where that is no wonder."""
    kinds = [table[name].type for name in columns]
    distinguishable = any(pa.types.is_floating(kind) or pa.types.is_temporal(kind) for kind in kinds)
    comparable = not any(pa.types.is_nested(kind) or pa.types.is_null(kind) for kind in kinds)
    if not (columns and distinguishable and comparable):
        return None
    distinct = table.select(list(columns)).group_by(list(columns)).aggregate([]).num_rows
    copies = table.num_rows - distinct
    if copies < COPIES_WORTH_A_NOTE * table.num_rows:
        return None
    return (
        f"{copies:,} of {table.num_rows:,} rows are equal to another in every column that is read: if they are one "
        f"prediction exported twice, the reference claims evidence it has not; name the prediction id with --id"
    )


def importance_problems(raw: Mapping[str, float], *, features: Collection[str]) -> tuple[str, ...]:
    """Return each entry that cannot be used as ``importance of …: expected …, found …``; empty when all can."""
    known = ", ".join(features) or "none"
    problems = [
        f"importance of {name!r}: expected one of the features {known}; found none of that name"
        for name in raw
        if name not in features
    ]
    problems += [
        f"importance of {name!r}: expected a number of 0 or more, found {value:g}"
        for name, value in raw.items()
        if not (math.isfinite(value) and value >= 0.0)
    ]
    return tuple(problems)


def importance_shares(raw: Mapping[str, float]) -> dict[str, float]:
    """Return finite importances of 0 or more as shares of the model's importance.

    What adds up to more than 1 (gains, mean |SHAP|) is divided by its sum; shares, of some features or all, stay as
    they are.
    """
    total = math.fsum(raw.values())
    scale = total if total > 1.0 + 1e-9 else 1.0
    return {name: value / scale for name, value in raw.items()}
