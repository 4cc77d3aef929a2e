"""Score intervals against scipy, Newcombe's published table and their own definition."""

import math

import pytest
from scipy.stats import binomtest, norm

from monitor.errors import EmptySampleError
from monitor.stats.proportions import newcombe_difference, wilson_interval


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999999])
@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 250), (1, 250), (7, 10), (125, 250), (249, 250), (250, 250)])
def test_wilson_equals_scipy_and_solves_its_own_equation(successes: int, n: int, confidence: float) -> None:
    """Each bound is scipy's, and the proportion at which the score test is at its critical value."""
    result = wilson_interval(successes, n, confidence=confidence)
    peer = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert (result.low, result.high) == pytest.approx((peer.low, peer.high), abs=1e-9)
    z = norm.isf((1.0 - confidence) / 2.0)
    for bound in (result.low, result.high):
        if 0.0 < bound < 1.0:
            assert abs(successes / n - bound) == pytest.approx(z * math.sqrt(bound * (1 - bound) / n), rel=1e-7)


def test_newcombe_equals_the_published_example() -> None:
    """56/70 against 48/80 gives (0.0524, 0.3339), Newcombe 1998, table II, method 10, column a."""
    result = newcombe_difference(56, 70, 48, 80)
    assert (result.low, result.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_newcombe_at_the_edge_equals_the_published_example() -> None:
    """10/10 against 0/20 gives (0.6791, 1.0000), Newcombe 1998, table II, method 10, column g."""
    result = newcombe_difference(10, 10, 0, 20)
    assert (result.low, result.high) == pytest.approx((0.6791, 1.0), abs=5e-5)


def test_nonsense_is_refused() -> None:
    """No observations, more successes than observations, or an impossible level are errors."""
    with pytest.raises(EmptySampleError):
        wilson_interval(0, 0)
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match="confidence"):
        wilson_interval(1, 2, confidence=1.0)
