"""How the cells of a column are chosen: edges of numbers, frequent categories."""

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.arrays import AnyNumbers, Float64s
from monitor.errors import EmptySampleError
from monitor.reference.arrow_columns import (
    NumericColumn,
    TextColumn,
    UncountableColumn,
    is_number,
    numeric_column,
    text_column,
)
from monitor.reference.description import CountedColumn
from monitor.reference.layout import ColumnCells, ColumnRole
from monitor.reference.rows import RowWeights
from monitor.spec.model import ColumnKind

QUANTILE_CELLS = 1000
FAR_WIDTHS = 3.0
LATENCY_DECADES = range(-1, 5)  # 0.1 ms to 100 s
LATENCY_CELLS_PER_DECADE = 20


MAXIMUM_CATEGORIES = 1000
LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class _Distribution:
    """Distinct values, rising, and how much of the sample lies at or below each: rows, or weight."""

    distinct: Float64s
    masses: AnyNumbers
    below_or_at: AnyNumbers

    @property
    def total(self) -> float:
        return float(self.below_or_at[-1])

    @property
    def largest(self) -> float:
        return float(self.distinct[-1])

    def quantile(self, level: float) -> float:
        """Return the smallest value with at least this share at or below it: interpolating could overflow."""
        wanted = level * self.total
        index = np.searchsorted(self.below_or_at, math.ceil(wanted) if self.in_rows else wanted)
        return float(self.distinct[min(int(index), self.distinct.size - 1)])

    def quantile_edges(self, cells: int) -> Float64s:
        """Return the value behind each *cells*-th of the sample.

        No interpolation: an edge is always a value of the reference, so ties never straddle it.
        """
        levels: AnyNumbers = np.arange(cells) * (self.total / cells)
        if self.in_rows:
            levels = -(-np.arange(cells, dtype=np.int64) * int(self.total) // cells)
        places = np.searchsorted(self.below_or_at, levels, side="right")
        return self.distinct[np.minimum(places, self.distinct.size - 1)]

    @property
    def in_rows(self) -> bool:
        """Whether rows were counted and not weighed: then everything is an integer and nothing is rounded."""
        return self.masses.dtype.kind == "i"


def numeric_cells(
    values: Float64s, *, name: str, role: ColumnRole = ColumnRole.FEATURE, weights: Float64s | None = None
) -> ColumnCells:
    """Return cells on which the KS distance is exact for up to 1000 distinct values and deciles are sums of cells.

    Up to `QUANTILE_CELLS` distinct values: a point cell for each, and a gap cell between neighbours. More: an edge
    at every 1000th of the reference, and a point cell for each value that holds more than a 1000th. The far bounds
    are q01 - 3w and q99 + 3w with w = q99 - q01; where w is 0 (nearly all values equal) w is the whole range, for
    else every other value would be far out.

    Args:
        values: Shape ``(n,)``, finite, in any order.
        weights: Shape ``(n,)``, positive: how much of the reference each value is; None: all are equal.

    Raises:
        EmptySampleError: There are no values.
    """
    if values.size == 0:
        raise EmptySampleError(f"{name}: a column without numbers has no cells")
    sample = _distribution(values, weights)
    if sample.distinct.size <= QUANTILE_CELLS:
        heavy = sample.distinct
    else:
        heavy = sample.distinct[sample.masses * QUANTILE_CELLS > sample.total]
    with np.errstate(over="ignore"):  # past the largest float is infinity, cut off below
        behind_heavy = np.nextafter(heavy, np.inf)
    edges = np.unique(np.concatenate([sample.quantile_edges(QUANTILE_CELLS), heavy, behind_heavy]) + 0.0)
    edges = edges[edges <= sample.largest]
    low, high = _far_bounds(sample)
    return ColumnCells(
        name=name,
        kind=ColumnKind.NUMERIC,
        role=role,
        edges=tuple(edges.tolist()),
        points=tuple(np.isin(edges, heavy).tolist()),
        maximum=sample.largest,
        far_low=low,
        far_high=high,
    )


def latency_cells(*, name: str) -> ColumnCells:
    """Return the fixed cells of the latency in milliseconds: 0.1 ms to 100 s, twenty to a decade."""
    steps = [(decade, step) for decade in LATENCY_DECADES for step in range(LATENCY_CELLS_PER_DECADE)]
    # Six digits: the same edges whatever the platform's power function rounds to.
    edges = tuple(float(f"{10.0 ** (decade + step / LATENCY_CELLS_PER_DECADE):.6g}") for decade, step in steps)
    return ColumnCells(
        name=name,
        kind=ColumnKind.NUMERIC,
        role=ColumnRole.LATENCY,
        edges=edges,
        points=(False,) * len(edges),
        maximum=100_000.0,
        far_low=0.0,
        far_high=100_000.0,
    )


def interquartile_range(values: Float64s, weights: Float64s | None = None) -> float:
    """Return q75 - q25 of at least one value, both values of the sample; *weights* as in `numeric_cells`."""
    sample = _distribution(values, weights)
    return sample.quantile(0.75) - sample.quantile(0.25)


def _distribution(values: Float64s, weights: Float64s | None) -> _Distribution:
    if weights is None:
        distinct, counts = np.unique(values + 0.0, return_counts=True)
        return _Distribution(distinct, counts, np.cumsum(counts))
    distinct, place = np.unique(values + 0.0, return_inverse=True)
    masses = np.bincount(place, weights=weights)
    return _Distribution(distinct, masses, np.cumsum(masses))


def _far_bounds(sample: _Distribution) -> tuple[float, float]:
    low, high = sample.quantile(0.01), sample.quantile(0.99)
    width = (high - low) or sample.largest - float(sample.distinct[0])
    return low - FAR_WIDTHS * width, high + FAR_WIDTHS * width


def categorical_cells(texts: TextColumn, *, name: str, role: ColumnRole = ColumnRole.FEATURE) -> ColumnCells:
    """Return one cell per category, in the order of their texts.

    Raises:
        EmptySampleError: There are no categories.
        UncountableColumn: There are more than `MAXIMUM_CATEGORIES`. None is silently called unseen; the message says
            what such columns usually are.
    """
    categories = texts.categories
    if not categories:
        raise EmptySampleError(f"{name}: a column without categories has no cells")
    if len(categories) > MAXIMUM_CATEGORIES:
        raise UncountableColumn(
            f"expected at most {MAXIMUM_CATEGORIES} categories, found {len(categories)}{_likely_cause(categories)}"
        )
    return ColumnCells(name=name, kind=ColumnKind.CATEGORICAL, role=role, categories=categories)


def _likely_cause(categories: tuple[str, ...]) -> str:
    looked_at = categories[:: max(1, len(categories) // LOOKED_AT)]  # of a million one by one would take seconds
    other = [text for text in looked_at if not is_number(text)]
    if len(other) <= len(looked_at) // 2:
        example = f", but {other[0]!r} is none" if other else ""
        return f" (mixed types? {len(looked_at) - len(other)} of {len(looked_at)} are numbers{example})"
    return f" (an identifier or free text? for example {categories[0]!r})"


def column_cells(
    values: pa.ChunkedArray,
    column: CountedColumn,
    weights: RowWeights | None = None,
    *,
    given: ColumnCells | None = None,
) -> tuple[NumericColumn | TextColumn, ColumnCells]:
    """Return the values of *column* and its cells: chosen for them, or *given* ones of its name and kind.

    Raises:
        UncountableColumn: It cannot be counted; says why, without its name.
    """
    read = numeric_column(values) if column.kind is ColumnKind.NUMERIC else text_column(values)
    if np.all(read.missing | read.invalid):
        missing, invalid = int(read.missing.sum()), int(read.invalid.sum())
        raise UncountableColumn(f"expected values, found none: {missing} are missing, {invalid} not finite")
    if isinstance(read, TextColumn):
        if given is not None and not set(read.categories) & set(given.categories):
            raise UncountableColumn(f"expected one of {_some(given.categories)}, found only {_some(read.categories)}")
        return read, given or categorical_cells(read, name=column.name, role=column.role)
    low, high = float(read.valid.min()), float(read.valid.max())
    if column.role is ColumnRole.SCORE and not (low >= 0.0 and high <= 1.0):
        raise UncountableColumn(f"expected scores between 0 and 1, found {low:g} to {high:g}")
    if given is None:
        of_valid = weights_of_valid(read, weights)
        return read, numeric_cells(read.valid, name=column.name, role=column.role, weights=of_valid)
    return read, given


def _some(categories: tuple[str, ...]) -> str:
    return ", ".join(map(repr, categories[:5])) + (", …" if len(categories) > 5 else "")


def weights_of_valid(column: NumericColumn, weights: RowWeights | None) -> Float64s | None:
    """Return the weights of the finite values; None without weights."""
    return None if weights is None else weights.values[~(column.missing | column.invalid)]


def uncountable_reason(values: pa.ChunkedArray, *, column: CountedColumn) -> str | None:
    """Return why *column* cannot be counted, in the words of `build_profile`; None when it can."""
    try:
        column_cells(values, column)
    except UncountableColumn as error:
        return str(error)
    return None
