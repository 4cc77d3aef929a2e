r"""Evidence that errors have become more likely: than a line allows, and than they usually are.

A change that multiplies the odds of an error by *g* has, against the share *e*, for a step with *n* truths and *k*
errors the likelihood ratio :math:`E = g^k (1 - e + e g)^{-n}`, whose mean is 1 while the share is *e*. A change that
began with step *s* of a window has the product of them from *s* on; a weighted mean over several *g* is evidence as
well. Of the steps at which it may have begun

* the **sum** (Shiryaev–Roberts), less the number of steps, is a martingale: asked with every step for ever, it passes
  *C* once in *C* steps or more rarely on average;
* the **largest** is, read backwards from the latest step, a martingale's: at one look it passes *C* with probability
  1/*C* at most (Ville).

Truths that depend on each other are counted as fewer: a step's errors have the variance of independent ones times
:math:`1 + x`, and both of its counts are multiplied by

.. math:: f_g = \frac{1}{1 + c_g x}, \qquad c_g = \frac{(g - 1)^2}{2 (g \ln g - g + 1)}

For a change of no size *c* is 1, which is what the variance asks for; the further a change, the more its evidence is of
the tail, and an error rate that wanders has a longer one than its variance shows. With this *c*, the smallest for rare
errors (their rate is all but gamma-distributed), the mean of :math:`E^f` is 1 at most for beta-binomial errors.

References:
    Shin, Ramdas & Rinaldo (2024), e-detectors; Pollak & Siegmund (1991); Ville (1939).
"""

import numpy as np

from monitor.arrays import Float64s

LOG_ODDS = np.array((0.0625, 0.125, 0.25, 0.5, 1.0))
"""By how much the log odds may lie over those of a line; each serves changes from 0.7 to 1.4 times its size."""

WEIGHTS = np.array((1.0, 1.0, 1.0, 4.0, 1.0)) / 8.0
"""Half of the evidence is for the change that is worth being quick for: errors up from 0.13 to 0.2, or 0.3 to 0.4."""

LEAST_ALLOWED, MOST_ALLOWED = 1e-4, 1.0 - 1e-4
"""One error in ten thousand is always allowed: a floor of 1 is not proven broken by one wrong truth."""

USUAL_LOG_ODDS = np.array((0.125, 0.25, 0.5, 1.0, 2.0))
"""By how much they may lie over the usual ones: further, for a line lies between."""


NO_SHIFTS = np.zeros(1)


def log_evidence(counts: Float64s, edges: Float64s, *, excess: float = 0.0, shifts: Float64s = NO_SHIFTS) -> Float64s:
    """Return the logarithm of the sum over all beginnings, shape ``(...)``.

    Args:
        counts: Shape ``(2, ..., steps)``. Errors and truths of each step.
        edges: Shape ``(...)``, over 0 and under 1.
        excess: By how much the variance of a step's errors exceeds that of independent truths, relative to it.
        shifts: Shape ``(steps,)`` or ``(1,)``. By how much each step's edge lies over *edges*.
    """
    begun = _log_ratios(counts, _shares(edges, shifts), LOG_ODDS, excess)
    evidence: Float64s = np.logaddexp.reduce(np.logaddexp.reduce(begun, axis=-1) + np.log(WEIGHTS), axis=-1)
    return evidence


def log_surprise(counts: Float64s, usual: Float64s, *, excess: float = 0.0, shifts: Float64s = NO_SHIFTS) -> Float64s:
    """Return the logarithm of the largest evidence over all beginnings that errors are more than *usual*.

    Args:
        counts, usual, excess, shifts: As *counts*, *edges*, *excess* and *shifts* of `log_evidence`.
    """
    begun = np.logaddexp.reduce(_log_ratios(counts, _shares(usual, shifts), USUAL_LOG_ODDS, excess), axis=-2)
    surprise: Float64s = np.max(begun, axis=-1) - np.log(len(USUAL_LOG_ODDS))
    return surprise


def worth(log_odds: Float64s, excess: float) -> Float64s:
    """Return what part of its truths counts as evidence of each change, shape ``(odds,)``, in (0, 1]."""
    factors = np.exp(log_odds)
    tails = (factors - 1.0) ** 2 / (2.0 * (factors * log_odds - factors + 1.0))
    return 1.0 / (1.0 + tails * excess)


def _shares(edges: Float64s, shifts: Float64s) -> Float64s:
    whole = edges[..., np.newaxis]
    return np.clip(whole + shifts, np.minimum(whole, LEAST_ALLOWED), np.maximum(whole, MOST_ALLOWED))


def _log_ratios(counts: Float64s, shares: Float64s, log_odds: Float64s, excess: float) -> Float64s:
    """Return the log likelihood ratios of all steps from each beginning on, latest first; ``(..., odds, steps)``."""
    outside = -np.log1p(shares[..., np.newaxis, :] * np.expm1(log_odds)[:, np.newaxis])
    errors, truths = counts[..., np.newaxis, :]
    of_steps = errors * log_odds[:, np.newaxis] + truths * outside
    of_steps *= worth(log_odds, excess)[:, np.newaxis]
    begun: Float64s = np.cumsum(of_steps[..., ::-1], axis=-1)
    return begun
