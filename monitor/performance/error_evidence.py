r"""Evidence that errors have become more likely: than a line allows, and than they usually are.

A change that multiplies the odds of an error by *g* has, against the share *e*, for a step with *n* truths and *k*
errors the likelihood ratio :math:`E = g^k (1 - e + e g)^{-n}`, whose mean is 1 while the share is *e*. A change that
began with step *s* of a window has the product of them from *s* on; a weighted mean over several *g* is evidence as
well. Of the steps at which it may have begun

* the **sum** (Shiryaev–Roberts), less the number of steps, is a martingale: asked with every step for ever, it passes
  *C* once in *C* steps or more rarely on average;
* the **largest** is, read backwards from the latest step, a martingale's: at one look it passes *C* with probability
  1/*C* at most (Ville).

References:
    Shin, Ramdas & Rinaldo (2024), e-detectors; Pollak & Siegmund (1991); Ville (1939).
"""

import numpy as np

from monitor.arrays import Float64s

LOG_ODDS = np.array((0.0625, 0.125, 0.25, 0.5, 1.0))
"""By how much the log odds may lie over those of a line; each serves changes from 0.7 to 1.4 times its size."""

WEIGHTS = np.array((1.0, 1.0, 1.0, 4.0, 1.0)) / 8.0
"""Half of the evidence is for the change that is worth being quick for: errors up from 0.13 to 0.2, or 0.3 to 0.4."""

USUAL_LOG_ODDS = np.array((0.125, 0.25, 0.5, 1.0, 2.0))
"""By how much they may lie over the usual ones: further, for a line lies between."""


def log_evidence(counts: Float64s, edges: Float64s) -> Float64s:
    """Return the logarithm of the sum over all beginnings, shape ``(...)``.

    Args:
        counts: Shape ``(2, ..., steps)``. Errors and truths of each step; parts of truths count as such.
        edges: Shape ``(...)``, over 0 and under 1.
    """
    begun = _log_ratios(counts, edges, LOG_ODDS)
    evidence: Float64s = np.logaddexp.reduce(np.logaddexp.reduce(begun, axis=-1) + np.log(WEIGHTS), axis=-1)
    return evidence


def log_surprise(counts: Float64s, usual: Float64s) -> Float64s:
    """Return the logarithm of the largest evidence over all beginnings that errors are more than *usual*.

    Args:
        counts, usual: As *counts* and *edges* of `log_evidence`.
    """
    begun = np.logaddexp.reduce(_log_ratios(counts, usual, USUAL_LOG_ODDS), axis=-2)
    surprise: Float64s = np.max(begun, axis=-1) - np.log(len(USUAL_LOG_ODDS))
    return surprise


def _log_ratios(counts: Float64s, shares: Float64s, log_odds: Float64s) -> Float64s:
    """Return the log likelihood ratios of all steps from each beginning on, latest first; ``(..., odds, steps)``."""
    outside = -np.log1p(shares[..., np.newaxis] * np.expm1(log_odds))
    errors, truths = counts[..., np.newaxis, :]
    of_steps = errors * log_odds[:, np.newaxis] + truths * outside[..., np.newaxis]
    begun: Float64s = np.cumsum(of_steps[..., ::-1], axis=-1)
    return begun
