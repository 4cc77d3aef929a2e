"""Categorical values to indices in a column's cells and slots, each distinct value looked up once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.decode.decoded import INVALID, Column, Indices
from monitor.reference.layout import ColumnCells, Slot, canonical_category

MEMO_CAP = 10_000  # unseen values must not fill the memory, in number
LONGEST_REMEMBERED = 200  # nor in length: a category may be as long as a message
_NO_ROWS: Indices = np.empty(0, dtype=np.intp)


class CategoryCodes:
    """Places of one column's values, relative to the start of the column: category index, or cells + slot."""

    def __init__(self, cells: ColumnCells) -> None:
        self._cells = len(cells.categories)
        self._known = {category: index for index, category in enumerate(cells.categories)}
        self._memo = _Memo(self._known, self._cells)

    def places(self, values: Column) -> npt.NDArray[np.int64]:
        """Return the place of each of *values*; shape ``(values,)``."""
        return np.fromiter(map(self._memo.__getitem__, values), np.int64, len(values))

    def unseen_rows(self, places: npt.NDArray[np.int64]) -> Indices:
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
