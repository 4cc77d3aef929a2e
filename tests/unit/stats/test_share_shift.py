"""Share tests against exact binomial sums at the edge of the tolerance, and against scipy's exact limits."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import beta, binomtest

from benchmarks.moving_share_levels import MovingShare, rates
from benchmarks.share_levels import ShareAtTheEdge
from monitor.errors import EmptySampleError
from monitor.stats.share_limits import movement_limits
from monitor.stats.share_shift import half_share_exceeds, share_excess_lows, share_shift, share_tolerance


def test_the_tolerance_is_a_percent_or_a_quarter() -> None:
    """δ is 0.01 for small shares and a quarter of the reference for large ones; far uses 0.05."""
    assert share_tolerance(0.0) == 0.01
    assert share_tolerance(0.2) == pytest.approx(0.05)
    assert share_tolerance(0.0, minimum=0.05) == 0.05


def test_missing_from_none_to_five_percent_is_proven_within_a_thousand_events() -> None:
    """50 of 1,000 missing where the reference has none exceeds 1 % at α = 1e-5; 20 of 1,000 do not."""
    result = share_shift(0, 20_000, 50, 1000, alpha=1e-5)
    assert (result.reference_share, result.share, result.tolerance, result.proven) == (0.0, 0.05, 0.01, True)
    assert not share_shift(0, 20_000, 20, 1000, alpha=1e-5).proven


def test_three_unseen_values_of_two_hundred_prove_nothing() -> None:
    """At α = 1e-5 a thousandth takes six of 200, as scipy's exact limit says."""
    for count in range(3, 9):
        proven = share_shift(0, math.inf, count, 200, minimum=0.001, relative=0.0, alpha=1e-5).proven
        assert proven == (binomtest(count, 200, 0.001, alternative="greater").pvalue < 1e-5)
    assert share_shift(0, math.inf, 6, 200, minimum=0.001, relative=0.0, alpha=1e-5).proven


@pytest.mark.parametrize(("known", "count"), [(3000, 60), (3000, 600), (0, 30), (10_000, 900), (40, 0)])
def test_the_excess_combines_scipys_exact_limits(known: int, count: int) -> None:
    """The margin is the root of both limits' squares; the reference's is wider by what the tolerance grows with it."""
    m, n, alpha, relative = 10_000, 1000, 0.005, 0.25
    share, reference_share, sign = count / n, known / m, 1 if count / n > known / m else -1
    limits = [binomtest(*pair).proportion_ci(1 - 2 * alpha) for pair in ((count, n), (known, m))]
    near, far = ((pair.low, pair.high)[::sign] for pair in limits)
    widened = max(0.01, relative * far[1]) - max(0.01, relative * reference_share) if sign > 0 else 0.0
    margin = math.hypot(share - near[0], abs(far[1] - reference_share) + widened)
    result = share_shift(known, m, count, n, relative=relative, alpha=alpha)
    assert result.excess_low == pytest.approx(max(abs(share - reference_share) - margin, 0.0), rel=1e-9)


@pytest.mark.parametrize("alpha", [1e-3, 1e-5])
@pytest.mark.parametrize("n", [200, 1000, 6000, 20_000])
def test_at_the_edge_the_test_fires_at_most_as_often_as_promised(n: int, alpha: float) -> None:
    """With both counts random the exact rate is under α for every reference; Newcombe's interval gave up to 1,085 α."""
    cases = [
        ShareAtTheEdge(reference_share=share, m=m, n=n, alpha=alpha, minimum=minimum)
        for share in (0.0, 0.001, 0.01, 0.1, 0.5)
        for m in (500, 2000, 20_000, 100_000)
        for minimum in (0.01, 0.05)
    ]
    unseen = ShareAtTheEdge(
        reference_share=0.0, m=2000, n=n, alpha=alpha, minimum=0.001, relative=0.0, by_definition=True
    )
    cases.append(unseen)
    rates = {case: (case.rate_of_rises / alpha, case.rate_of_falls / alpha) for case in cases}
    assert not {case: pair for case, pair in rates.items() if max(pair) > 1.0}
    # Nor is it idle: where many events are tested on a sure reference, the rate is not far below.
    if n >= 2000:
        assert max(max(pair) for pair in rates.values()) > 0.5


@pytest.mark.parametrize("alpha", [1e-4, 1e-5])
@pytest.mark.parametrize("n", [200, 2000, 20_000])
def test_a_share_that_moves_keeps_its_error_probability(n: int, alpha: float) -> None:
    """Of a known movement: as fewer events it was proven up to 19 times as often as promised, of 0.1 % with 0.005."""
    cases = [
        MovingShare(mean=mean, kappa=kappa, n=n) for mean in (0.001, 0.01, 0.02, 0.05) for kappa in (1e-4, 1e-3, 5e-3)
    ]
    results = {case: rates(case, blocks=None, alpha=alpha) for case in cases}
    assert max(result.at_the_edge for result in results.values()) < 1.1
    assert max(result.unchanged for result in results.values()) < 0.1
    if n == 20_000:
        assert max(result.at_the_edge for result in results.values()) > 0.5


