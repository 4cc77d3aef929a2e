"""The area under the ROC curve from cells against the exact one by ranks."""

import math

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import rankdata

from monitor.arrays import Float64s
from monitor.errors import BinMismatchError, EmptySampleError
from monitor.stats.area_under_curve import area_under_curve, areas_under_curve
from tests.unit.stats.samples import SAMPLES, cells_of


def exact_area(positives: Float64s, negatives: Float64s) -> float:
    """Return the area by Mann and Whitney's ranks, ties counting half."""
    ranks = rankdata(np.concatenate([positives, negatives]))[: len(positives)]
    pairs = len(positives) * len(negatives)
    return float((ranks.sum() - len(positives) * (len(positives) + 1) / 2) / pairs)


@pytest.mark.parametrize("moved", [0.0, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_the_exact_area_lies_inside_the_half_width(name: str, moved: float) -> None:
    """Whatever the scores look like, on coarse and fine cells, with and without knowing the point cells."""
    generator = np.random.default_rng(28)
    negatives, positives = SAMPLES[name](generator, 5000, 0.0), SAMPLES[name](generator, 900, moved)
    exact = exact_area(positives, negatives)
    for cells in (7, 100, 1000):
        on_negatives, on_positives, point_cells, _ = cells_of(negatives, positives, cells)
        plain = area_under_curve(on_positives, on_negatives)
        assert abs(exact - plain.area) <= plain.half_width + 1e-12
        result = area_under_curve(on_positives, on_negatives, point_cells=point_cells)
        assert result.area == plain.area
        assert abs(exact - result.area) <= result.half_width + 1e-12
        # A wide bound would prove nothing: a quantile cell that is no point holds under 2/cells of the negatives.
        assert result.half_width <= 1.0 / cells


def test_one_cell_per_value_is_exact() -> None:
    """Ties of equal scores count half and are no error."""
    generator = np.random.default_rng(29)
    positives, negatives = SAMPLES["Poisson"](generator, 900, 1.0), SAMPLES["Poisson"](generator, 5000, 0.0)
    on_negatives, on_positives, point_cells, _ = cells_of(negatives, positives, 1000)
    result = area_under_curve(on_positives, on_negatives, point_cells=point_cells)
    assert result.half_width == 0.0
    assert result.area == pytest.approx(exact_area(positives, negatives), abs=1e-12)


def test_the_half_width_is_reached() -> None:
    """Classes that part inside their one cell have an area the cell cannot see."""
    result = area_under_curve(np.array([4]), np.array([10]))
    assert (result.area, result.half_width) == (0.5, 0.5)
    assert exact_area(np.full(4, 2.0), np.full(10, 1.0)) == result.area + result.half_width


def test_normal_scores_have_the_binormal_area() -> None:
    """Unit normals δ apart have AUC Φ(δ/√2)."""
    edges = np.linspace(-8.0, 10.0, 1801)
    negatives, positives = (np.diff(ndtr(edges - at)) for at in (0.0, 1.5))
    result = area_under_curve(positives, negatives)
    assert result.area == pytest.approx(ndtr(1.5 / math.sqrt(2.0)), abs=1e-5)
    assert 0.0 < result.half_width < 0.002


def test_turned_round_the_area_is_what_is_missing_to_one() -> None:
    """Exchanging the classes, or reversing the scores, gives 1 − AUC and the same half-width."""
    generator = np.random.default_rng(30)
    positives, negatives = generator.integers(0, 9, 12), generator.integers(0, 9, 12)
    result = area_under_curve(positives, negatives)
    for other in (area_under_curve(negatives, positives), area_under_curve(positives[::-1], negatives[::-1])):
        assert other.area == pytest.approx(1.0 - result.area, abs=1e-12)
        assert other.half_width == pytest.approx(result.half_width, abs=1e-12)


def test_classes_and_windows_side_by_side_have_the_areas_they_have_alone() -> None:
    """One call for several columns of scores; a class without positives is not measured."""
    generator = np.random.default_rng(31)
    starts, stops = [0, 4, 5], [4, 5, 12]
    positives, negatives = generator.integers(0, 9, (2, 12)), generator.integers(1, 9, 12)
    positives[0, 4] = 0
    point_cells = generator.random(12) < 0.3
    result = areas_under_curve(positives, negatives, point_cells=point_cells, starts=np.array(starts))
    assert np.isnan(result.areas[0, 1])
    assert np.isnan(result.half_widths[0, 1])
    for window, column in [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)]:
        own = slice(starts[column], stops[column])
        alone = area_under_curve(positives[window, own], negatives[own], point_cells=point_cells[own])
        assert result.areas[window, column] == pytest.approx(alone.area, abs=1e-12)
        assert result.half_widths[window, column] == pytest.approx(alone.half_width, abs=1e-12)


def test_one_class_or_other_cells_are_refused() -> None:
    """Without both classes there is no curve."""
    with pytest.raises(EmptySampleError, match="expected both"):
        area_under_curve(np.array([0, 0]), np.array([1, 2]))
    with pytest.raises(BinMismatchError):
        area_under_curve(np.array([1, 2]), np.array([1, 2, 3]))
    with pytest.raises(BinMismatchError):
        area_under_curve(np.array([1, 2]), np.array([1, 2]), point_cells=np.array([True]))
