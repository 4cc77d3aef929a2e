"""The stored numbers against values computed from the raw samples."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import ks_2samp

from monitor.reference.layout import Slot
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, count, prepared_of

SAMPLES: dict[str, Callable[[np.random.Generator, int], npt.NDArray[np.float64]]] = {
    "normal": lambda generator, n: generator.normal(size=n),
    "lognormal": lambda generator, n: generator.lognormal(0.0, 2.0, n),
    "zeros": lambda generator, n: np.where(generator.random(n) < 0.6, 0.0, generator.exponential(size=n)),
    "poisson": lambda generator, n: generator.poisson(3.0, n).astype(float),
}


def test_psi_and_ks_are_those_of_the_raw_samples() -> None:
    """PSI equals numpy's on the same bins to 1e-9; scipy's KS distance lies within the printed bound."""
    generator = np.random.default_rng(97)
    reference = {name: draw(generator, 20_000) for name, draw in SAMPLES.items()}
    current = {name: 1.3 * draw(generator, 4000) + 0.1 for name, draw in SAMPLES.items()}
    prepared = prepared_of(reference)
    first, second = (
        count(prepared.layout, {name: values[part] for name, values in current.items()})
        for part in (slice(0, 1500), slice(1500, 4000))
    )
    result = decide_window(prepared, scale=HOUR, first_half=first, second_half=second, events=4000)
    for column, cells, bins in zip(result.columns, prepared.layout.columns, prepared.bins, strict=True):
        firsts = [bins.index(number) for number in range(1, max(bins) + 1)]
        inner = np.array([cells.edges[cell] for cell in firsts])
        p, q = (
            np.bincount(np.searchsorted(inner, values, side="right"), minlength=len(inner) + 1) + 0.5
            for values in (reference[column.name], current[column.name])
        )
        p, q = p / p.sum(), q / q.sum()
        assert column.psi == pytest.approx(float(np.sum((q - p) * np.log(q / p))), abs=1e-9)
        assert column.ks is not None
        assert column.ks_bound is not None
        exact = ks_2samp(reference[column.name], current[column.name]).statistic
        assert column.ks - 1e-12 <= exact <= column.ks + column.ks_bound + 1e-12
        assert column.n == 4000


def test_categories_and_their_slots_are_counted_apart() -> None:
    """Unseen and missing categories have shares of their own, PSI sees the rest; rare categories share a bin."""
    generator = np.random.default_rng(98)
    names = [f"c{index}" for index in range(12)]
    shares = np.array([0.4, 0.3, 0.25] + [0.05 / 9] * 9)
    prepared = prepared_of({"city": generator.choice(names, 20_000, p=shares), "x": generator.normal(size=20_000)})
    values = [*generator.choice(names[:3], 900, p=[0.2, 0.3, 0.5]).tolist(), *["new"] * 60, *[None] * 40]
    counts = count(prepared.layout, {"city": values, "x": generator.normal(size=1000)})
    nothing = np.zeros_like(counts)
    result = decide_window(prepared, scale=HOUR, first_half=counts, second_half=nothing, events=1000)
    column = result.columns[0]
    assert (column.n, column.missing, column.unseen, column.ks) == (900, 0.04, 0.06, None)
    place = prepared.layout.spans[0]
    held = prepared.reference.bins[:4]
    seen = np.array([counts[place.start + prepared.layout.columns[0].categories.index(name)] for name in names[:3]])
    p, q = (held + 0.5) / (held + 0.5).sum(), (np.append(seen, 0) + 0.5) / (seen.sum() + 2.0)
    assert column.psi == pytest.approx(float(np.sum((q - p) * np.log(q / p))), abs=1e-9)
    assert counts[place.slots + Slot.UNSEEN] == 60
    # All of it lies in the first half: proven, and endured by nothing.
    assert [finding.endured for finding in result.findings] == [False] * len(result.findings)
    assert {finding.statistic for finding in result.findings} == {"psi", "missing", "unseen"}
