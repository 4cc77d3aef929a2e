"""Chi-squared test of two binned samples, with thin cells merged."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from monitor.arrays import Float64s, Indices, Mask
from monitor.stats.columnar import ONE_COLUMN, Counts, Starts, paired_totals, require_one_column


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquared:
    """The statistic, its degrees of freedom (cells after merging, less one), and its p-value."""

    statistic: float
    freedom: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquaredTests:
    """The same for many columns: arrays ``(..., columns)``; NaN, and no freedom, where a side is empty."""

    statistics: Float64s
    freedoms: Indices
    p_values: Float64s


def chi_squared_test(reference: Counts, current: Counts, *, minimum_expected: float = 5.0) -> ChiSquared:
    r"""Return Pearson's test that both samples come from one distribution.

    .. math:: X^2 = \sum_i \frac{\left( r_i \sqrt{n/m} - c_i \sqrt{m/n} \right)^2}{r_i + c_i}

    with *r* and *c* the counts of the reference (*m* in all) and the window (*n*), over the cells after merging: all
    cells in which the smaller sample expects fewer than *minimum_expected* are one cell; where that one is still
    thin, the smallest of the others joins it. Without merging this is the test of the 2 × bins table. The reference
    is taken for the sample it is, not for the truth.

    Args:
        reference: Shape ``(bins,)``. Observations per bin in the reference sample.
        current: Shape ``(bins,)``. Observations per bin in the window, same edges.
        minimum_expected: Under it a cell is thin.

    Returns:
        `ChiSquared`: ``statistic``, ``freedom`` (cells after merging, less one) and ``p_value``; with a
        single cell left the statistic is 0.0, without freedom, and the p-value 1.0.

    Raises:
        BinMismatchError: The arrays are not one-dimensional and of one length.
        EmptySampleError: Either side has no observations.

    References:
        Pearson (1900); Cochran (1954) for the merging.

    Examples:
        >>> import numpy as np
        >>> from driftline import stats
        >>> test = stats.chi_squared_test(np.array([50, 30, 20]), np.array([20, 30, 50]))
        >>> round(test.statistic, 4), test.freedom, round(test.p_value, 8)
        (25.7143, 2, 2.61e-06)
    """
    require_one_column(reference, current)
    tests = chi_squared_tests(reference, current, minimum_expected=minimum_expected, starts=ONE_COLUMN)
    return ChiSquared(
        statistic=float(tests.statistics[0]), freedom=int(tests.freedoms[0]), p_value=float(tests.p_values[0])
    )


def chi_squared_tests(
    reference: Counts, current: Counts, *, minimum_expected: float = 5.0, starts: Starts
) -> ChiSquaredTests:
    """Return the test of every column; arguments and errors as of `chi_squared_test` and `paired_shares`."""
    lengths, m, n = paired_totals(reference, current, starts=starts)
    measured = (m > 0) & (n > 0)
    ratio = np.sqrt(np.where(measured, n, 1) / np.where(measured, m, 1))
    spread = np.repeat(ratio, lengths, axis=-1)
    gaps, totals = reference * spread - current / spread, reference + current
    expected = totals * np.repeat(np.minimum(m, n) / np.maximum(m + n, 1), lengths, axis=-1)
    thin = _thin_cells(expected, starts=starts, lengths=lengths, minimum=minimum_expected)

    def merged(terms: Counts) -> Counts:
        sums: Counts = np.add.reduceat(terms * thin, starts, axis=-1)
        return sums

    alone = np.where(thin, 0.0, np.square(gaps) / np.maximum(totals, 1))
    together = merged(totals)
    has_merged = together > 0
    statistics = np.add.reduceat(alone, starts, axis=-1) + np.square(merged(gaps)) / np.where(has_merged, together, 1)
    cells = np.add.reduceat(~thin, starts, axis=-1, dtype=np.intp) + has_merged
    freedoms = np.where(measured, np.maximum(cells - 1, 0), 0)
    statistics = np.where(freedoms > 0, statistics, 0.0)
    p_values = np.where(freedoms > 0, chdtrc(np.maximum(freedoms, 1), statistics), 1.0)
    return ChiSquaredTests(
        statistics=np.where(measured, statistics, np.nan),
        freedoms=freedoms,
        p_values=np.where(measured, p_values, np.nan),
    )


def _thin_cells(expected: Float64s, *, starts: Starts, lengths: Indices, minimum: float) -> Mask:
    """Return which cells are merged: those under the *minimum*, and the first smallest other where they stay under."""
    thin = expected < minimum
    together = np.add.reduceat(expected * thin, starts, axis=-1)
    short = np.repeat((together > 0) & (together < minimum), lengths, axis=-1)
    others = np.where(thin, np.inf, expected)
    smallest = others == np.repeat(np.minimum.reduceat(others, starts, axis=-1), lengths, axis=-1)
    rank = np.cumsum(smallest, axis=-1)
    before = (rank - smallest)[..., starts]
    first: Mask = smallest & (rank == np.repeat(before, lengths, axis=-1) + 1)
    return thin | (short & first)
