"""Raw samples counted on the same bins: the monitor's deciles and categories, and cells with exact distances."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, wasserstein_distance

from driftline import stats
from monitor.arrays import Float64s, Int64s
from monitor.errors import EmptySampleError
from monitor.reference.cell_choice import numeric_cells
from monitor.stats.binning import decile_bins
from tests.unit.stats.samples import SAMPLES

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
SAMPLE = st.lists(FINITE | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=60)
LABELS = st.lists(st.sampled_from(["a", "b", "c", "d", 1, 2]), min_size=1, max_size=60)


def monitored(reference: Float64s, current: Float64s) -> tuple[Int64s, Int64s]:
    """Count both samples as the monitor does: on the cells of a profile, BELOW and ABOVE in the outer bins."""
    edges = np.array(numeric_cells(reference, name="x").edges)
    cells = [
        np.bincount(np.maximum(np.searchsorted(edges, sample, side="right") - 1, 0), minlength=len(edges))
        for sample in (reference, current)
    ]
    starts = decile_bins(cells[0])
    return np.add.reduceat(cells[0], starts), np.add.reduceat(cells[1], starts)


@pytest.mark.parametrize("moved", [0.0, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_deciles_are_those_of_the_monitor(name: str, moved: float) -> None:
    """On a reference whose thousandths are whole rows both ways count the same in every bin, ties or not."""
    generator = np.random.default_rng(11)
    reference, current = SAMPLES[name](generator, 8000, 0.0), SAMPLES[name](generator, 1500, moved)
    counts = stats.decile_counts(reference, current)
    before, now = monitored(reference, current)
    np.testing.assert_array_equal(counts.reference, before)
    np.testing.assert_array_equal(counts.current, now)


@pytest.mark.parametrize("rows", [1777, 4321, 7999])
def test_deciles_of_odd_references_are_within_a_thousandth_of_the_monitors(rows: int) -> None:
    """Where a thousandth is no whole row, each decile lies within one of the monitor's cells and one row of its own."""
    reference = np.random.default_rng(13).normal(0.0, 1.0, rows)
    before, _ = monitored(reference, reference)
    counts = stats.decile_counts(reference, reference)
    assert len(before) == len(counts.reference) == 10
    assert np.abs(np.cumsum(before) - np.cumsum(counts.reference)).max() <= rows / 1000 + 1


@given(reference=SAMPLE, current=SAMPLE)
def test_the_edges_give_numpys_histogram_of_both(reference: list[float], current: list[float]) -> None:
    """Nothing is lost, whatever the values: counts are numpy.histogram's on the edges and add up to the samples."""
    counts = stats.decile_counts(reference, current)
    for held, sample in ((counts.reference, reference), (counts.current, current)):
        np.testing.assert_array_equal(held, np.histogram(sample, counts.edges)[0])
        assert held.sum() == len(sample)
    assert counts.reference.min() > 0


def test_a_flag_has_two_bins_and_a_constant_one() -> None:
    """A flag of 2 % keeps its rare value visible; a constant column can show no drift by its bins."""
    flag = [0] * 98 + [1] * 2
    assert stats.decile_counts(flag, flag).reference.tolist() == [98, 2]
    constant = stats.decile_counts([3.0] * 50, [3.0, 4.0])
    assert (constant.reference.tolist(), constant.current.tolist()) == ([50], [2])


