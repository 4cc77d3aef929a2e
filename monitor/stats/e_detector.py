"""The Shiryaev–Roberts e-detector of a lasting change, and the band of small changes that it tolerates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.arrays import Float64s, Mask
from monitor.errors import BinMismatchError
from monitor.stats.columnar import Counts, Starts, column_lengths
from monitor.stats.proportions import wilson_interval
from monitor.stats.share_shift import share_tolerance

ODDS_RATIOS = (1.25, 1.6, 2.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceBand:
    """Lowest and highest share of each bin, shape ``(bins of all columns,)``; 0 and 1 in a column without reference."""

    low: Float64s
    high: Float64s


def tolerance_band(reference: Counts, *, starts: Starts, confidence: float = 0.999) -> ToleranceBand:
    r"""Return :math:`[l_j - \delta_j, u_j + \delta_j]` for each bin.

    :math:`(l_j, u_j)` is Wilson's interval of the bin's reference share, for that share is known from a sample only;
    :math:`\delta_j = \max(0.01, p_j / 4)` is what missing and invalid values are allowed too.

    Args:
        reference: Shape ``(bins of all columns,)``.
        starts: Shape ``(columns,)``. First bin of each column.
        confidence: Of Wilson's interval.

    Raises:
        BinMismatchError: *starts* does not fit *reference*.
    """
    totals = np.repeat(np.add.reduceat(reference, starts), column_lengths(starts, len(reference)))
    low, high = np.zeros(len(reference)), np.ones(len(reference))
    for place, (count, total) in enumerate(zip(reference.tolist(), totals.tolist(), strict=True)):
        if total > 0:
            known, tolerance = wilson_interval(count, total, confidence=confidence), share_tolerance(count / total)
            low[place], high[place] = max(known.low - tolerance, 0.0), min(known.high + tolerance, 1.0)
    return ToleranceBand(low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class EDetector:
    """What columns are watched for; arrays of shape ``(alternatives, bins of all columns)``.

    Attributes:
        inside: Log likelihood ratio of an event in the bin, over that of an event elsewhere.
        outside: Log likelihood ratio of an event elsewhere.
        log_weights: They add up to 1 in each column; −inf where the band leaves no room for the alternative.
        watched: Shape ``(columns,)``. The column has a reference, so that there are alternatives.
    """

    inside: Float64s
    outside: Float64s
    log_weights: Float64s
    watched: Mask
    starts: Starts


def e_detector(
    band: ToleranceBand,
    *,
    starts: Starts,
    odds_ratios: Sequence[float] = ODDS_RATIOS,
) -> EDetector:
    """Return the detector for columns whose bins begin at *starts*.

    Args:
        odds_ratios: How many times the odds of the band's edge the alternatives have, each over 1.

    Raises:
        BinMismatchError: *starts* does not fit the band.
    """
    lengths = column_lengths(starts, len(band.low))
    sides = [(band.high, ratio) for ratio in odds_ratios] + [(band.low, 1.0 / ratio) for ratio in odds_ratios]
    edges = np.array([edge for edge, _ in sides])
    ratios = np.array([ratio for _, ratio in sides])[:, np.newaxis]
    possible = (edges > 0.0) & (edges < 1.0)
    # With odds g times those of e, r/e is g/(1 − e + e g) and (1 − r)/(1 − e) the same without g.
    outside = np.where(possible, -np.log1p(edges * (ratios - 1.0)), 0.0)
    alternatives = np.add.reduceat(possible.sum(axis=0), starts)
    shares = 1.0 / np.repeat(np.maximum(alternatives, 1), lengths)
    return EDetector(
        inside=np.where(possible, np.log(ratios), 0.0),
        outside=outside,
        log_weights=np.where(possible, np.log(shares), -np.inf),
        watched=alternatives > 0,
        starts=starts,
    )


def log_statistics_of_panes(detector: EDetector, panes: Counts) -> Float64s:
    """Return log M after each pane, as if the first one were the first there is.

    Of one alternative and bin, R of a pane is the sum over all panes s at which the change may have begun. All of them
    at once are a cumulative sum S of the log evidence e and a cumulative log-sum::

        pane                       1      2      3
        e                         -0.2    0.5    0.7
        S                         -0.2    0.3    1.0
        begun at 1: S             -0.2    0.3    1.0      log R is the log-sum-exp of a column of these three rows,
        begun at 2: S - S_1               0.5    1.2      S_t + log sum of exp(-S_{s-1}), s up to t; and -S_{s-1}
        begun at 3: S - S_2                      0.7      is e_s - S_s
        e - S                      0.0    0.2   -0.3
        logaddexp.accumulate       0.0    0.80   1.09
        log R = S + that          -0.2    1.10   2.09

    Args:
        panes: Shape ``(..., panes, bins of all columns)``, in the order of time; spans of several panes may stand for
            these, then M is smaller.

    Returns:
        Shape ``(..., panes, columns)``; −inf before a column's first event, NaN where it is not watched.

    Raises:
        BinMismatchError: The last axis is not that of the detector.
    """
    evidence, counted = _log_evidence(detector, panes)
    total = np.cumsum(evidence, axis=-3)
    # A pane without events begins nothing.
    begun = np.where(counted, evidence - total, -np.inf)
    log_statistics = total + np.logaddexp.accumulate(begun, axis=-3)
    weighted = np.logaddexp.reduce(log_statistics + detector.log_weights, axis=-2)
    return np.where(detector.watched, np.logaddexp.reduceat(weighted, detector.starts, axis=-1), np.nan)


def _log_evidence(detector: EDetector, panes: Counts) -> tuple[Float64s, Mask]:
    """Return log E of every pane, shape ``(..., panes, alternatives, bins)``, and where its column has events."""
    bins = detector.inside.shape[-1]
    if panes.ndim < 2 or panes.shape[-1] != bins:
        raise BinMismatchError(f"expected counts of {bins} bins, found shape {panes.shape}")
    lengths = column_lengths(detector.starts, bins)
    events = np.repeat(np.add.reduceat(panes, detector.starts, axis=-1), lengths, axis=-1)
    log_evidence: Float64s = panes[..., np.newaxis, :] * detector.inside + events[..., np.newaxis, :] * detector.outside
    return log_evidence, events[..., np.newaxis, :] > 0
