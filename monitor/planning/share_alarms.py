"""How often the tests of shares (missing, invalid, unseen, far) fire where nothing changes."""

import numpy as np
from scipy.stats import binom

from monitor.detection import Prepared
from monitor.detection.quality_rule import judged_shares, tolerances
from monitor.stats.proportions import share_shift
from monitor.types import Scale


def expected_share_alarms(prepared: Prepared, *, scale: Scale, events: float) -> float:
    """Return the expected number of share tests that one window of *events* passes by chance, endurance left out.

    Args:
        events: On average, at least 1.
    """
    reference, allowed = prepared.reference, tolerances(prepared)
    variance = prepared.movements[scale.length].share_variance
    expected = 0.0
    for column, kind in np.argwhere(judged_shares(prepared) & (reference.totals > 0)).tolist():
        m = int(reference.totals[column, kind])
        expected += share_alarm_probability(
            reference_count=int(reference.shares[column, kind]),
            m=m,
            n=round(events * m / int(reference.totals[column, 0])),
            tolerance=float(allowed[column, kind]),
            alpha=prepared.alpha,
            block_variance=float(variance[column, kind]),
        )
    return expected


def share_alarm_probability(
    *, reference_count: int, m: int, n: int, tolerance: float, alpha: float, block_variance: float
) -> float:
    """Return how likely a share that is the reference's passes for one that moved by more than *tolerance*.

    The counts that pass are found by asking the test itself; their probability is binomial, of as many events as
    the comparison is worth.
    """

    def passes(count: int) -> bool:
        return share_shift(
            reference_count, m, count, n, tolerance=tolerance, alpha=alpha, block_variance=block_variance
        ).proven

    if n < 1:
        return 0.0
    share = reference_count / m
    usual = round(share * n)
    worth = 1.0 / (1.0 / n + 1.0 / m + block_variance)
    probability = 0.0
    if passes(n):
        low, high = usual, n  # the fewest that are too many
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if passes(middle) else (middle, high)
        probability += float(binom.sf(np.ceil(high / n * worth) - 1, round(worth), share))
    if passes(0):
        low, high = 0, usual  # the most that are too few
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if passes(middle) else (low, middle)
        probability += float(binom.cdf(np.floor(low / n * worth), round(worth), share))
    return probability
