"""Wasserstein-1 distance from cell counts, clipped to the reference's 1st to 99th percentile and scaled by its IQR."""

import numpy as np

from monitor.arrays import Float64s
from monitor.errors import BinMismatchError
from monitor.stats.columnar import ONE_COLUMN, Counts, Starts, column_lengths, matched_shares, require_one_column

CLIPPED_BELOW, CLIPPED_ABOVE = 0.01, 0.99


def wasserstein_distance(reference: Counts, current: Counts, *, edges: Float64s) -> float:
    r"""Return how far the values had to move on average, as a share of the reference's interquartile range.

    .. math:: W_1 = \frac{1}{\mathrm{IQR}} \int_{x_{01}}^{x_{99}} |F_m(x) - G_n(x)| \, dx

    That is the distance of both samples with what lies outside the reference's 1st to 99th percentile moved to
    there: from counts the distance of heavy tails means nothing, and from raw samples little. Inside a cell both
    cumulative shares are taken for straight lines. On 1000 quantile cells within 2 % of the raw samples' distance
    where there is a shift and 1,500 events (3.5 % for 200 events of a heavy tail); exact where every value has a
    cell of its own. Where in a wide cell that the reference leaves empty the window's values lie is not known.

    Args:
        reference: Shape ``(cells,)``, in the order of the values.
        current: Shape ``(cells,)``, same cells.
        edges: Shape ``(cells + 1,)``, finite, never decreasing. A cell of no width holds its values in one point.

    Returns:
        At least 0.0; NaN (not measured) where the reference's interquartile range is 0.

    Raises:
        BinMismatchError: The arrays are not one-dimensional, or their lengths do not fit.
        EmptySampleError: Either side has no observations.

    References:
        Vallender (1974) for the integral.

    Examples:
        >>> from driftline import stats
        >>> counts = stats.value_counts(range(1, 101), range(6, 106))
        >>> moved = stats.wasserstein_distance(counts.reference, counts.current, edges=counts.edges)
        >>> round(moved, 4)  # 5 of an interquartile range of 50, less what clipping hides
        0.0958
    """
    require_one_column(reference, current)
    if edges.shape != (len(reference) + 1,):
        raise BinMismatchError(f"expected {len(reference) + 1} edges of {len(reference)} cells, found {edges.shape}")
    widths = relative_widths(reference, low=edges[:-1], high=edges[1:], starts=ONE_COLUMN)
    return float(wasserstein_distances(reference, current, widths=widths, starts=ONE_COLUMN)[0])


def wasserstein_distances(reference: Counts, current: Counts, *, widths: Float64s, starts: Starts) -> Float64s:
    """Return the distance of every column, NaN where its widths are; arguments and errors as of `paired_shares`.

    Args:
        widths: Shape ``(cells of all columns,)``, as from `relative_widths`.
    """
    if reference.ndim == 0 or widths.shape != reference.shape[-1:]:
        raise BinMismatchError(f"expected equal last axes, found {reference.shape} and {widths.shape}")
    shares = matched_shares(reference, current, starts=starts)
    # In place where possible: new arrays of 20,000 cells cost more than what is computed in them.
    steps = np.subtract(shares.reference, shares.current)
    after = np.cumsum(steps, axis=-1)
    before = np.subtract(after, steps, out=steps)
    crossing = np.nonzero(before * after < 0.0)
    left, right = before[crossing], after[crossing]
    # Twice the mean of |line| from before to after: their sum, unless the line crosses 0 on its way.
    heights = np.abs(np.add(after, before, out=after), out=after)
    heights[crossing] = (np.square(left) + np.square(right)) / np.abs(right - left)
    heights *= widths
    return 0.5 * shares.sums(heights)


def relative_widths(reference: Counts, *, low: Float64s, high: Float64s, starts: Starts) -> Float64s:
    """Return the widths of all cells in interquartile ranges of their column, 0 outside the clipping percentiles.

    They do not change from window to window. Percentiles are taken at cell edges, outwards; quartiles inside a cell
    by interpolation.

    Args:
        reference: Shape ``(cells of all columns,)``, in the order of the values.
        low, high: Shape ``(cells of all columns,)``. Where each cell begins and ends, finite.
        starts: Shape ``(columns,)``. First cell of each column.

    Returns:
        Shape ``(cells of all columns,)``; NaN in a column without observations, or whose range is 0 or overflows.

    Raises:
        BinMismatchError: The arrays do not fit each other or *starts*.
    """
    if reference.ndim != 1 or not reference.shape == low.shape == high.shape:
        raise BinMismatchError(f"expected three equal shapes, found {reference.shape}, {low.shape}, {high.shape}")
    stops = starts + column_lengths(starts, len(reference))
    columns = [slice(start, stop) for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)]
    with np.errstate(over="ignore", invalid="ignore"):  # columns as wide as floats reach have no range: NaN
        return np.concatenate([_relative_widths(reference[column], low[column], high[column]) for column in columns])


def _relative_widths(reference: Counts, low: Float64s, high: Float64s) -> Float64s:
    cumulative = np.cumsum(reference, dtype=np.float64)
    m = cumulative[-1]
    if m <= 0:
        return np.full(len(reference), np.nan)
    first = int(np.searchsorted(cumulative, CLIPPED_BELOW * m, side="right"))
    last = int(np.searchsorted(cumulative, CLIPPED_ABOVE * m, side="left"))
    quartiles = [_quantile(level * m, reference, cumulative, low, high) for level in (0.25, 0.75)]
    interquartile_range = quartiles[1] - quartiles[0]
    if not 0.0 < interquartile_range < np.inf:
        return np.full(len(reference), np.nan)
    widths = (high - low) / interquartile_range
    widths[:first] = widths[last + 1 :] = 0.0
    return widths


def _quantile(rank: float, reference: Counts, cumulative: Counts, low: Float64s, high: Float64s) -> float:
    """Return the value with *rank* observations below it."""
    cell = int(np.searchsorted(cumulative, rank, side="left"))
    inside = (rank - (cumulative[cell] - reference[cell])) / reference[cell]
    return float(low[cell] + inside * (high[cell] - low[cell]))
