"""Counts columns of values on the reference's cells: sort values and search edges, or search each value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consumers.decode.columns import INVALID, Column, ColumnName
from monitor.arrays import Float64s, Indices, Int64s, UInt32s
from monitor.reference.layout import SLOTS, CellsLayout, ColumnCells, ColumnSpan, Slot, canonical_category
from monitor.spec.model import ColumnKind

MEMO_CAP = 10_000  # unseen values must not fill the memory, in number
LONGEST_REMEMBERED = 200  # nor in length: a category may be as long as a message
_NO_ROWS: Indices = np.empty(0, dtype=np.intp)

# Measured nanoseconds, only to choose: an edge searched in sorted values, a value sorted, a value searched in the
# edges, a hit added to a vector, and the fixed cost of one column of one group.
_EDGE, _SORTED, _SEARCHED, _HIT, _FIXED = 12.0, 6.0, 60.0, 8.0, 6000.0


class CategoryCodes:
    """Places of one column's values, relative to the start of the column: category index, or cells + slot."""

    def __init__(self, cells: ColumnCells) -> None:
        self._cells = len(cells.categories)
        self._known = {category: index for index, category in enumerate(cells.categories)}
        self._memo = _Memo(self._known, self._cells)

    def places(self, values: Column) -> Int64s:
        """Return the place of each of *values*; shape ``(values,)``."""
        return np.fromiter(map(self._memo.__getitem__, values), np.int64, len(values))

    def unseen_rows(self, places: Int64s) -> Indices:
        """Return the indices of *places*, as `places` gave them, that are the unseen slot.

        Looks only once an unseen value has ever come in: until then there is nothing to find, and nothing to pay.
        """
        if not self._memo.met_unseen:
            return _NO_ROWS
        return np.flatnonzero(places == self._cells + Slot.UNSEEN)


class _Memo(dict[Any, int]):
    """Places of texts; of other values by type, because True == 1 == 1.0 in a dict."""

    def __init__(self, known: dict[str, int], cells: int) -> None:
        super().__init__()
        self._known, self._cells = known, cells
        self._others: dict[type, dict[Any, int]] = {}
        self.met_unseen = False

    def __missing__(self, value: Any) -> int:
        kind = type(value)
        memo = self if kind is str else self._others.setdefault(kind, {})
        place = memo.get(value)
        if place is None:
            place = self._place(value)
            if len(memo) < MEMO_CAP and (kind is not str or len(value) <= LONGEST_REMEMBERED):
                memo[value] = place
        return place

    def _place(self, value: Any) -> int:
        if value is None:
            return self._cells + Slot.MISSING
        if value is INVALID:
            return self._cells + Slot.INVALID
        place = self._known.get(canonical_category(value), self._cells + Slot.UNSEEN)
        self.met_unseen |= place == self._cells + Slot.UNSEEN
        return place


@dataclass(frozen=True, slots=True)
class _NumericColumn:
    queries: Float64s
    edges: Float64s
    maximum: float
    far_low: float
    far_high: float


@dataclass(frozen=True, slots=True)
class UnseenRows:
    """Rows (rising) whose value in the column *index* of the layout is none of the reference's categories."""

    index: int
    rows: Indices


