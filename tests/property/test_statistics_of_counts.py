"""What holds for the statistics of any counts whatever."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.stats.binning import decile_bins, rare_merge
from monitor.stats.kolmogorov_smirnov import kolmogorov_smirnov, kolmogorov_smirnov_distances
from monitor.stats.proportions import newcombe_difference, wilson_interval
from monitor.stats.psi import population_stability_index, population_stability_indexes
from monitor.stats.psi_bounds import proven_lower_bound, tier_threshold

EXAMPLES = settings(max_examples=60, deadline=None)
count = st.one_of(st.integers(0, 3), st.integers(0, 10**9))


@st.composite
def columns(draw: st.DrawFn) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Draw reference, current and point mask of one to six columns, none of them empty."""
    drawn = []
    for _ in range(draw(st.integers(1, 6))):
        bins = draw(st.integers(1, 15))
        sides = [np.array(draw(st.lists(count, min_size=bins, max_size=bins)), dtype=np.int64) for _ in range(2)]
        for side in sides:
            side[draw(st.integers(0, bins - 1))] += 1
        points = np.array(draw(st.lists(st.booleans(), min_size=bins, max_size=bins)), dtype=bool)
        drawn.append((sides[0], sides[1], points))
    return drawn


def joined(drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    """Return the columns side by side, and the first index of each."""
    starts = np.cumsum([0] + [len(reference) for reference, _, _ in drawn[:-1]])
    return (*(np.concatenate(side) for side in zip(*drawn, strict=True)), starts)


@EXAMPLES
@given(columns())
def test_psi_is_a_symmetric_divergence(drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """PSI is never negative, does not care which side is which, and is 0 on itself."""
    for reference, current, _ in drawn:
        index = population_stability_index(reference, current)
        assert index >= 0.0
        assert abs(index - population_stability_index(current, reference)) <= 1e-12 * max(1.0, index)
        assert population_stability_index(reference, reference) == 0.0


@EXAMPLES
@given(columns())
def test_columns_together_equal_columns_alone(drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    """The one-call forms of PSI and KS give each column the value it has alone, to 1e-12."""
    reference, current, points, starts = joined(drawn)
    indexes = population_stability_indexes(reference, current, starts=starts)
    np.testing.assert_allclose(indexes, [population_stability_index(r, c) for r, c, _ in drawn], rtol=1e-12, atol=1e-12)
    together = kolmogorov_smirnov_distances(reference, current, point_cells=points, starts=starts)
    alone = [kolmogorov_smirnov(r, c, point_cells=p) for r, c, p in drawn]
    np.testing.assert_allclose(together.distances, [one.distance for one in alone], rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(together.error_bounds, [one.error_bound for one in alone], rtol=0.0, atol=1e-12)


@EXAMPLES
@given(st.lists(st.floats(-3, 3).map(lambda x: round(x, 1)), min_size=1, max_size=60), st.data())
def test_the_distance_of_samples_lies_inside_the_bound_of_any_cells(values: list[float], data: st.DataObject) -> None:
    """However the line is cut into cells, the samples' own distance is between D and D + bound."""
    others = data.draw(st.lists(st.floats(-3, 3).map(lambda x: round(x, 1)), min_size=1, max_size=60))
    edges = np.array(sorted(data.draw(st.sets(st.floats(-3, 3).map(lambda x: round(x, 2)), max_size=8))))
    reference, current = np.array(values), np.array(others)
    counts = [np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) for side in (reference, current)]
    result = kolmogorov_smirnov(counts[0], counts[1], point_cells=np.zeros(len(edges) + 1, dtype=bool))
    at = np.concatenate([reference, current])
    gaps = [abs(np.mean(reference <= x) - np.mean(current <= x)) for x in at]
    assert result.distance <= max(gaps) + 1e-12
    assert max(gaps) <= result.distance + result.error_bound + 1e-12


@EXAMPLES
@given(st.lists(count, min_size=1, max_size=200).filter(any))
def test_bins_are_few_and_none_is_small(counts: list[int]) -> None:
    """Decile bins cover every cell once, hold 1 % each (or all is one bin), and are at most 19."""
    cells = np.array(counts, dtype=np.int64)
    starts = decile_bins(cells)
    held = np.add.reduceat(cells, starts)
    assert held.sum() == cells.sum()
    assert len(starts) <= 19
    assert len(starts) == 1 or held.min() >= 0.01 * cells.sum()


@EXAMPLES
@given(st.lists(count, min_size=1, max_size=80).filter(any))
def test_rare_categories_share_one_bin(counts: list[int]) -> None:
    """Every bin but the last holds one category, bins are numbered without gaps, and are at most 31."""
    categories = np.array(counts, dtype=np.int64)
    groups = rare_merge(categories)
    sizes = np.bincount(groups)
    assert len(sizes) <= 31
    assert (sizes[:-1] == 1).all()
    assert sizes[-1] >= 1


@EXAMPLES
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1), st.floats(0.5, 0.999999))
def test_intervals_hold_what_was_seen(n_1: int, n_2: int, p_1: float, p_2: float, confidence: float) -> None:
    """Wilson's interval holds the proportion, Newcombe's the difference, and both stay in range."""
    k_1, k_2 = round(p_1 * n_1), round(p_2 * n_2)
    interval = wilson_interval(k_1, n_1, confidence=confidence)
    assert 0.0 <= interval.low <= k_1 / n_1 + 1e-12
    assert k_1 / n_1 - 1e-12 <= interval.high <= 1.0
    difference = newcombe_difference(k_1, n_1, k_2, n_2, confidence=confidence)
    assert -1.0 - 1e-12 <= difference.low <= k_1 / n_1 - k_2 / n_2 <= difference.high <= 1.0 + 1e-12


@EXAMPLES
@given(
    psi=st.floats(0.0, 3.0),
    tier=st.sampled_from([0.0, 0.1, 0.2, 0.3]),
    bins=st.integers(2, 31),
    n=st.integers(50, 10**6),
    kappa=st.sampled_from([0.0, 1e-4, 0.01]),
    nu=st.sampled_from([0.5, 1.0, None]),
)
def test_one_lower_bound_settles_every_tier(
    psi: float, tier: float, bins: int, n: int, kappa: float, nu: float | None
) -> None:
    """The index passes a tier's threshold exactly where its proven lower bound passes the tier."""
    threshold = tier_threshold(tier, bins=bins, n=n, m=20_000, kappa=kappa, nu=nu, alpha=1e-5)
    low = proven_lower_bound(psi, bins=bins, n=n, m=20_000, kappa=kappa, nu=nu, alpha=1e-5)
    assert low <= psi
    if abs(psi - threshold) > 1e-8:
        assert (psi > threshold) == (low > tier)
