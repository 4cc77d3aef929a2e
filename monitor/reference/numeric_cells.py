"""Cells of a numeric column: quantiles of the reference, with a cell of its own for each heavy value."""

import math

import numpy as np
import numpy.typing as npt

from monitor.errors import EmptySampleError
from monitor.reference.cells import ColumnCells, ColumnRole
from monitor.spec import ColumnKind

QUANTILE_CELLS = 1000
FAR_WIDTHS = 3.0
LATENCY_DECADES = range(-1, 5)  # 0.1 ms to 100 s
LATENCY_CELLS_PER_DECADE = 20

Reals = npt.NDArray[np.float64]


def numeric_cells(values: Reals, *, name: str, role: ColumnRole = ColumnRole.FEATURE) -> ColumnCells:
    """Return cells on which the KS distance is exact for up to 1000 distinct values and deciles are sums of cells.

    Up to `QUANTILE_CELLS` distinct values: a point cell for each, and a gap cell between neighbours. More: an edge
    at every 1000th of the reference, and a point cell for each value that holds more than a 1000th. The far bounds
    are q01 - 3w and q99 + 3w with w = q99 - q01; where w is 0 (nearly all values equal) w is the whole range, for
    else every other value would be far out.

    Args:
        values: Shape ``(n,)``, finite, in any order.

    Raises:
        EmptySampleError: There are no values.
    """
    if values.size == 0:
        raise EmptySampleError(f"{name}: a column without numbers has no cells")
    ordered = np.sort(values) + 0.0
    distinct, counts = np.unique(ordered, return_counts=True)
    heavy = distinct if distinct.size <= QUANTILE_CELLS else distinct[counts * QUANTILE_CELLS > ordered.size]
    # No interpolation: an edge is always a value of the reference, so ties never straddle it.
    levels = np.arange(QUANTILE_CELLS, dtype=np.int64) * ordered.size
    quantiles = ordered[np.minimum(-(-levels // QUANTILE_CELLS), ordered.size - 1)]
    with np.errstate(over="ignore"):  # past the largest float is infinity, cut off below
        behind_heavy = np.nextafter(heavy, np.inf)
    edges = np.unique(np.concatenate([quantiles, heavy, behind_heavy]) + 0.0)
    edges = edges[edges <= ordered[-1]]
    low, high = _far_bounds(ordered)
    return ColumnCells(
        name=name,
        kind=ColumnKind.NUMERIC,
        role=role,
        edges=tuple(edges.tolist()),
        points=tuple(np.isin(edges, heavy).tolist()),
        maximum=float(ordered[-1]),
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


def interquartile_range(values: Reals) -> float:
    """Return q75 - q25 of at least one value, both values of the sample."""
    ordered = np.sort(values)
    return _quantile(ordered, 0.75) - _quantile(ordered, 0.25)


def _far_bounds(ordered: Reals) -> tuple[float, float]:
    low, high = _quantile(ordered, 0.01), _quantile(ordered, 0.99)
    width = (high - low) or float(ordered[-1]) - float(ordered[0])
    return low - FAR_WIDTHS * width, high + FAR_WIDTHS * width


def _quantile(ordered: Reals, level: float) -> float:
    # The smallest value with at least this share at or below it: interpolating could overflow.
    return float(ordered[max(0, math.ceil(level * ordered.size) - 1)])