class CellCounter:
    """Counts predictions on the cells of one layout; both ways give the same integers."""

    def __init__(self, layout: CellsLayout) -> None:
        self.layout = layout
        self.names = tuple(ColumnName(column.role, column.name, column.kind) for column in layout.columns)
        self._numeric: dict[int, _NumericColumn] = {}
        self._codes: dict[int, CategoryCodes] = {}
        for index, column in enumerate(layout.columns):
            if column.kind is ColumnKind.NUMERIC:
                self._numeric[index] = _numeric(column)
            else:
                self._codes[index] = CategoryCodes(column)

    def count(
        self, columns: Sequence[Column], groups: Sequence[Indices], targets: Sequence[UInt32s]
    ) -> list[UnseenRows]:
        """Add the values of each group's rows to its target vector (shape ``(layout.size,)``), the cheaper way.

        Args:
            columns: In the order of the layout; see `Column`.
            groups: Rows of each group; a row may be in several groups.
            targets: One vector per group.

        Returns:
            The rows with an unseen category, of each column that has any, whether they are in a group or not.
        """
        rows, members = len(columns[0]) if columns else 0, sum(map(len, groups))
        edges = sum(len(column.edges) for column in self._numeric.values())
        by_edge = len(groups) * (edges * _EDGE + len(self._numeric) * _FIXED) + members * len(self._numeric) * _SORTED
        by_value = (rows * _SEARCHED + members * _HIT) * len(self._numeric)
        if by_edge < by_value:
            return self.count_by_edges(columns, groups, targets)
        return self.count_by_values(columns, groups, targets)

    def count_by_edges(
        self, columns: Sequence[Column], groups: Sequence[Indices], targets: Sequence[UInt32s]
    ) -> list[UnseenRows]:
        """For few large groups: sort each group's column and search the edges in it."""
        unseen: list[UnseenRows] = []
        for index, (column, span) in enumerate(zip(columns, self.layout.spans, strict=True)):
            numeric = self._numeric.get(index)
            places = None if numeric is not None else self._categorical_places(index, column, unseen)
            for rows, target in zip(groups, targets, strict=True):
                whole = len(rows) == len(column)
                if numeric is not None:
                    values = np.asarray(column) if whole else np.asarray(column)[rows]
                    _add_sorted(np.sort(values), numeric, span, target)
                elif places is not None:
                    chosen = places if whole else places[rows]
                    width = span.stop - span.start
                    target[span.start : span.stop] += np.bincount(chosen, minlength=width).astype(np.uint32)
        return unseen

    def count_by_values(
        self, columns: Sequence[Column], groups: Sequence[Indices], targets: Sequence[UInt32s]
    ) -> list[UnseenRows]:
        """For many small groups: search each value in the edges once, then add each group's hits."""
        unseen: list[UnseenRows] = []
        places = np.empty((len(columns), len(columns[0])), dtype=np.int64)
        far = []
        for index, (column, span) in enumerate(zip(columns, self.layout.spans, strict=True)):
            numeric = self._numeric.get(index)
            if numeric is None:
                places[index] = self._categorical_places(index, column, unseen) + span.start
            else:
                values = np.asarray(column)
                places[index] = _places(values, numeric, span)
                finite = np.isfinite(values)
                far.append((span.slots + Slot.FAR_LOW, finite & (values < numeric.far_low)))
                far.append((span.slots + Slot.FAR_HIGH, finite & (values > numeric.far_high)))
        far = [column for column in far if column[1].any()]
        for rows, target in zip(groups, targets, strict=True):
            np.add.at(target, places[:, rows].ravel(), np.uint32(1))
            for slot, mask in far:
                target[slot] += np.uint32(np.count_nonzero(mask[rows]))
        return unseen

    def _categorical_places(self, index: int, column: Column, unseen: list[UnseenRows]) -> Int64s:
        codes = self._codes[index]
        places = codes.places(column)
        rows = codes.unseen_rows(places)
        if len(rows):
            unseen.append(UnseenRows(index, rows))
        return places


def _numeric(cells: ColumnCells) -> _NumericColumn:
    edges = np.array(cells.edges, dtype=np.float64)
    above, far_above = np.nextafter(cells.maximum, np.inf), np.nextafter(cells.far_high, np.inf)
    queries = np.array([*cells.edges, above, cells.far_low, far_above, np.inf, np.nan], dtype=np.float64)
    return _NumericColumn(queries, edges, cells.maximum, cells.far_low, cells.far_high)


def _add_sorted(values: Float64s, column: _NumericColumn, span: ColumnSpan, target: UInt32s) -> None:
    """Add *values*, as np.sort leaves them, to *target*: one search of the queries says how many lie before each.

    Cells [0, 10) and [10, 20], far under -200 and over 220; x+ is the next number after x::

        values      -300  -5 | 3  7 | 12  20 | 25  900 | inf | nan  nan     inf: invalid, nan: missing
        index          0   1   2  3    4   5    6    7     8     9   10
        queries      0   10   20+  -200   220+   inf   nan
        positions    2    4    6     1      7     8     9
        cells        4 - 2, 6 - 4              below 2, far below 1, above 8 - 6, far above 8 - 7
                                               invalid 9 - 8, missing 11 - 9
    """
    positions = np.searchsorted(values, column.queries)
    cells = len(column.edges)
    above, far_low, far_above, infinite, missing = positions[cells:]
    bounds = positions[: cells + 1]
    target[span.start : span.slots] += (bounds[1:] - bounds[:-1]).astype(np.uint32)
    slots = np.zeros(SLOTS, dtype=np.uint32)
    slots[Slot.MISSING] = len(values) - missing
    slots[Slot.INVALID] = missing - infinite
    slots[Slot.BELOW] = bounds[0]
    slots[Slot.ABOVE] = infinite - above
    slots[Slot.FAR_LOW] = far_low
    slots[Slot.FAR_HIGH] = infinite - far_above
    target[span.slots : span.stop] += slots


def _places(values: Float64s, column: _NumericColumn, span: ColumnSpan) -> Int64s:
    places = np.searchsorted(column.edges, values, side="right") + (span.start - 1)
    places[values < column.edges[0]] = span.slots + Slot.BELOW
    places[values > column.maximum] = span.slots + Slot.ABOVE
    places[np.isinf(values)] = span.slots + Slot.INVALID
    places[np.isnan(values)] = span.slots + Slot.MISSING
    return places.astype(np.int64, copy=False)
