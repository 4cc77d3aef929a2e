"""Samples of every awkward kind, shifted or not, and their counts on cells and bins of the reference."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from monitor.arrays import Float64s, Int64s, Mask

# Each draws n values from a generator; 1.0 moves them by a shift that people would want to know of, 0.0 not at all.
SAMPLES: dict[str, Callable[[np.random.Generator, int, float], Float64s]] = {
    "normal": lambda g, n, moved: g.normal(0.2 * moved, 1.0, n),
    "lognormal(2)": lambda g, n, moved: g.lognormal(0.3 * moved, 2.0, n),
    "Pareto(1.1)": lambda g, n, moved: g.pareto(1.1, n) * (1.0 + 0.3 * moved),
    "Cauchy": lambda g, n, moved: g.standard_cauchy(n) + 0.3 * moved,
    "60 % zeros": lambda g, n, moved: np.where(g.random(n) < 0.6 - 0.1 * moved, 0.0, g.exponential(1.0, n)),
    "Poisson": lambda g, n, moved: g.poisson(3.0 + 0.5 * moved, n).astype(float),
    "rounded": lambda g, n, moved: np.round(g.normal(0.2 * moved, 1.0, n), 1),
    "bimodal": lambda g, n, moved: g.normal(0.0, 0.5, n) + np.where(g.random(n) < 0.5 + 0.1 * moved, 4.0, 0.0),
}


class Counted(NamedTuple):
    """Two samples on the same cells."""

    reference: Int64s
    current: Int64s
    point_cells: Mask
    edges: Float64s


def cells_of(reference: Float64s, current: Float64s, cells: int) -> Counted:
    """Count both samples on quantile cells of the reference, as the profile does.

    A value heavier than one cell gets a point cell; so does every value when there are few. Values outside
    the reference's range have a cell at each end, of no width, where the reference has 0.
    """
    values, weights = np.unique(reference, return_counts=True)
    if len(values) <= cells:
        points = values
        edges = values
    else:
        points = values[weights > len(reference) / cells]
        quantiles = np.quantile(reference, np.linspace(0.0, 1.0, cells + 1), method="inverted_cdf")
        edges = np.unique(np.concatenate([quantiles, points]))
    # A point v is the cell (just under v, v]; any other edge e ends the cell (edge before, e].
    edges = np.unique(np.concatenate([edges, np.nextafter(points, -np.inf)]))
    counts = [
        np.bincount(np.searchsorted(edges, sample, side="left"), minlength=len(edges) + 1)
        for sample in (reference, current)
    ]
    return Counted(counts[0], counts[1], np.append(np.isin(edges, points), False), edges[[0, *range(len(edges)), -1]])


def deciles_of(reference: Float64s, current: Float64s) -> tuple[Int64s, Int64s]:
    """Count both samples on the reference's deciles, fewer where values tie."""
    edges = np.unique(np.quantile(reference, np.arange(1, 10) / 10))
    counts = [np.bincount(np.searchsorted(edges, value), minlength=len(edges) + 1) for value in (reference, current)]
    return counts[0], counts[1]
