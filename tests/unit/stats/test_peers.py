"""Statistics of bins against scipy's own functions on the same bins."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.distance import chebyshev, cityblock, jensenshannon
from scipy.stats import chi2_contingency, entropy

from monitor.arrays import Int64s
from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.chi_squared import chi_squared_test
from monitor.stats.divergences import (
    hellinger_distance,
    jensen_shannon_distance,
    jensen_shannon_divergence,
    total_variation_distance,
)
from monitor.stats.psi import population_stability_index
from tests.oracle.one_column import kullback_leibler_divergence, l_infinity_distance
from tests.unit.stats.samples import SAMPLES, deciles_of

# What §8 asks for; sums of some ten terms under 1 differ by 1e-15 at most.
AGREEMENT = 1e-9


@pytest.fixture(params=[(name, moved) for name in SAMPLES for moved in (0.0, 1.0)], ids=lambda sample: f"{sample[0]}")
def counts(request: pytest.FixtureRequest) -> tuple[Int64s, Int64s]:
    """Give reference and current counts on the reference's deciles."""
    name, moved = request.param
    generator = np.random.default_rng(22)
    return deciles_of(SAMPLES[name](generator, 8000, 0.0), SAMPLES[name](generator, 1500, moved))


def test_the_peers_have_the_same_numbers(counts: tuple[Int64s, Int64s]) -> None:
    """scipy's functions, and the formulas Evidently and NannyML print, give our numbers to 1e-9."""
    reference, current = counts
    p, q = reference / reference.sum(), current / current.sum()
    assert jensen_shannon_distance(reference, current) == pytest.approx(jensenshannon(p, q), abs=AGREEMENT)
    in_bits = jensen_shannon_distance(reference, current) / math.sqrt(math.log(2.0))
    assert in_bits == pytest.approx(jensenshannon(p, q, base=2), abs=AGREEMENT)
    middle = (p + q) / 2
    divergence = (entropy(p, middle) + entropy(q, middle)) / 2
    assert jensen_shannon_divergence(reference, current) == pytest.approx(divergence, abs=AGREEMENT)
    assert hellinger_distance(reference, current) == pytest.approx(
        math.sqrt(1.0 - np.sum(np.sqrt(p * q))), abs=AGREEMENT
    )
    assert total_variation_distance(reference, current) == pytest.approx(cityblock(p, q) / 2, abs=AGREEMENT)
    assert l_infinity_distance(reference, current) == pytest.approx(chebyshev(p, q), abs=AGREEMENT)


def test_logarithms_agree_once_the_pseudocount_is_added(counts: tuple[Int64s, Int64s]) -> None:
    """KL is scipy's entropy of reference over current plus ½ each, and the two directions add up to the PSI."""
    reference, current = counts
    forward = kullback_leibler_divergence(reference, current)
    backward = kullback_leibler_divergence(current, reference)
    assert forward == pytest.approx(entropy(reference + 0.5, current + 0.5), abs=AGREEMENT)
    assert population_stability_index(reference, current) == pytest.approx(forward + backward, abs=AGREEMENT)


def test_chi_squared_is_that_of_the_table_of_both_samples(counts: tuple[Int64s, Int64s]) -> None:
    """Where no cell is thin, statistic, freedom and p-value are those of scipy's contingency table."""
    reference, current = counts
    result = chi_squared_test(reference, current)
    peer = chi2_contingency([reference, current], correction=False)
    assert peer.expected_freq.min() >= 5.0
    assert result.statistic == pytest.approx(peer.statistic, rel=AGREEMENT, abs=AGREEMENT)
    assert (result.freedom, result.p_value) == (peer.dof, pytest.approx(peer.pvalue, abs=AGREEMENT))


def test_no_bin_in_common_is_the_furthest_apart() -> None:
    """Disjoint samples have JS ln 2, Hellinger and total variation 1, and no statistic is infinite."""
    reference, current = np.array([4, 0, 0, 7]), np.array([0, 3, 1, 0])
    assert jensen_shannon_divergence(reference, current) == pytest.approx(math.log(2.0), rel=1e-15)
    assert hellinger_distance(reference, current) == total_variation_distance(reference, current) == 1.0
    assert l_infinity_distance(reference, current) == 0.75
    assert 0.0 < kullback_leibler_divergence(reference, current) < math.inf


@pytest.mark.parametrize(
    "statistic",
    [
        jensen_shannon_divergence,
        jensen_shannon_distance,
        hellinger_distance,
        total_variation_distance,
        chi_squared_test,
    ],
)
def test_empty_sides_and_other_bins_are_refused(statistic: Callable[[Int64s, Int64s], object]) -> None:
    """No observations, or histograms on different bins, have no number."""
    with pytest.raises(EmptySampleError, match="current 0"):
        statistic(np.array([1, 2]), np.array([0, 0]))
    with pytest.raises(BinMismatchError, match="equal shapes"):
        statistic(np.array([1, 2]), np.array([1, 2, 3]))
    with pytest.raises(BinMismatchError, match="equal shapes"):
        statistic(np.ones((2, 2), np.int64), np.ones((2, 2), np.int64))
