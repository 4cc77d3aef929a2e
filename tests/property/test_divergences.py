"""What holds for the distances and divergences of any counts whatever."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.stats.area_under_curve import area_under_curve
from monitor.stats.chi_squared import chi_squared_test, chi_squared_tests
from monitor.stats.divergences import (
    hellinger_distance,
    hellinger_distances,
    jensen_shannon_distance,
    jensen_shannon_distances,
    jensen_shannon_divergence,
    jensen_shannon_divergences,
    kullback_leibler_divergences,
    l_infinity_distances,
    total_variation_distance,
    total_variation_distances,
)
from monitor.stats.psi import population_stability_index
from monitor.stats.wasserstein import relative_widths, wasserstein_distance, wasserstein_distances
from tests.oracle.one_column import kullback_leibler_divergence, l_infinity_distance
from tests.property.test_statistics_of_counts import columns, joined

EXAMPLES = settings(max_examples=60, deadline=None)
Counted = list[tuple[np.ndarray, np.ndarray, np.ndarray]]

SINGLE: dict[str, Callable[..., float]] = {
    "jensen_shannon_divergence": jensen_shannon_divergence,
    "jensen_shannon_distance": jensen_shannon_distance,
    "kullback_leibler": kullback_leibler_divergence,
    "hellinger": hellinger_distance,
    "total_variation": total_variation_distance,
    "l_infinity": l_infinity_distance,
}
TOGETHER: dict[str, Callable[..., np.ndarray]] = {
    "jensen_shannon_divergence": jensen_shannon_divergences,
    "jensen_shannon_distance": jensen_shannon_distances,
    "kullback_leibler": kullback_leibler_divergences,
    "hellinger": hellinger_distances,
    "total_variation": total_variation_distances,
    "l_infinity": l_infinity_distances,
}
LARGEST = {
    "jensen_shannon_divergence": math.log(2.0),
    "jensen_shannon_distance": math.sqrt(math.log(2.0)),
    "kullback_leibler": math.inf,
    "hellinger": 1.0,
    "total_variation": 1.0,
    "l_infinity": 1.0,
}


@EXAMPLES
@given(columns())
def test_a_distance_is_one(drawn: Counted) -> None:
    """Never negative, never past its bound, 0 on itself, and symmetric (all but Kullback–Leibler)."""
    for reference, current, _ in drawn:
        for name, distance in SINGLE.items():
            result = distance(reference, current)
            assert 0.0 <= result <= LARGEST[name] + 1e-15
            assert distance(reference, reference) == 0.0
            if name != "kullback_leibler":
                assert result == pytest.approx(distance(current, reference), abs=1e-12)


@EXAMPLES
@given(columns())
def test_only_proportions_count(drawn: Counted) -> None:
    """A thousand times the traffic, or a real-valued mixture with the same shares, changes nothing.

    Kullback–Leibler is left out: ½ is added to its bins.
    """
    for reference, current, _ in drawn:
        for distance in (distance for name, distance in SINGLE.items() if name != "kullback_leibler"):
            # A distance is the root of a sum that is known to 1e-16.
            scaled = distance(reference * 0.37, current * 1000)
            assert scaled == pytest.approx(distance(reference, current), abs=1e-8)


@EXAMPLES
@given(st.data())
def test_metrics_obey_the_triangle(data: st.DataObject) -> None:
    """The way over a third sample is never shorter."""
    bins = data.draw(st.integers(1, 8))
    side = st.lists(st.integers(0, 50), min_size=bins, max_size=bins).filter(any).map(np.array)
    one, two, three = (data.draw(side) for _ in range(3))
    for name in ("jensen_shannon_distance", "hellinger", "total_variation", "l_infinity"):
        distance = SINGLE[name]
        assert distance(one, three) <= distance(one, two) + distance(two, three) + 1e-12


@EXAMPLES
@given(drawn=columns(), data=st.data())
def test_coarser_bins_never_see_more(drawn: Counted, data: st.DataObject) -> None:
    """Merging neighbouring bins lowers a divergence, or leaves it (the data-processing inequality)."""
    for reference, current, _ in drawn:
        cuts = np.array(sorted({0, *data.draw(st.sets(st.integers(0, len(reference) - 1), max_size=5))}))
        for name in ("jensen_shannon_divergence", "hellinger", "total_variation"):
            coarse = SINGLE[name](np.add.reduceat(reference, cuts), np.add.reduceat(current, cuts))
            assert coarse <= SINGLE[name](reference, current) + 1e-12


@EXAMPLES
@given(drawn=columns(), data=st.data())
def test_the_order_of_bins_does_not_matter(drawn: Counted, data: st.DataObject) -> None:
    """Bins are a set: any permutation has the same value."""
    for reference, current, _ in drawn:
        order = np.array(data.draw(st.permutations(range(len(reference)))))
        for distance in SINGLE.values():
            moved = distance(reference[order], current[order])
            assert moved == pytest.approx(distance(reference, current), rel=1e-9, abs=1e-12)


@EXAMPLES
@given(columns())
def test_columns_together_equal_columns_alone(drawn: Counted) -> None:
    """The one-call forms give each column the value it has alone."""
    reference, current, _, starts = joined(drawn)
    for name, distance in SINGLE.items():
        together = TOGETHER[name](reference, current, starts=starts)
        alone = [distance(reference, current) for reference, current, _ in drawn]
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


@EXAMPLES
@given(columns())
def test_the_divergences_bound_each_other(drawn: Counted) -> None:
    """H² ≤ TV ≤ √2 H, L∞ ≤ TV, JS ≤ ln 2 · TV, Pinsker's TV ≤ √(KL/2), and PSI is KL both ways."""
    for reference, current, _ in drawn:
        hellinger, variation = hellinger_distance(reference, current), total_variation_distance(reference, current)
        assert hellinger**2 <= variation + 1e-12
        assert variation <= math.sqrt(2.0) * hellinger + 1e-12
        assert l_infinity_distance(reference, current) <= variation + 1e-12
        assert jensen_shannon_divergence(reference, current) <= math.log(2.0) * variation + 1e-12
        smoothed = total_variation_distance(reference + 0.5, current + 0.5)
        forward = kullback_leibler_divergence(reference, current)
        backward = kullback_leibler_divergence(current, reference)
        assert smoothed <= math.sqrt(min(forward, backward) / 2.0) + 1e-12
        index = population_stability_index(reference, current)
        assert index == pytest.approx(forward + backward, rel=1e-9, abs=1e-12)


