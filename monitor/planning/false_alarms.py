"""Expected false alarms of a spec."""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy.special import betainc, betainccinv

from monitor.detection import PreparedReference
from monitor.detection.comparison import UNSEEN
from monitor.detection.quality_rule import TOLERANCE_MINIMUM, TOLERANCE_RELATIVE, judged_shares
from monitor.detection.textbook_rule import KS_P_VALUE
from monitor.planning.column_comparison import ColumnComparison, comparisons_at
from monitor.planning.results import MONTHS_A_YEAR, FalseAlarms
from monitor.stats.false_discovery import psi_p_value
from monitor.stats.psi_bounds import distance_level, distance_lower_bound
from monitor.stats.share_limits import beta_events
from monitor.stats.share_shift import share_shift
from monitor.types import Scale
from monitor.units import DAY_MINUTES

MONTH_MINUTES = 30 * DAY_MINUTES

_CHANCES = np.concatenate([np.zeros(1), np.geomspace(1e-15, 0.02, 200), np.linspace(0.02, 1.0, 100)[1:]])
"""Of a share to be as high, in steps over which it hardly changes."""


def expected_share_alarms(prepared: PreparedReference, *, scale: Scale, events: float) -> float:
    """Return the expected number of share tests that one window of *events* passes by chance, endurance left out.

    Args:
        events: On average, at least 1.
    """
    reference = prepared.reference
    variance = prepared.movements[scale.length].share_variance
    expected = 0.0
    for column, kind in np.argwhere(judged_shares(prepared) & (reference.totals > 0)).tolist():
        m = int(reference.totals[column, kind])
        expected += share_alarm_probability(
            reference_count=int(reference.shares[column, kind]),
            m=m,
            n=round(events * m / int(reference.totals[column, 0])),
            minimum=TOLERANCE_MINIMUM[kind],
            relative=TOLERANCE_RELATIVE[kind],
            alpha=prepared.unseen_alpha if kind == UNSEEN else prepared.alpha,
            block_variance=float(variance[column, kind]),
        )
    return expected


def share_alarm_probability(
    *, reference_count: int, m: int, n: int, minimum: float, relative: float, alpha: float, block_variance: float
) -> float:
    """Return how likely a share that is the reference's passes for one that moved by more than it may.

    The counts that pass are found by asking the test itself; their probability is that of a binomial variable, of as
    many events as the comparison is worth, whose share is beta distributed with the variance it has between windows.
    """

    def passes(count: int) -> bool:
        shift = share_shift(
            reference_count,
            m,
            count,
            n,
            minimum=minimum,
            relative=relative,
            alpha=alpha,
            block_variance=block_variance,
        )
        return shift.proven

    if n < 1:
        return 0.0
    share = reference_count / m
    usual = round(share * n)
    worth = 1.0 / (1.0 / n + 1.0 / m)
    probability = 0.0
    if passes(n):
        fewest = bisect_left(range(n), True, lo=usual + 1, key=passes)  # that are too many
        probability += _tail(fewest / n * worth, worth, share, block_variance)
    if passes(0):
        most = bisect_left(range(usual), True, lo=1, key=lambda count: not passes(count)) - 1  # that are too few
        probability += _tail((n - most) / n * worth, worth, 1.0 - share, block_variance)
    return probability


def _tail(count: float, n: float, share: float, variance: float) -> float:
    """Return P(X >= count) of a beta-binomial variable; between whole numbers as the beta distribution continues it."""
    if variance == 0.0 or share in (0.0, 1.0):
        return float(betainc(count, n - count + 1.0, share))
    events = beta_events(variance)
    middles = (_CHANCES[1:] + _CHANCES[:-1]) / 2.0
    shares = betainccinv(share * events, (1.0 - share) * events, middles)
    return float(betainc(count, n - count + 1.0, shares) @ np.diff(_CHANCES))


