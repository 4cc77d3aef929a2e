"""The non-centrality at which a non-central chi-squared variable stays under a value with a given probability."""

import math

import numpy as np
from scipy.special import chndtr, chndtrinc, ndtri

from monitor.stats.columns import Reals

_STEPS = 12
_ROUNDING = 1e-15  # of a probability near 1, with some room


def noncentrality(values: Reals, freedom: Reals, probability: float) -> Reals:
    r"""Return λ with :math:`F(x; f, \lambda) = p` for each value, at least 0.

    The root of a variable has nearly the variance 1 whatever λ, so that :math:`\Phi^{-1}(F)` falls by nearly 1 where
    √λ grows by 1: the secant method in √λ needs a handful of evaluations of F, a tenth of what scipy's search costs.
    A root that it does not reach as closely as probabilities are told apart is left to scipy.

    Args:
        values, freedom: Shape ``(columns,)``, positive.
        probability: p, for which F(x; f, 0) must be at least p; else the answer is not meant.

    References:
        Sankaran (1959) for the root's distribution.
    """
    wanted = float(ndtri(probability))
    precision = max(1e-12, _ROUNDING * math.sqrt(2.0 * math.pi) * math.exp(wanted * wanted / 2.0))
    root = np.sqrt(np.maximum(np.sqrt(np.maximum(values - (freedom - 1.0) / 2.0, 0.0)) - wanted, 0.0) ** 2)
    before, gap_before = root + 0.01, _gap(values, freedom, root + 0.01, wanted)
    gap = _gap(values, freedom, root, wanted)
    for _ in range(_STEPS):
        slope = np.where(root != before, (gap - gap_before) / np.where(root != before, root - before, 1.0), -1.0)
        step = gap / np.where(slope < -0.1, slope, -1.0)
        before, gap_before = root, gap
        root = np.maximum(root - step, 0.0)
        gap = _gap(values, freedom, root, wanted)
        if np.all(np.abs(gap) <= precision):
            break
    found: Reals = root**2
    missed = ~(np.abs(gap) <= precision)
    if missed.any():
        found[missed] = chndtrinc(values[missed], freedom[missed], probability)
    return found


def _gap(values: Reals, freedom: Reals, root: Reals, wanted: float) -> Reals:
    with np.errstate(all="ignore"):
        gap: Reals = ndtri(chndtr(values, freedom, root**2)) - wanted
    return gap
