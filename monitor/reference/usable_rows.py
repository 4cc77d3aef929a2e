"""Which rows of a table are the reference: each prediction once, and none of weight 0."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.errors import SpecError
from monitor.reference.column_values import UncountableColumn
from monitor.reference.weights import RowWeights, read_weights, scaled_weights

COPIES_WORTH_A_NOTE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableRows:
    """The rows of a reference, their weights (None: all equal), and sentences on what was left out or is odd."""

    table: pa.Table
    weights: RowWeights | None
    notes: tuple[str, ...]


def usable_rows(
    table: pa.Table, *, source: str, columns: tuple[str, ...] = (), identity: str | None = None, weights: str | None
) -> UsableRows:
    """Return the rows of *table* that count.

    Args:
        source: Name of the table, for messages.
        columns: Those that are read; rows that are equal in all of them are told of.
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
    tells_apart = any(pa.types.is_floating(kind) or pa.types.is_temporal(kind) for kind in kinds)
    comparable = not any(pa.types.is_nested(kind) or pa.types.is_null(kind) for kind in kinds)
    if not (columns and tells_apart and comparable):
        return None
    distinct = table.select(list(columns)).group_by(list(columns)).aggregate([]).num_rows
    copies = table.num_rows - distinct
    if copies < COPIES_WORTH_A_NOTE * table.num_rows:
        return None
    return (
        f"{copies:,} of {table.num_rows:,} rows are equal to another in every column that is read: if they are one "
        f"prediction exported twice, the reference claims evidence it has not; name the prediction id with --id"
    )
