"""Normal columns whose means wander: their paths, their shares in even cells, their movement as a reference has it."""

import numpy as np
from scipy.special import ndtr, ndtri

from monitor.arrays import Float64s, Int64s
from monitor.reference.movement import column_movements
from monitor.reference.profile import ColumnMovement
from monitor.types import Calibration
from monitor.units import MINUTE_MILLIS


def wandering_paths(random: np.random.Generator, shape: tuple[int, ...], *, memory: float, along: int) -> Float64s:
    """Return Ornstein-Uhlenbeck processes of variance 1, step by step *along* an axis of *shape*.

    *memory*: in steps; 0: none.
    """
    kept = float(np.exp(-1.0 / memory)) if memory else 0.0
    paths = random.standard_normal(shape)
    steps = np.moveaxis(paths, along, 0)
    for step in range(1, len(steps)):
        steps[step] = kept * steps[step - 1] + np.sqrt(1.0 - kept * kept) * steps[step]
    return paths


def even_edges(cells: int) -> Float64s:
    """Return the ``cells + 1`` edges between which a unit normal falls equally often, infinite ones included."""
    edges: Float64s = ndtri(np.linspace(0.0, 1.0, cells + 1))
    return edges


def shares_of_cells(means: Float64s, *, cells: int) -> Float64s:
    """Return the shares of unit normals with *means* in even cells; shape ``(*means.shape, cells)``."""
    shares: Float64s = np.diff(ndtr(even_edges(cells) - means[..., np.newaxis]), axis=-1)
    return shares


def movement_between(blocks: Int64s, *, minutes: int) -> ColumnMovement:
    """Return the movement that a reference measures between *blocks* of so many minutes, which follow one another.

    *blocks*: shape ``(blocks, B)``, the counts of the column's bins.
    """
    starts = tuple(block * minutes * MINUTE_MILLIS for block in range(len(blocks)))
    movement = column_movements(starts=starts, block_minutes=minutes, bin_counts=blocks, lengths=(minutes,))[minutes]
    assert movement.status == Calibration.MEASURED
    return movement