@pytest.mark.parametrize("moved", [0.0, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_distances_on_value_counts_are_those_of_the_raw_samples(name: str, moved: float) -> None:
    """KS is scipy's on the samples with no error left; Wasserstein is scipy's on the clipped samples over the IQR."""
    generator = np.random.default_rng(12)
    reference, current = SAMPLES[name](generator, 3000, 0.0), SAMPLES[name](generator, 700, moved)
    counts = stats.value_counts(reference, current)
    ks = stats.kolmogorov_smirnov(counts.reference, counts.current, point_cells=counts.point_cells)
    assert ks.error_bound == 0.0
    assert ks.distance == pytest.approx(ks_2samp(reference, current).statistic, abs=1e-12)
    ordered = np.sort(reference)
    # 1 % of 3000 rows are 30: the 31st value is the first with more below or at it, the 2970th the first with 99 %.
    low, high, first_quartile, third_quartile = ordered[[30, 2969, 749, 2249]]
    by_scipy = wasserstein_distance(np.clip(reference, low, high), np.clip(current, low, high))
    moved_by = stats.wasserstein_distance(counts.reference, counts.current, edges=counts.edges)
    # Cumulative sums of some 7000 cells, weighted by gaps that in heavy tails are hundreds of IQRs wide.
    assert moved_by == pytest.approx(by_scipy / (third_quartile - first_quartile), rel=1e-9, abs=1e-9)


@given(reference=LABELS, current=LABELS)
def test_every_label_is_in_one_bin_or_unseen(reference: list[str | int], current: list[str | int]) -> None:
    """Bins part the reference's labels; what is in none is unseen; the counts are those of the labels in the bin."""
    counts = stats.category_counts(reference, current, minimum_share=0.1, maximum=3)
    members = [label for group in counts.categories for label in group]
    assert sorted(members, key=str) == sorted(set(reference), key=str)
    for group, reference_count, current_count in zip(counts.categories, counts.reference, counts.current, strict=True):
        assert reference_count == sum(label in group for label in reference)
        assert current_count == sum(label in group for label in current)
    assert counts.current.sum() + counts.unseen == len(current)


def test_rare_categories_share_the_last_bin() -> None:
    """Under 1 % of the reference have no bin of their own, and the frequent keep the order of their texts."""
    reference = ["web"] * 500 + ["app"] * 495 + ["fax"] * 3 + ["telex"] * 2
    counts = stats.category_counts(np.array(reference), np.array(["fax", "telex", "app"]))
    assert counts.categories == (("app",), ("web",), ("fax", "telex"))
    assert (counts.reference.tolist(), counts.current.tolist()) == ([495, 500, 5], [1, 0, 2])


def test_labels_of_arrays_and_of_lists_are_the_same() -> None:
    """Numpy's integers, booleans and texts count as Python's do."""
    of_numpy: list[Any] = [1, np.int64(2)]
    assert stats.category_counts(np.array([1, 2, 2]), of_numpy).current.tolist() == [1, 1]
    assert stats.category_counts(np.array([True, False]), [True]).categories == ((False,), (True,))


@pytest.mark.parametrize("count", [stats.decile_counts, stats.value_counts])
def test_numbers_that_cannot_be_counted_are_refused(count: object) -> None:
    """No values, NaN, infinity and tables are refused with the side and what was found."""
    assert callable(count)
    with pytest.raises(EmptySampleError, match="current: expected at least one value"):
        count([1.0], [])
    with pytest.raises(ValueError, match="reference: expected finite numbers, found 2 NaN or infinite of 3"):
        count([1.0, np.nan, np.inf], [1.0])
    with pytest.raises(ValueError, match=r"current: expected one column of shape \(n,\), found \(2, 2\)"):
        count([1.0], np.ones((2, 2)))


def test_labels_that_cannot_be_counted_are_refused() -> None:
    """Missing labels, dates and empty samples are refused with what was found."""
    unusable: list[Any] = [None, float("nan"), np.datetime64("2026-01-01")]
    for missing in unusable:
        with pytest.raises(ValueError, match="current: expected texts, numbers or booleans, found"):
            stats.category_counts(["a"], ["a", missing])
    with pytest.raises(EmptySampleError, match="reference: expected at least one value"):
        stats.category_counts([], ["a"])


def test_options_out_of_their_range_are_refused() -> None:
    """One bin, a share of 1 and no category have no counts to compare."""
    with pytest.raises(ValueError, match="bins must be at least 2, found 1"):
        stats.decile_counts([1.0], [1.0], bins=1)
    with pytest.raises(ValueError, match=r"minimum_share must lie in \[0, 1\), found 1.0"):
        stats.decile_counts([1.0], [1.0], minimum_share=1.0)
    with pytest.raises(ValueError, match="maximum must be at least 1, found 0"):
        stats.category_counts(["a"], ["a"], maximum=0)
