"""Categorical values to indices in a column's cells and slots, each distinct value looked up once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.decode.decoded import INVALID, Column, Indices
from monitor.reference.cells import ColumnCells, Slot, canonical_category

MEMO_CAP = 10_000  # unseen values must not fill the memory
_NO_ROWS: Indices = np.empty(0, dtype=np.intp)


class CategoryCodes:
    """Places of one column's values, relative to the start of the column: category index, or cells + slot."""

    def __init__(self, cells: ColumnCells) -> None:
        self._cells = len(cells.categories)
        self._known = {category: index for index, category in enumerate(cells.categories)}
        # True == 1 == 1.0 in a dict, so each type remembers for itself.
        self._memo: dict[type, _Memo] = {}

    def places(self, values: Column) -> npt.NDArray[np.int64]:
        """Return the place of each of *values*; shape ``(values,)``."""
        kinds = set(map(type, values))
        if len(kinds) == 1:
            return np.fromiter(map(self._of(kinds.pop()).__getitem__, values), np.int64, len(values))
        return np.fromiter((self._of(type(each))[each] for each in values), np.int64, len(values))

    def unseen_rows(self, places: npt.NDArray[np.int64]) -> Indices:
        """Return the indices of *places*, as `places` gave them, that are the unseen slot.

        Looks only once an unseen value has ever come in: until then there is nothing to find, and nothing to pay.
        """
        if not any(each.met_unseen for each in self._memo.values()):
            return _NO_ROWS
        return np.flatnonzero(places == self._cells + Slot.UNSEEN)

    def _of(self, kind: type) -> "_Memo":
        if kind not in self._memo:
            self._memo[kind] = _Memo(self._known, self._cells)
        return self._memo[kind]


class _Memo(dict[Any, int]):
    def __init__(self, known: dict[str, int], cells: int) -> None:
        super().__init__()
        self._known, self._cells = known, cells
        self.met_unseen = False

    def __missing__(self, value: Any) -> int:
        if value is None:
            place = self._cells + Slot.MISSING
        elif value is INVALID:
            place = self._cells + Slot.INVALID
        else:
            place = self._known.get(canonical_category(value), self._cells + Slot.UNSEEN)
            self.met_unseen |= place == self._cells + Slot.UNSEEN
        if len(self) < MEMO_CAP:
            self[value] = place
        return place