@pytest.mark.parametrize("blocks", [7, 14, 28, 168])
@pytest.mark.parametrize("alpha", [1e-4, 1e-5])
def test_a_movement_from_few_blocks_keeps_its_error_probability(blocks: int, alpha: float) -> None:
    """What few blocks hide is allowed for: with the variance that they show it was up to 240 times the promise (7)."""
    cases = [
        MovingShare(mean=mean, kappa=kappa, n=n)
        for mean, kappa in ((0.001, 1e-4), (0.01, 0.0), (0.01, 1e-4), (0.01, 1e-3), (0.05, 1e-3), (0.05, 5e-3))
        for n in (2000, 20_000)
    ]
    results = {case: rates(case, blocks=blocks, alpha=alpha) for case in cases}
    assert max(result.at_the_edge for result in results.values()) < 1.5
    assert max(result.unchanged for result in results.values()) < 0.3
    # Nor is it idle with a reference of a week of hours.
    if blocks == 168:
        assert max(result.at_the_edge for result in results.values()) > 0.5


def test_what_does_not_move_is_tested_as_before() -> None:
    """Movement only widens: a little of it a little, and none at all leaves the exact limits to the last digit."""
    counts = np.array([0, 3, 60, 400, 1000])
    bounds = [
        share_excess_lows(200, 20_000, counts, 1000, minimum=0.01, relative=0.25, alpha=1e-5, block_variance=variance)
        for variance in (0.0, 1e-9, 1e-4, 1e-2, 5.0)
    ]
    still = share_excess_lows(200, 20_000, counts, 1000, minimum=0.01, relative=0.25, alpha=1e-5)
    assert bounds[0].tolist() == still.tolist()
    assert bounds[1] == pytest.approx(still, abs=1.5e-3)
    assert all((less <= more).all() for more, less in pairwise(bounds))
    assert not bounds[-1].any()


def test_movement_limits_are_the_means_that_reach_a_share() -> None:
    """At the limit a beta variable reaches the share with the probability that was asked for."""
    shares, variances = np.array([0.01, 0.2, 0.9]), np.array([0.002, 0.01, 0.1])
    for upper in (False, True):
        limits = movement_limits(shares, variances, upper=np.full(3, upper), alpha=1e-4)
        events = 1.0 / variances - 1.0
        moving = beta(limits * events, (1.0 - limits) * events)
        chances = moving.cdf(shares) if upper else moving.sf(shares)
        assert chances == pytest.approx(np.full(3, 1e-4), rel=1e-5)


def test_falls_are_summed_as_rises_are() -> None:
    """A share of a half that fell by as much as it may is proven to be further nearly as often as promised."""
    edge = ShareAtTheEdge(reference_share=0.5, m=100_000, n=1000)
    assert 0.5 < edge.rate_of_falls / edge.alpha < 1.0


def test_many_shares_at_once_are_each_alone() -> None:
    """The array form is the scalar one, whatever stands next to a share."""
    rng = np.random.default_rng(12)
    m, n = rng.integers(500, 50_000, 40), rng.integers(200, 20_000, 40)
    known, counts = rng.binomial(m, 0.02), rng.binomial(n, rng.uniform(0.0, 0.2, 40))
    variance = rng.choice([0.0, 1e-4, 0.01], 40)
    minimum, relative = rng.choice([0.01, 0.05], 40), rng.choice([0.0, 0.25], 40)
    bounds = share_excess_lows(
        known, m, counts, n, minimum=minimum, relative=relative, alpha=1e-4, block_variance=variance
    )
    alone = [
        share_shift(
            int(known[at]),
            int(m[at]),
            int(counts[at]),
            int(n[at]),
            minimum=float(minimum[at]),
            relative=float(relative[at]),
            alpha=1e-4,
            block_variance=float(variance[at]),
        ).excess_low
        for at in range(40)
    ]
    assert bounds.tolist() == alone
    assert 10 < np.count_nonzero(bounds) < 40


def test_a_half_agrees_by_its_share_alone() -> None:
    """Halves compare |p_half − p0| with the tolerance, in both directions, without a margin."""
    assert half_share_exceeds(100, 1000, 12, 100, tolerance=0.01)
    assert half_share_exceeds(100, 1000, 8, 100, tolerance=0.01)
    assert not half_share_exceeds(100, 1000, 10, 100, tolerance=0.01)


def test_nonsense_is_refused() -> None:
    """No events on either side, more counts than events, a negative variance or an impossible level are errors."""
    with pytest.raises(EmptySampleError):
        share_shift(0, 0, 1, 10, alpha=1e-3)
    with pytest.raises(EmptySampleError):
        half_share_exceeds(0, 10, 0, 0, tolerance=0.01)
    with pytest.raises(ValueError, match="block_variance"):
        share_shift(1, 10, 1, 10, alpha=1e-3, block_variance=-1.0)
    with pytest.raises(ValueError, match="counts between 0 and the events"):
        share_shift(1, 10, 11, 10, alpha=1e-3)
    with pytest.raises(ValueError, match="alpha"):
        share_shift(1, 10, 1, 10, alpha=0.7)


def test_every_share_has_its_own_error_probability() -> None:
    """Many shares at once, each at its alpha, are what each of them is alone; one that is out of range is refused."""
    rules = {"minimum": 0.001, "relative": 0.0}
    counts, alphas = [60, 60, 90], [1e-6, 1e-4, 1e-5]
    lows = share_excess_lows([0, 0, 20], [2000] * 3, counts, [3000] * 3, alpha=alphas, **rules)
    alone = [
        share_shift(known, 2000, count, 3000, alpha=alpha, **rules).excess_low
        for known, count, alpha in zip([0, 0, 20], counts, alphas, strict=True)
    ]
    assert lows.tolist() == alone
    assert lows[0] < lows[1]
    with pytest.raises(ValueError, match="alpha must lie"):
        share_excess_lows([0, 0], [10, 10], [1, 1], [10, 10], alpha=[0.01, 0.5], **rules)
