"""PSI against its mathematics."""

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.psi import population_stability_index, population_stability_indexes

# So many observations that rounding to whole counts and the pseudocount are far under the tolerances below.
MANY = 10**12


def expected_counts(edges: np.ndarray, shift: float) -> np.ndarray:
    """Return the expected counts of a unit normal at *shift* between *edges*, tails included."""
    cumulative = np.concatenate([[0.0], ndtr(edges - shift), [1.0]])
    return np.rint(np.diff(cumulative) * MANY).astype(np.int64)


def test_empty_bins_do_not_swamp_the_index() -> None:
    """Unit normals one sigma apart diverge by exactly 1 nat, empty tails or not."""
    edges = np.linspace(-12.0, 13.0, 2501)
    index = population_stability_index(expected_counts(edges, 0.0), expected_counts(edges, 1.0))
    # Bins of 0.01 sigma lose 1e-5 of the density's divergence; counts cut off at 1e-12 lose as much again.
    assert index == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("shift", "index"), [(0.3, 0.086), (0.5, 0.238)])
def test_shifts_on_deciles_have_the_index_the_documentation_names(shift: float, index: float) -> None:
    """On reference deciles 0.3 sigma is PSI 0.086 and 0.5 sigma is PSI 0.238."""
    deciles = ndtri(np.arange(1, 10) / 10)
    result = population_stability_index(expected_counts(deciles, 0.0), expected_counts(deciles, shift))
    assert result == pytest.approx(index, abs=5e-4)


def test_two_bins_by_hand() -> None:
    """A coin that goes from 1:1 to 3:1 moves by ¼ ln(¾ / ½) + ¼ ln(½ / ¼)."""
    index = population_stability_index(np.array([1, 1]) * MANY, np.array([3, 1]) * MANY)
    assert index == pytest.approx(0.25 * math.log(1.5) + 0.25 * math.log(2.0), rel=1e-9)


def test_half_an_observation_is_added_to_every_bin_of_both_sides() -> None:
    """Reference (9, 0) and current (0, 3) become the shares 0.95, 0.05 and 0.125, 0.875."""
    index = population_stability_index(np.array([9, 0]), np.array([0, 3]))
    by_hand = (0.125 - 0.95) * math.log(0.125 / 0.95) + (0.875 - 0.05) * math.log(0.875 / 0.05)
    assert index == pytest.approx(by_hand, rel=1e-14)


def test_an_empty_side_is_refused_alone_and_not_measured_among_others() -> None:
    """No observations give no number: an error for one column, NaN for that column only among many."""
    with pytest.raises(EmptySampleError, match="reference holds 0"):
        population_stability_index(np.array([0, 0]), np.array([1, 2]))
    indexes = population_stability_indexes(
        np.array([0, 0, 5, 5, 5]), np.array([1, 2, 5, 5, 5]), starts=np.array([0, 2])
    )
    assert np.isnan(indexes[0])
    assert indexes[1] == 0.0


def test_windows_broadcast_against_one_reference() -> None:
    """A leading axis of windows gives each window the values it has alone."""
    generator = np.random.default_rng(1)
    reference, current = generator.integers(0, 50, 12), generator.integers(0, 50, (3, 12))
    starts = np.array([0, 2, 7])
    together = population_stability_indexes(reference, current, starts=starts)
    assert together.shape == (3, 3)
    for window, row in zip(current, together, strict=True):
        np.testing.assert_array_equal(row, population_stability_indexes(reference, window, starts=starts))


@pytest.mark.parametrize("starts", [[1, 3], [0, 3, 3], [0, 4, 2], [0, 6], []])
def test_starts_that_reduceat_would_misread_are_refused(starts: list[int]) -> None:
    """Starts must begin with 0, increase, and stay inside the array."""
    counts = np.arange(6)
    with pytest.raises(BinMismatchError):
        population_stability_indexes(counts, counts, starts=np.array(starts, dtype=np.intp))


def test_unequal_bins_and_a_pseudocount_of_zero_are_refused() -> None:
    """Histograms on different bins have no index, and neither has an unsmoothed empty bin."""
    with pytest.raises(BinMismatchError):
        population_stability_index(np.array([1, 2]), np.array([1, 2, 3]))
    with pytest.raises(BinMismatchError):
        population_stability_indexes(np.array([1, 2]), np.array([1, 2, 3]), starts=np.array([0]))
    with pytest.raises(ValueError, match="pseudocount"):
        population_stability_index(np.array([1, 2]), np.array([1, 2]), pseudocount=0.0)
