"""Counts of one reference on the cells of another."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detection.reference_diff import reference_difference
from monitor.reference.build import build_profile
from monitor.reference.counting import rebinned_counts
from monitor.reference.description import ReferenceDescription, spec_of_profile
from monitor.reference.layout import SLOTS, Slot
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ColumnKind
from monitor.stats.kolmogorov_smirnov import kolmogorov_smirnov

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SAMPLES = st.lists(st.one_of(FLOATS, st.integers(0, 5).map(float)), min_size=1, max_size=80)


def profile_of(**columns: object) -> ReferenceProfile:
    table = pa.table(columns)
    kinds = tuple(
        (name, ColumnKind.CATEGORICAL if pa.types.is_string(table[name].type) else ColumnKind.NUMERIC)
        for name in table.column_names
    )
    return build_profile(table, description=ReferenceDescription(features=kinds), source="test")


@given(SAMPLES, SAMPLES)
@settings(max_examples=150)
def test_every_value_keeps_its_place(a: list[float], b: list[float]) -> None:
    """Up to 80 distinct values have cells of their own, so each value of b is counted where it belongs, one by one."""
    first, second = profile_of(x=a), profile_of(x=b)
    counts = rebinned_counts(second, first.layout)
    cells = first.layout.columns[0]
    values, edges = np.array(b) + 0.0, np.array(cells.edges)
    place = np.where(values < edges[0], cells.cells + Slot.BELOW, np.searchsorted(edges, values, side="right") - 1)
    place[values > cells.maximum] = cells.cells + Slot.ABOVE
    expected = np.bincount(place, minlength=cells.cells + SLOTS)
    expected[cells.cells + Slot.FAR_LOW] = (values < cells.far_low).sum()
    expected[cells.cells + Slot.FAR_HIGH] = (values > cells.far_high).sum()
    assert counts[: cells.cells + SLOTS].tolist() == expected.tolist()


def test_the_same_cells_give_the_same_counts() -> None:
    """Slots and far values included."""
    random = np.random.default_rng(1)
    profile = profile_of(x=random.standard_cauchy(5000), c=random.choice(["a", "b"], size=5000))
    assert rebinned_counts(profile, profile.layout).tolist() == profile.counts.tolist()


def test_other_cells_cost_a_thousandth() -> None:
    """20,000 continuous values on the cells of another sample: no cumulative share is off by more than 1/1000."""
    random = np.random.default_rng(2)
    first, values = profile_of(x=random.normal(size=20_000)), random.normal(0.3, 1.5, size=20_000)
    counts = rebinned_counts(profile_of(x=values), first.layout)
    cells = first.layout.columns[0]
    below = counts[cells.cells + Slot.BELOW] + np.cumsum(counts[: cells.cells])
    expected = np.searchsorted(np.sort(values), [*cells.edges[1:], np.nextafter(cells.maximum, np.inf)])
    assert np.abs(below - expected).max() <= 20_000 / 1000 + 1  # a cell of b, and half a row of rounding


def test_categories_go_by_name() -> None:
    """What the other does not know is unseen there."""
    counts = rebinned_counts(profile_of(c=["a", "c", "c", None]), profile_of(c=["b", "c"]).layout)
    assert counts[:2].tolist() == [0, 2]
    assert (counts[2 + Slot.UNSEEN], counts[2 + Slot.MISSING]) == (1, 1)


def test_the_difference_is_that_of_the_samples() -> None:
    """One standard deviation apart is a PSI of 1 and, by scipy's own count of the raw samples, its KS distance."""
    random = np.random.default_rng(3)
    one, other = random.normal(size=50_000), random.normal(1.0, size=50_000)
    same = random.choice(["x", "y"], size=50_000)
    a = profile_of(moved=one, same=same, dropped=one)
    b = profile_of(moved=other, same=same[::-1], new=one)
    result = reference_difference(spec_of_profile(a, model="m"), a, b)
    assert [decoded.name for decoded in result.columns] == ["moved", "same"]
    moved, unmoved = result.columns
    # On deciles of 50,000 the index of two unit normals one apart is 0.9 of the continuous 1 (grouping loses a tenth).
    assert moved.psi == pytest.approx(0.95, abs=0.06)
    cuts = np.sort(np.concatenate([one, other]))
    exact = np.abs(np.searchsorted(np.sort(one), cuts) - np.searchsorted(np.sort(other), cuts)).max() / 50_000
    assert moved.ks is not None
    assert moved.ks_bound is not None
    assert moved.ks - 0.001 <= exact <= moved.ks + moved.ks_bound + 0.001
    assert (unmoved.psi, unmoved.ks, unmoved.exact, moved.exact) == (0.0, None, True, False)
    assert unmoved.chance == pytest.approx(2 / 50_000)
    assert (result.only_a, result.only_b, result.same_cells) == (("dropped",), ("new",), False)


def test_equal_references_differ_in_nothing() -> None:
    """Zero everywhere, and adopting one over the other changes counts alone."""
    a = profile_of(x=np.random.default_rng(4).normal(size=3000))
    result = reference_difference(spec_of_profile(a, model="m"), a, a)
    assert result.same_cells
    assert [(decoded.psi, decoded.ks) for decoded in result.columns] == [(0.0, 0.0)]


def test_a_column_without_common_values_has_no_number_for_nothing() -> None:
    """Only unseen categories on the other side: no PSI (not measured), and all of it unseen."""
    a, b = profile_of(c=["a", "b"]), profile_of(c=["c", "d"])
    (column,) = reference_difference(spec_of_profile(a, model="m"), a, b).columns
    assert (column.psi, column.chance, column.b.unseen) == (None, None, 1.0)


def test_distance_bound_is_the_statistics_own() -> None:
    """On equal cells the numbers are those that a window would get."""
    random = np.random.default_rng(5)
    a = profile_of(x=random.integers(0, 30, size=4000).astype(float))
    b = profile_of(x=random.permutation(np.concatenate([np.arange(30.0), random.integers(5, 25, size=3970)])))
    (column,) = reference_difference(spec_of_profile(a, model="m"), a, b).columns
    cells = a.layout.columns[0].cells
    assert a.layout.columns[0].edges == b.layout.columns[0].edges
    expected = kolmogorov_smirnov(a.counts[:cells], b.counts[:cells], point_cells=np.ones(cells, dtype=np.bool_))
    assert column.ks == pytest.approx(expected.distance, abs=1e-12)