@EXAMPLES
@given(columns())
def test_chi_squared_is_symmetric_and_0_on_itself(drawn: Counted) -> None:
    """The test does not care which sample is which; its p-value is a probability, 1 on itself."""
    for reference, current, _ in drawn:
        result, swapped = chi_squared_test(reference, current), chi_squared_test(current, reference)
        assert result.statistic >= 0.0
        assert 0.0 <= result.p_value <= 1.0
        assert result.statistic == pytest.approx(swapped.statistic, rel=1e-9, abs=1e-9)
        assert result.freedom == swapped.freedom <= len(reference) - 1
        assert chi_squared_test(reference, reference).p_value == 1.0
    reference, current, _, starts = joined(drawn)
    together = chi_squared_tests(reference, current, starts=starts)
    alone = [chi_squared_test(reference, current) for reference, current, _ in drawn]
    np.testing.assert_allclose(together.statistics, [test.statistic for test in alone], rtol=1e-9, atol=1e-12)
    assert together.freedoms.tolist() == [test.freedom for test in alone]


@EXAMPLES
@given(drawn=columns(), data=st.data())
def test_wasserstein_of_any_cells(drawn: Counted, data: st.DataObject) -> None:
    """At least 0, 0 on itself, the same in any unit, and together as alone."""
    lows, highs, alone = [], [], []
    for reference, current, _ in drawn:
        gaps = data.draw(st.lists(st.integers(0, 5), min_size=len(reference), max_size=len(reference)))
        edges = np.cumsum([0.0, *gaps])
        result = wasserstein_distance(reference, current, edges=edges)
        other_unit = wasserstein_distance(reference, current, edges=1000.0 * edges - 7.0)
        assert math.isnan(result) or result >= 0.0
        assert other_unit == pytest.approx(result, rel=1e-9, abs=1e-12, nan_ok=True)
        on_itself = wasserstein_distance(reference, reference, edges=edges)
        assert math.isnan(result) == math.isnan(on_itself)
        assert math.isnan(on_itself) or on_itself == 0.0
        lows.append(edges[:-1])
        highs.append(edges[1:])
        alone.append(result)
    reference, current, _, starts = joined(drawn)
    widths = relative_widths(reference, low=np.concatenate(lows), high=np.concatenate(highs), starts=starts)
    together = wasserstein_distances(reference, current, widths=widths, starts=starts)
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9)


@EXAMPLES
@given(drawn=columns(), data=st.data())
def test_coarser_score_cells_widen_the_area_around_the_finer_one(drawn: Counted, data: st.DataObject) -> None:
    """The interval of coarse cells holds that of the finer cells they are made of."""
    for positives, negatives, _ in drawn:
        cuts = np.array(sorted({0, *data.draw(st.sets(st.integers(0, len(positives) - 1), max_size=5))}))
        fine = area_under_curve(positives, negatives)
        coarse = area_under_curve(np.add.reduceat(positives, cuts), np.add.reduceat(negatives, cuts))
        assert coarse.area - coarse.half_width <= fine.area - fine.half_width + 1e-12
        assert fine.area + fine.half_width <= coarse.area + coarse.half_width + 1e-12
        assert fine.area - fine.half_width >= -1e-12
        assert fine.area + fine.half_width <= 1.0 + 1e-12
