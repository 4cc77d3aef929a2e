"""The values of one column of a table and the cells that they get."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from monitor.reference.categorical_cells import categorical_cells
from monitor.reference.cells import ColumnCells, ColumnRole
from monitor.reference.column_values import Numbers, Texts, UncountableColumn, numbers, texts
from monitor.reference.description import CountedColumn
from monitor.reference.numeric_cells import numeric_cells
from monitor.reference.weights import RowWeights
from monitor.spec import ColumnKind


def column_cells(
    values: pa.ChunkedArray, column: CountedColumn, weights: RowWeights | None = None
) -> tuple[Numbers | Texts, ColumnCells]:
    """Return the values of *column* and its cells.

    Raises:
        UncountableColumn: It cannot be counted; says why, without its name.
    """
    found = numbers(values) if column.kind is ColumnKind.NUMERIC else texts(values)
    if np.all(found.missing | found.invalid):
        missing, invalid = int(found.missing.sum()), int(found.invalid.sum())
        raise UncountableColumn(f"expected values, found none: {missing} are missing, {invalid} not finite")
    if isinstance(found, Texts):
        return found, categorical_cells(found, name=column.name, role=column.role)
    cells = numeric_cells(found.valid, name=column.name, role=column.role, weights=weights_of_valid(found, weights))
    if column.role is ColumnRole.SCORE and not (cells.edges[0] >= 0.0 and cells.maximum <= 1.0):
        raise UncountableColumn(f"expected scores between 0 and 1, found {cells.edges[0]:g} to {cells.maximum:g}")
    return found, cells


def weights_of_valid(found: Numbers, weights: RowWeights | None) -> npt.NDArray[np.float64] | None:
    """Return the weights of the finite values; None without weights."""
    return None if weights is None else weights.values[~(found.missing | found.invalid)]


def uncountable_reason(values: pa.ChunkedArray, *, column: CountedColumn) -> str | None:
    """Return why *column* cannot be counted, in the words of `build_profile`; None when it can."""
    try:
        column_cells(values, column)
    except UncountableColumn as error:
        return str(error)
    return None
