"""The non-centrality of a given probability, against scipy's own distribution."""

import numpy as np
import pytest
from scipy.special import chndtr, chndtrix
from scipy.stats import norm

from monitor.stats.psi_bounds import noncentrality


@pytest.mark.parametrize("probability", [0.9, 0.999, 1 - 1e-5, 1 - 1e-7])
def test_it_is_the_inverse_of_the_distribution(probability: float) -> None:
    """From 1 to 40 degrees of freedom and up to a million: F at the answer is the probability.

    Probabilities near 1 are 1e-16 apart, which is 1e-16 / density in probits.
    """
    random = np.random.default_rng(1)
    freedom = random.integers(1, 41, 2000).astype(np.float64)
    true = 10.0 ** random.uniform(-3, 6, 2000)
    values = chndtrix(probability, freedom, true)
    result = noncentrality(values, freedom, probability)
    rounding = 1e-14 / norm.pdf(norm.ppf(probability))
    assert norm.ppf(chndtr(values, freedom, result)) == pytest.approx(norm.ppf(probability), abs=1e-11 + rounding)
    assert result == pytest.approx(true, rel=1e-6, abs=1e-3)


def test_it_grows_with_the_value() -> None:
    """A larger observation proves at least as much: no root of another value's is taken for its own."""
    values = np.linspace(60.0, 5000.0, 4000)
    result = noncentrality(values, np.full(4000, 9.0), 1 - 1.6e-6)
    assert (np.diff(result) > 0).all()
