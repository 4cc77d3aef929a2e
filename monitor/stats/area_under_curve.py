"""Area under the ROC curve from score cells, with the most it can be off by."""

from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.columnar import ONE_COLUMN, Counts, Starts, column_lengths, paired_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaUnderCurve:
    """The raw scores' area lies in ``[area - half_width, area + half_width]``."""

    area: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AreasUnderCurve:
    """The same for many columns of scores: both arrays ``(..., columns)``, NaN where a class is empty."""

    areas: Float64s
    half_widths: Float64s


def area_under_curve(positives: Counts, negatives: Counts, *, point_cells: Mask | None = None) -> AreaUnderCurve:
    r"""Return the probability that a positive scores higher than a negative, ties counting half.

    .. math:: \mathrm{AUC} = \frac{1}{PN} \sum_c \mathrm{pos}_c
              \left( \sum_{b < c} \mathrm{neg}_b + \tfrac12 \mathrm{neg}_c \right), \qquad
              h = \frac{1}{2PN} \sum_{c \notin \mathrm{points}} \mathrm{pos}_c \, \mathrm{neg}_c

    A pair in one cell counts as a tie; whatever its true order, it is off by at most one half. Pairs in a cell of
    one value are ties.

    Args:
        positives: Shape ``(cells,)``. Positives per score cell, in the order of the scores.
        negatives: Shape ``(cells,)``, same cells.
        point_cells: Shape ``(cells,)``. True where all scores of a cell are equal; None: nowhere.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either class has no observations: there is no curve.

    References:
        Hanley & McNeil (1982); the half-width is elementary.
    """
    if positives.ndim != 1 or positives.shape != negatives.shape:
        raise BinMismatchError(f"expected two equal shapes (cells,), found {positives.shape} and {negatives.shape}")
    if positives.sum() <= 0 or negatives.sum() <= 0:
        raise EmptySampleError(f"found {positives.sum()} positives and {negatives.sum()} negatives, expected both")
    points = np.zeros(len(positives), dtype=np.bool_) if point_cells is None else point_cells
    curves = areas_under_curve(positives, negatives, point_cells=points, starts=ONE_COLUMN)
    return AreaUnderCurve(area=float(curves.areas[0]), half_width=float(curves.half_widths[0]))


def areas_under_curve(positives: Counts, negatives: Counts, *, point_cells: Mask, starts: Starts) -> AreasUnderCurve:
    """Return area and half-width of every column (a score per class); arguments and errors as of `paired_shares`.

    Args:
        point_cells: Shape ``(cells of all columns,)``, as in `area_under_curve`.
    """
    if positives.ndim == 0 or point_cells.shape != positives.shape[-1:]:
        raise BinMismatchError(f"expected equal last axes, found {positives.shape} and {point_cells.shape}")
    shares = paired_shares(positives, negatives, starts=starts)
    positive, negative = shares.reference, shares.current
    # One cumulative sum over the whole concatenation; what the columns before held is taken off again.
    reached = np.cumsum(negative, axis=-1) - 0.5 * negative
    before = (np.cumsum(negative, axis=-1) - negative)[..., starts]
    below = reached - np.repeat(before, column_lengths(starts, len(point_cells)), axis=-1)
    return AreasUnderCurve(
        areas=shares.sums(positive * below),
        half_widths=0.5 * shares.sums(positive * negative * ~point_cells),
    )
