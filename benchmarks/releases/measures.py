"""The small statistics of generated windows: measured PSI and its noise, what is proven and endures, Wilson's bound."""

import numpy as np

from monitor.arrays import Float64s, Int64s
from monitor.types import Tier

BINS = 10
PROVEN_AT = 4.4
"""Standard deviations; about what a bound at the default error rate is, per column and evaluation time."""
_PSI_LEVELS = (0.1, 0.2, 0.3)


def sums(numbers: Float64s | Int64s, length: int) -> Float64s:
    """Return the sum of each *length* consecutive numbers."""
    sums = np.concatenate([[0.0], np.cumsum(numbers, dtype=float)])
    of_windows: Float64s = sums[length:] - sums[:-length]
    return of_windows


def measured_psi(true: Float64s, events: Int64s, counts: Float64s, noise: Float64s, length: int) -> Float64s:
    """Return the PSI that each window measures: its mean amplitude's, and noise of its size."""
    amplitude = sums(np.sqrt(true) * events, length) / np.maximum(counts, 1.0)
    psi = amplitude * amplitude
    steady = sums(noise, length) / np.sqrt(length)
    measured: Float64s = np.maximum(psi + steady * _deviation(psi, counts), 0.0)
    return measured


def _deviation(psi: Float64s, counts: Float64s) -> Float64s:
    n = np.maximum(counts, 1.0)
    deviation: Float64s = np.sqrt(4.0 * psi / n + 2.0 * (BINS - 1) / (n * n))
    return deviation


def proven_tiers(psi: Float64s, counts: Float64s) -> Int64s:
    """Return the tiers that each window of *counts* events proves, in both halves."""
    low = psi - PROVEN_AT * _deviation(psi, counts / 2.0)
    return np.sum([low > level for level in _PSI_LEVELS], axis=0)


def tier_above(psi: float, ratio: float) -> Tier:
    """Return the highest tier that a column is not calm below."""
    return Tier(sum(psi >= ratio * level for level in _PSI_LEVELS))


def endured_tiers(tiers: Int64s, length: int) -> Int64s:
    """Return the tiers that the disjoint window before shows too; a warning needs none."""
    before = np.concatenate([np.zeros(min(length, len(tiers)), dtype=np.int64), tiers])[: len(tiers)]
    endured: Int64s = np.minimum(tiers, np.maximum(before, Tier.WARNING))
    return endured


def wilson_high(share: Float64s, n: Float64s) -> Float64s:
    """Return the upper bound of a *share* of *n*."""
    z = PROVEN_AT
    centre = share + z * z / (2.0 * n)
    half = z * np.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    high: Float64s = (centre + half) / (1.0 + z * z / n)
    return high
