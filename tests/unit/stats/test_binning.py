"""Deciles and rare categories, case by case."""

import numpy as np
import pytest

from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.binning import decile_bins, rare_merge


def test_a_thousand_equal_cells_make_ten_equal_bins() -> None:
    """Quantile cells coarsen to the deciles exactly."""
    assert decile_bins(np.full(1000, 7)).tolist() == list(range(0, 1000, 100))


@pytest.mark.parametrize("counts", [[980, 20], [20, 980]])
def test_a_rare_flag_keeps_its_own_bin(counts: list[int]) -> None:
    """A flag of 2 % makes two bins, whichever of its values is the rare one."""
    assert decile_bins(np.array(counts)).tolist() == [0, 1]


def test_a_flag_under_one_percent_is_merged() -> None:
    """What holds under 1 % of the reference has no bin of its own."""
    assert decile_bins(np.array([995, 5])).tolist() == [0]


def test_a_constant_column_has_one_bin() -> None:
    """One value, wherever the empty cells lie, is one bin."""
    assert decile_bins(np.array([50])).tolist() == [0]
    assert decile_bins(np.array([0, 0, 50, 0])).tolist() == [0]


def test_zeros_stand_alone_between_what_is_below_and_above() -> None:
    """15 % negative in 15 cells, 60 % zeros, 25 % positive in 25 cells: the zeros are a bin of their own."""
    starts = decile_bins(np.array([10] * 15 + [600] + [10] * 25))
    assert starts.tolist() == [0, 10, 15, 16, 21, 31]


def test_small_bins_go_to_their_smaller_neighbour() -> None:
    """0.5 % between zeros of 80 % and a decile of 9.5 % joins the decile."""
    counts = np.array([800, 5, 95, 100])
    assert np.add.reduceat(counts, decile_bins(counts)).tolist() == [800, 100, 100]


def test_an_empty_reference_or_a_matrix_is_refused() -> None:
    """Nothing has no deciles and no frequent categories."""
    for binning in (decile_bins, rare_merge):
        with pytest.raises(EmptySampleError):
            binning(np.zeros(4, dtype=np.int64))
        with pytest.raises(BinMismatchError):
            binning(np.ones((2, 2), dtype=np.int64))


def test_categories_under_one_percent_share_the_last_bin() -> None:
    """Frequent categories keep their order; the rare ones share one bin after them."""
    assert rare_merge(np.array([5, 500, 9, 486, 0])).tolist() == [2, 0, 2, 1, 2]


def test_past_the_thirtieth_every_category_is_rare() -> None:
    """Of 40 equal categories the first 30 have bins; of unequal ones the largest 30."""
    assert rare_merge(np.full(40, 10)).tolist() == [*range(30), *[30] * 10]
    ascending = rare_merge(np.arange(100, 140))
    assert ascending.tolist() == [*[30] * 10, *range(30)]


def test_without_rare_categories_there_is_no_rare_bin() -> None:
    """Exactly 1 % is frequent, and then every category has its own bin."""
    assert rare_merge(np.array([99, 1])).tolist() == [0, 1]
