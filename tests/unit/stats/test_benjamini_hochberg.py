"""p-values at the boundary and the columns listed by them."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, ncx2

from monitor.stats.false_discovery import benjamini_hochberg, psi_p_value
from monitor.stats.psi_bounds import effective_size, tier_threshold


def test_the_published_example_rejects_four() -> None:
    """The 15 p-values of Benjamini and Hochberg 1995 (section 3.2) reject the first four at 0.05."""
    p_values = np.array(
        [
            0.0001,
            0.0004,
            0.0019,
            0.0095,
            0.0201,
            0.0278,
            0.0298,
            0.0344,
            0.0459,
            0.324,
            0.4262,
            0.5719,
            0.6528,
            0.759,
            1,
        ]
    )
    assert benjamini_hochberg(p_values, q=0.05).tolist() == [True] * 4 + [False] * 11


@given(
    st.lists(st.one_of(st.integers(0, 40).map(lambda part: part / 400), st.floats(0.0, 1.0), st.just(math.nan))),
    st.sampled_from([0.01, 0.05, 0.1, 0.2]),
)
def test_it_is_scipys_answer(p_values: list[float], q: float) -> None:
    """In the columns' own order, with ties and NaN: scipy's adjusted p-values at most q, but for its rounding."""
    values = np.array(p_values)
    measured = ~np.isnan(values)
    adjusted = false_discovery_control(values[measured])
    assume(not np.isclose(adjusted, q, rtol=1e-12, atol=0.0).any())
    np.testing.assert_array_equal(benjamini_hochberg(values, q=q)[measured], adjusted <= q)


def test_what_is_not_measured_neither_counts_nor_is_listed() -> None:
    """NaN is never rejected and does not make the others harder to reject."""
    assert benjamini_hochberg(np.array([np.nan, 0.04, np.nan]), q=0.05).tolist() == [False, True, False]
    assert benjamini_hochberg(np.array([np.nan]), q=0.05).tolist() == [False]
    assert benjamini_hochberg(np.array([]), q=0.05).tolist() == []
    with pytest.raises(ValueError, match="q must"):
        benjamini_hochberg(np.array([0.1]), q=0.0)


@pytest.mark.parametrize(("kappa", "nu"), [(0.0, None), (0.002, 1.5)])
def test_the_p_value_passes_alpha_where_the_index_passes_the_threshold(kappa: float, nu: float | None) -> None:
    """At the threshold of alpha the p-value is alpha, whichever of the two terms decides."""
    for alpha in (0.01, 1e-5):
        psi = tier_threshold(0.1, bins=10, n=800, m=20_000, kappa=kappa, nu=nu, alpha=alpha)
        result = psi_p_value(psi, tier=0.1, bins=10, n=800, m=20_000, kappa=kappa, nu=nu)
        assert result == pytest.approx(alpha, rel=1e-6)


def test_the_p_value_is_the_non_central_tail() -> None:
    """Without movement of its own a column's p-value is ncx2.sf by scipy; a single bin has p = 1."""
    size = effective_size(800, 20_000)
    result = psi_p_value(0.15, tier=0.1, bins=10, n=800, m=20_000)
    assert result == pytest.approx(ncx2.sf(size * 0.15, 9, size * 0.1), rel=1e-9)
    assert psi_p_value(0.15, bins=1, n=800, m=20_000) == 1.0
    assert math.isnan(psi_p_value(math.nan, bins=10, n=800, m=20_000))
