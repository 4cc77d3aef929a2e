"""What the counts of a window prove about a share that differs from the reference's, by exact binomial limits."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.arrays import Float64s
from monitor.errors import EmptySampleError
from monitor.stats.share_limits import combined_limits, exact_limits, movement_limits

MINIMUM, RELATIVE = 0.01, 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareShift:
    """The two shares and what their difference proves.

    Attributes:
        reference_share: p0.
        share: p, in the window.
        tolerance: By how much they may differ.
        excess_low: Lower bound of ``|p - p0|``, at least 0.
    """

    reference_share: float
    share: float
    tolerance: float
    excess_low: float

    @property
    def proven(self) -> bool:
        """Whether the shares differ by more than the tolerance."""
        return self.excess_low > self.tolerance


def share_tolerance(reference_share: float, *, minimum: float = MINIMUM, relative: float = RELATIVE) -> float:
    """Return by how much a share may differ from its reference: δ = max(minimum, relative · p0)."""
    return max(minimum, relative * reference_share)


def share_shift(
    reference_count: int,
    m: float,
    current_count: int,
    n: float,
    *,
    minimum: float = MINIMUM,
    relative: float = RELATIVE,
    alpha: float,
    block_variance: float = 0.0,
) -> ShareShift:
    r"""Test H0: :math:`|p - p_0| \le \delta(p_0)` by `share_excess_lows`, whose arguments and errors these are."""
    (excess_low,) = share_excess_lows(
        [reference_count],
        [m],
        [current_count],
        [n],
        minimum=minimum,
        relative=relative,
        alpha=alpha,
        block_variance=block_variance,
    ).tolist()
    reference_share = reference_count / m
    return ShareShift(
        reference_share=reference_share,
        share=current_count / n,
        tolerance=share_tolerance(reference_share, minimum=minimum, relative=relative),
        excess_low=excess_low,
    )


def share_excess_lows(
    reference_counts: npt.ArrayLike,
    m: npt.ArrayLike,
    current_counts: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    minimum: npt.ArrayLike,
    relative: npt.ArrayLike,
    alpha: npt.ArrayLike,
    block_variance: npt.ArrayLike = 0.0,
) -> Float64s:
    r"""Return the one-sided lower bound of :math:`|p - p_0|` of many shares, at least 0; arrays broadcast.

    A share that rose is measured against the edge :math:`e(p_0) = p_0 + \delta(p_0)`, with *l* and *u* the one-sided
    exact (Clopper-Pearson) limits of each share at *alpha*, those of the window with what natural movement adds to
    them (`combined_limits`):

    .. math:: p - p_0 - \sqrt{(p - l(p))^2 + (e(u(p_0)) - e(p_0))^2}, \qquad \delta(p_0) = \max(d, r \, p_0)

    and one that fell by :math:`p_0 - p - \sqrt{(u(p) - p)^2 + (p_0 - l(p_0))^2}`. The bound exceeds δ with both counts
    random at the edge of H0 in at most *alpha* of windows, whatever n, m and p0, and in at most about 1.1 times as many
    where a share up to 5 % moves with a κ that is known: the exact sums are in docs/statistics.md. (By score limits, as
    Newcombe combines them, it was up to a thousand times *alpha*; with κ as fewer events, up to twenty.)

    Args:
        reference_counts: Reference events with the property, of *m*.
        m: Reference events; infinite where p0 is 0 by definition and not by measurement.
        current_counts: Window events with the property, of *n*.
        n: Window events.
        minimum, relative: d and r of the tolerance, as in `share_tolerance`.
        alpha: Error probability of one test at the edge of H0.
        block_variance: κ of the share, as from `natural_share_movement`.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: A count, *alpha* or *block_variance* is out of its range.

    References:
        Clopper & Pearson (1934); Zou & Donner (2008) for combining the limits.
    """
    counts, events = np.asarray(current_counts, dtype=np.float64), np.asarray(n, dtype=np.float64)
    known, rows = np.asarray(reference_counts, dtype=np.float64), np.asarray(m, dtype=np.float64)
    variance, error = np.asarray(block_variance, dtype=np.float64), np.asarray(alpha, dtype=np.float64)
    _require_in_range(known, rows, counts, events, alpha=error, variance=variance)
    reference_share, share = known / rows, counts / events
    rose = share > reference_share
    limit = exact_limits(counts, events, upper=~rose, alpha=error)
    # As for the exact limits, what did not happen might have happened once more: at 0 itself nothing would move.
    reached = (counts + np.where(rose, 0.0, 1.0)) / (events + 1.0)
    moved = movement_limits(reached, variance, upper=~rose, alpha=error)
    limit = np.where(variance > 0.0, combined_limits(share, limit, moved, upper=~rose), limit)
    reference_limit = exact_limits(known, rows, upper=rose, alpha=error)
    # The tolerance grows with p0: where p0 may be larger than it looks, so may be what is tolerated.
    widened = np.maximum(minimum, np.multiply(relative, reference_limit))
    widened -= np.maximum(minimum, np.multiply(relative, reference_share))
    margin = np.hypot(share - limit, np.abs(reference_limit - reference_share) + np.where(rose, widened, 0.0))
    excess: Float64s = np.maximum(np.abs(share - reference_share) - margin, 0.0)
    return excess


def half_share_exceeds(reference_count: int, m: float, half_count: int, n_half: float, *, tolerance: float) -> bool:
    """Return whether half a window shows the shift by itself: ``|p_half - p0| > tolerance``, without evidence.

    The evidence is the whole window's; the half only has to agree.

    Raises:
        EmptySampleError: Either side has no events.
    """
    _require_events(m, n_half)
    return abs(half_count / n_half - reference_count / m) > tolerance


def _require_in_range(
    known: Float64s, rows: Float64s, counts: Float64s, events: Float64s, *, alpha: Float64s, variance: Float64s
) -> None:
    if not ((alpha > 0.0) & (alpha < 0.5)).all():
        raise ValueError(f"alpha must lie in (0, 0.5), found {alpha}")
    if (variance < 0.0).any():
        raise ValueError(f"block_variance must not be negative, found {variance.min()}")
    _require_events(float(rows.min()), float(events.min()))
    if ((known < 0) | (known > rows)).any() or ((counts < 0) | (counts > events)).any():
        raise ValueError(
            f"expected counts between 0 and the events, found {known} of {rows} (reference) and {counts} of {events}"
        )


def _require_events(m: float, n: float) -> None:
    if not (n > 0 and m > 0):
        raise EmptySampleError(f"current holds {n} events, reference {m}")