def evaluations_a_month(scale: Scale) -> int:
    """Return how many windows of *scale* end in 30 days."""
    return MONTH_MINUTES // scale.step


def false_alarms(
    prepared: PreparedReference, *, scales: Sequence[Scale], events_per_minute: float, accuracy_a_year: float
) -> FalseAlarms:
    """Return the false alarms of one version's whole series; segments are shown but raise no incident.

    Args:
        scales: Those that conclude at this traffic; the others raise nothing.
        accuracy_a_year: False warnings of accuracy that the spec allows.
    """
    family = prepared.family
    at_one_scale = prepared.drift.alpha / family.scales / family.segments
    by_chance, textbook = 0.0, 0.0
    for scale in scales:
        windows, events = evaluations_a_month(scale), scale.length * events_per_minute
        columns = [
            comparison
            for comparison in comparisons_at(prepared, scale)
            if comparison.values(events) >= prepared.min_events
        ]
        chances = [no_change_probability(prepared, column, n=column.values(events)) for column in columns]
        by_chance += windows * (sum(chances) + expected_share_alarms(prepared, scale=scale, events=events))
        quiet = [1.0 - textbook_probability(prepared, column, n=column.values(events)) for column in columns]
        textbook += windows * (1.0 - math.prod(quiet))
        if prepared.anytime is not None and prepared.anytime.length == scale.length:
            # Once in 1 / alpha panes of a minute or more rarely, each column.
            by_chance += len(prepared.anytime.columns) * MONTH_MINUTES * prepared.alpha
    return FalseAlarms(
        evaluations=sum(map(evaluations_a_month, scales)),
        at_the_boundary=sum(evaluations_a_month(scale) * at_one_scale for scale in scales),
        at_the_boundary_disjoint=sum(MONTH_MINUTES / scale.length * at_one_scale for scale in scales),
        no_change=by_chance,
        accuracy=accuracy_a_year / MONTHS_A_YEAR,
        textbook=textbook,
    )


def no_change_probability(prepared: PreparedReference, comparison: ColumnComparison, *, n: float) -> float:
    """Return how likely PSI or D of *n* values proves a warning where the column only moves as its reference does.

    Endurance is left out, and the two are added up, so it is an upper bound.
    """
    tiers, kappa = prepared.drift.tiers, comparison.kappa
    threshold = comparison.threshold(tiers.warning, n)
    chance = 0.0
    if math.isfinite(threshold):
        chance = psi_p_value(
            threshold, tier=0.0, bins=comparison.bins, n=n, m=comparison.m, kappa=kappa, level=comparison.level
        )
    if prepared.numeric[comparison.index]:
        chance += _distance_probability(prepared, comparison, n=n)
    return chance


def _distance_probability(prepared: PreparedReference, comparison: ColumnComparison, *, n: float) -> float:
    limit, kappa = prepared.drift.ks_warning, comparison.kappa
    proven_at_most = distance_lower_bound(1.0, n=n, m=comparison.m, kappa=kappa, alpha=comparison.alpha)
    if proven_at_most <= limit:
        return 0.0  # not even the largest distance there is proves anything
    level = comparison.level.psi(bins=comparison.bins, n=n, m=comparison.m, alpha=comparison.alpha)
    needed = max(limit + 1.0 - proven_at_most, distance_level(level))
    return float(2.0 * math.exp(-2.0 * comparison.size(n) * needed**2))


def textbook_probability(prepared: PreparedReference, comparison: ColumnComparison, *, n: float) -> float:
    """Return how likely the textbook rule alarms about *n* values of a column whose events are independent."""
    by_psi = 0.0
    if comparison.bins > 1:
        by_psi = psi_p_value(prepared.drift.tiers.warning, tier=0.0, bins=comparison.bins, n=n, m=comparison.m)
    by_distance = KS_P_VALUE if prepared.numeric[comparison.index] else 0.0
    return 1.0 - (1.0 - by_psi) * (1.0 - by_distance)
