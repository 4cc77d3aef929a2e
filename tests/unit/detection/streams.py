"""Small models with a simulated reference, and windows counted on their cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.detection import PreparedReference, prepare_reference
from monitor.reference.arrow_columns import TextColumn
from monitor.reference.cell_choice import categorical_cells, numeric_cells
from monitor.reference.layout import CellsLayout, ColumnCells, ColumnRole, Slot
from monitor.reference.profile import ColumnMovement, ColumnReference, ReferenceProfile
from monitor.spec.model import ColumnKind, ModelSpec
from monitor.stats.binning import decile_bins, rare_merge
from monitor.types import Scale

HOUR = Scale(60, 5)
Values = npt.NDArray[Any]
Table = Mapping[str, Values | Sequence[Any]]


def texts_of(values: Sequence[str]) -> TextColumn:
    """Return categorical values as the reference builder has them."""
    categories, codes = np.unique(np.array(values), return_inverse=True)
    none = np.zeros(len(values), dtype=np.bool_)
    return TextColumn(tuple(categories.tolist()), codes.astype(np.intp), none, none)


def layout_of(table: Table) -> CellsLayout:
    """Return cells for each column: texts are categories, `prediction.score` is the score, the rest features."""
    columns = []
    for name, values in table.items():
        role = ColumnRole.SCORE if name == "prediction.score" else ColumnRole.FEATURE
        present = [value for value in values if value is not None]
        if isinstance(present[0], str):
            columns.append(categorical_cells(texts_of(present), name=name, role=role))
        else:
            finite = np.array(present, dtype=np.float64)
            columns.append(numeric_cells(finite[np.isfinite(finite)], name=name, role=role))
    return CellsLayout(columns=tuple(columns))


def count(layout: CellsLayout, table: Table) -> npt.NDArray[np.int64]:
    """Return the counts of a table: None is missing, NaN invalid."""
    counts = np.zeros(layout.size, dtype=np.int64)
    for column, span in zip(layout.columns, layout.spans, strict=True):
        part = counts[span.start : span.stop]
        tally = _count_numbers if column.kind is ColumnKind.NUMERIC else _count_texts
        tally(column, part, table[column.name])
    return counts


def _count_numbers(column: ColumnCells, part: npt.NDArray[np.int64], values: Values | Sequence[Any]) -> None:
    slots = part[column.cells :]
    if not (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
        slots[Slot.MISSING] = sum(value is None for value in values)
        values = np.array([value for value in values if value is not None], dtype=np.float64)
    slots[Slot.INVALID] = int((~np.isfinite(values)).sum())
    values = values[np.isfinite(values)]
    below, above = values < column.edges[0], values > column.maximum
    slots[Slot.BELOW], slots[Slot.ABOVE] = below.sum(), above.sum()
    slots[Slot.FAR_LOW], slots[Slot.FAR_HIGH] = (values < column.far_low).sum(), (values > column.far_high).sum()
    inside = np.searchsorted(column.edges, values[~(below | above)], side="right") - 1
    part[: column.cells] = np.bincount(inside, minlength=column.cells)


def _count_texts(column: ColumnCells, part: npt.NDArray[np.int64], values: Values | Sequence[Any]) -> None:
    place = {text: index for index, text in enumerate(column.categories)}
    for value in values:
        slot = column.cells + (Slot.MISSING if value is None else Slot.UNSEEN)
        part[place.get(value, slot) if value is not None else slot] += 1


def profile_of(
    layout: CellsLayout, counts: npt.NDArray[np.int64], **movement: dict[int, ColumnMovement]
) -> ReferenceProfile:
    """Return a profile with the PSI bins of its counts."""
    columns = []
    for column, span in zip(layout.columns, layout.spans, strict=True):
        cells = counts[span.start : span.slots]
        if column.kind is ColumnKind.NUMERIC:
            starts = decile_bins(cells)
            bins = np.searchsorted(starts, np.arange(len(cells)), side="right") - 1
        else:
            bins = rare_merge(cells)
        measured = movement.get(column.name, {})
        columns.append(ColumnReference(name=column.name, bins=tuple(bins.tolist()), movement=measured))
    rows = int(counts[: layout.spans[0].stop - 2].sum())
    return ReferenceProfile(
        layout=layout, rows=rows, counts_bytes=counts.astype("<i8").tobytes(), columns=tuple(columns)
    )


def spec_of(layout: CellsLayout, **parts: Any) -> ModelSpec:
    """Return a spec of these columns with one scale of an hour, unless *parts* say otherwise."""
    columns = {column.name: {"kind": column.kind} for column in layout.columns if column.role is ColumnRole.FEATURE}
    given: dict[str, Any] = {
        "model": "m",
        "task": "binary_classification",
        "reference": "m.reference",
        "columns": columns,
        "prediction": {"score": True},
        "windows": {"scales": [{"length": "1h", "step": "5m"}]},
    }
    return ModelSpec.model_validate(given | parts)


def prepared_of(table: Table, **parts: Any) -> PreparedReference:
    """Return the prepared reference of a table."""
    layout = layout_of(table)
    return prepare_reference(spec_of(layout, **parts), profile_of(layout, count(layout, table)))
