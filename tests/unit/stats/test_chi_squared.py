"""Which cells the chi-squared test merges, and that it keeps its level."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from monitor.errors import BinMismatchError
from monitor.stats.chi_squared import chi_squared_test, chi_squared_tests


def test_thin_cells_are_one_cell() -> None:
    """Cells in which the window expects under 5 are tested as their sum."""
    reference, current = np.array([400, 30, 500, 20, 50]), np.array([40, 6, 40, 9, 5])
    result = chi_squared_test(reference, current)
    # Of 100 in 1100 the window expects 3.3 of the second cell and 2.6 of the fourth.
    peer = chi2_contingency([[400, 500, 50, 50], [40, 40, 5, 15]], correction=False)
    assert result.statistic == pytest.approx(peer.statistic, rel=1e-12)
    assert (result.freedom, result.p_value) == (3, pytest.approx(peer.pvalue, rel=1e-12))


def test_thin_cells_that_stay_thin_take_in_the_smallest_other() -> None:
    """Together still under 5, they join the smallest of the others, the first where two are equal."""
    reference, current = np.array([400, 80, 12, 88, 420]), np.array([45, 20, 3, 12, 20])
    result = chi_squared_test(reference, current)
    peer = chi2_contingency([[400, 92, 88, 420], [45, 23, 12, 20]], correction=False)
    assert result.statistic == pytest.approx(peer.statistic, rel=1e-12)
    assert result.freedom == 3


def test_empty_cells_are_no_freedom() -> None:
    """A cell in which neither sample has anything changes nothing."""
    plain = chi_squared_test(np.array([50, 50]), np.array([30, 60]))
    padded = chi_squared_test(np.array([0, 50, 0, 50]), np.array([0, 30, 0, 60]))
    assert padded == plain
    assert plain.freedom == 1


def test_one_cell_proves_nothing() -> None:
    """A single cell, or cells that are all thin, leave the p-value at 1."""
    for reference, current in (([100], [20]), ([2, 2, 3], [3, 1, 0])):
        result = chi_squared_test(np.array(reference), np.array(current))
        assert (result.statistic, result.freedom, result.p_value) == (0.0, 0, 1.0)


def test_without_a_change_p_values_are_uniform() -> None:
    """Of unchanged samples with thin cells 1 % have a p-value under 0.01, and 10 % one under 0.1."""
    generator = np.random.default_rng(23)
    shares, runs = np.array([0.4, 0.3, 0.2, 0.06, 0.02, 0.01, 0.01]), 40_000
    reference, current = generator.multinomial(2000, shares, runs), generator.multinomial(300, shares, runs)
    tests = chi_squared_tests(reference, current, starts=np.array([0]))
    # The window expects 6 of the fifth cell, 3 each of the last two: as a rule these are one cell.
    assert np.bincount(tests.freedoms.ravel()).argmax() == 5
    # Four standard deviations of the simulated share, and a tenth of the level for the approximation itself.
    for level in (0.01, 0.1):
        spread = 4.0 * np.sqrt(level * (1 - level) / runs)
        assert np.mean(tests.p_values < level) == pytest.approx(level, abs=spread + level / 10)


def test_columns_merge_by_themselves() -> None:
    """Columns and windows side by side have the tests they have alone; an empty column has none."""
    generator = np.random.default_rng(24)
    starts, stops = [0, 3, 10, 11], [3, 10, 11, 14]
    reference, current = generator.poisson(20, 14), generator.poisson(4, (3, 14))
    current[1, 11:] = 0
    together = chi_squared_tests(reference, current, starts=np.array(starts))
    for window in range(3):
        for column, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            if window == 1 and column == 3:
                assert np.isnan(together.statistics[window, column])
                assert np.isnan(together.p_values[window, column])
                assert together.freedoms[window, column] == 0
                continue
            alone = chi_squared_test(reference[start:stop], current[window, start:stop])
            assert together.statistics[window, column] == pytest.approx(alone.statistic, rel=1e-12)
            assert together.freedoms[window, column] == alone.freedom
            assert together.p_values[window, column] == pytest.approx(alone.p_value, rel=1e-12)


def test_unequal_bins_are_refused() -> None:
    """Histograms on different bins make no table."""
    with pytest.raises(BinMismatchError):
        chi_squared_tests(np.array([1, 2]), np.array([1, 2, 3]), starts=np.array([0]))
