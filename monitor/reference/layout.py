"""Cells: the immutable edges and categories on which one model's columns are counted.

All columns of a series sit in one vector of counts: for each column its cells, then its slots. Cell *i* of a numeric
column is ``[edges[i], edges[i + 1])``; the last one also holds ``maximum``. A point cell ``[v, nextafter(v))`` holds
one value, so the KS distance has no error there. Of `age` with the edges 18, 30, 50 and `plan` of two categories::

               age                                 plan
    vector   [ 18…30 30…50 50…max | M I B A U L H | basic gold | M  I  B  A  U  L  H  ]
    index      0     1     2        3 4 5 6 7 8 9   10    11     12 13 14 15 16 17 18       size 19
    span       start                slots           stop

An event with age 35 counts at 1, one without an age at 3 (missing), one of age 17 at 5 (below the first edge) and, if
that is under ``far_low``, at 8 as well; one with an unknown plan counts at 16 (unseen).
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property

import msgspec
import numpy as np

from monitor.arrays import Indices
from monitor.spec.model import ColumnKind


class Slot(IntEnum):
    """Where a value in no cell goes; `FAR_LOW` and `FAR_HIGH` count in addition to the value's cell or slot."""

    MISSING = 0
    INVALID = 1
    BELOW = 2
    ABOVE = 3
    UNSEEN = 4
    FAR_LOW = 5
    FAR_HIGH = 6


SLOTS = len(Slot)


class ColumnRole(StrEnum):
    """What a counted column is."""

    FEATURE = "feature"
    SCORE = "score"
    LABEL = "label"
    VALUE = "value"
    LATENCY = "latency"

    @property
    def of_prediction(self) -> bool:
        """Whether the model made it."""
        return self in (ColumnRole.SCORE, ColumnRole.LABEL, ColumnRole.VALUE)


class ColumnCells(msgspec.Struct, frozen=True, kw_only=True):
    """Cells of one column.

    Attributes:
        edges: Lower edges of numeric cells, strictly increasing; empty for categorical columns.
        points: One bool per numeric cell: it holds a single value.
        maximum: Largest reference value; above it counts as `Slot.ABOVE`.
        far_low, far_high: Bounds past which a number also counts as far out (statistics §3.5).
        categories: Reference categories as canonical text; empty for numeric columns.
    """

    name: str
    kind: ColumnKind
    role: ColumnRole
    edges: tuple[float, ...] = ()
    points: tuple[bool, ...] = ()
    maximum: float = 0.0
    far_low: float = 0.0
    far_high: float = 0.0
    categories: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        return len(self.edges) if self.kind is ColumnKind.NUMERIC else len(self.categories)


@dataclass(frozen=True, slots=True)
class ColumnSpan:
    """Where one column's counts stand in the vector: cells in ``[start, slots)``, slots in ``[slots, stop)``."""

    start: int
    slots: int
    stop: int


class CellsLayout(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Cells of all columns of one model, in the order in which they are counted."""

    columns: tuple[ColumnCells, ...]

    @cached_property
    def spans(self) -> tuple[ColumnSpan, ...]:
        """One span per column."""
        spans, start = [], 0
        for column in self.columns:
            slots = start + column.cells
            spans.append(ColumnSpan(start, slots, slots + SLOTS))
            start = slots + SLOTS
        return tuple(spans)

    @cached_property
    def size(self) -> int:
        """Length of the vector of counts."""
        return self.spans[-1].stop if self.columns else 0

    @cached_property
    def slot_index(self) -> Indices:
        """Shape ``(columns, SLOTS)``: index in the vector of each column's slots."""
        return np.array([np.arange(span.slots, span.stop) for span in self.spans], dtype=np.intp).reshape(-1, SLOTS)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the layout; equal layouts may be added up."""
        return hashlib.sha256(encode_layout(self)).hexdigest()


def encode_layout(layout: CellsLayout) -> bytes:
    """Return the canonical bytes of *layout*."""
    return msgspec.msgpack.encode(layout)


def decode_layout(encoded: bytes) -> CellsLayout:
    """Return the layout that `encode_layout` wrote."""
    return msgspec.msgpack.decode(encoded, type=CellsLayout)


def canonical_category(value: object) -> str:
    """Return the text under which a categorical value is counted: booleans in lower case, whole floats as integers."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
