"""Share tests against their intervals, and against simulation at the edge of the tolerance."""

import numpy as np
import pytest

from monitor.errors import EmptySampleError
from monitor.stats.proportions import half_share_exceeds, newcombe_difference, share_shift, share_tolerance


def test_the_tolerance_is_a_percent_or_a_quarter() -> None:
    """δ is 0.01 for small shares and a quarter of the reference for large ones; far uses 0.05."""
    assert share_tolerance(0.0) == 0.01
    assert share_tolerance(0.2) == pytest.approx(0.05)
    assert share_tolerance(0.0, minimum=0.05) == 0.05


def test_missing_from_none_to_five_percent_is_proven_within_a_thousand_events() -> None:
    """50 of 1,000 missing where the reference has none exceeds 1 % at α = 1e-5; 20 of 1,000 do not."""
    tolerance = share_tolerance(0.0)
    result = share_shift(0, 20_000, 50, 1000, tolerance=tolerance, alpha=1e-5)
    assert (result.reference_share, result.share, result.proven) == (0.0, 0.05, True)
    assert not share_shift(0, 20_000, 20, 1000, tolerance=tolerance, alpha=1e-5).proven


@pytest.mark.parametrize(("reference_count", "current_count"), [(3000, 60), (3000, 600)])
def test_the_excess_is_the_near_end_of_newcombes_interval(reference_count: int, current_count: int) -> None:
    """At α the excess is the two-sided interval's near end at 1 − 2α, for a fall as for a rise."""
    result = share_shift(reference_count, 10_000, current_count, 1000, tolerance=0.075, alpha=0.005)
    interval = newcombe_difference(current_count, 1000, reference_count, 10_000, confidence=0.99)
    assert result.excess_low == pytest.approx(max(interval.low, -interval.high), rel=1e-9)
    assert result.proven


def test_a_share_that_wanders_counts_as_fewer_events() -> None:
    """Block variance 0.009 turns 1,000 events into 100; the shares shown stay the same."""
    wandering = share_shift(0, 10_000, 50, 1000, tolerance=0.01, alpha=1e-3, block_variance=0.009)
    independent = share_shift(0, 10_000, 5, 100, tolerance=0.01, alpha=1e-3)
    assert wandering.excess_low == pytest.approx(independent.excess_low, rel=1e-12)
    assert wandering.share == independent.share


@pytest.mark.parametrize("reference_share", [0.02, 0.3])
def test_at_the_edge_of_the_tolerance_the_test_fires_about_as_often_as_promised(reference_share: float) -> None:
    """With |p − p0| exactly δ, a test at α = 0.01 fires in under 3 % and over 0.3 % of windows."""
    runs, m, n, alpha = 4000, 20_000, 2000, 0.01
    generator = np.random.default_rng(50)
    tolerance = share_tolerance(reference_share)
    reference = generator.binomial(m, reference_share, runs).tolist()
    current = generator.binomial(n, reference_share + tolerance, runs).tolist()
    fired = [
        share_shift(r, m, c, n, tolerance=tolerance, alpha=alpha).proven
        for r, c in zip(reference, current, strict=True)
    ]
    assert alpha / 3 < np.mean(fired) < alpha * 3


def test_a_half_agrees_by_its_share_alone() -> None:
    """Halves compare |p_half − p0| with the tolerance, in both directions, without a margin."""
    assert half_share_exceeds(100, 1000, 12, 100, tolerance=0.01)
    assert half_share_exceeds(100, 1000, 8, 100, tolerance=0.01)
    assert not half_share_exceeds(100, 1000, 10, 100, tolerance=0.01)


def test_empty_sides_and_negative_variance_are_refused() -> None:
    """No events on either side give no share."""
    with pytest.raises(EmptySampleError):
        share_shift(0, 0, 1, 10, tolerance=0.01, alpha=1e-3)
    with pytest.raises(EmptySampleError):
        half_share_exceeds(0, 10, 0, 0, tolerance=0.01)
    with pytest.raises(ValueError, match="block_variance"):
        share_shift(1, 10, 1, 10, tolerance=0.01, alpha=1e-3, block_variance=-1.0)
