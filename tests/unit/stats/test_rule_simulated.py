"""How often the rule fires at the edge of a tier, and how much traffic it needs past it, by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from monitor.arrays import Float64s
from monitor.stats.columnar import Counts
from monitor.stats.psi import population_stability_indexes
from monitor.stats.psi_bounds import tier_threshold

EDGES = np.concatenate([[-np.inf], ndtri(np.arange(1, 10) / 10), [np.inf]])
DECILES = np.full(10, 0.1)
M = 20_000

# Shares of the deciles of a unit normal after a change of size t.
CHANGES: dict[str, Callable[[float], Float64s]] = {
    "mean": lambda t: np.diff(ndtr(EDGES - t)),
    "wider": lambda t: np.diff(ndtr(EDGES / (1.0 + t))),
    "narrower": lambda t: np.diff(ndtr(EDGES * (1.0 + t))),
    "one bin": lambda t: np.append(np.exp(t), np.ones(9)) / (np.exp(t) + 9.0),
}


def changed(change: str, *, psi: float) -> Float64s:
    """Return shares whose PSI against the deciles is exactly *psi*."""

    def excess(size: float) -> float:
        shares = CHANGES[change](size)
        return float(np.sum((shares - DECILES) * np.log(shares / DECILES))) - psi

    return CHANGES[change](brentq(excess, 1e-6, 3.0, xtol=1e-14))


def fired(reference: Counts, current: Counts, *, tier: float, alpha: float) -> float:
    """Return the share of runs whose PSI passes the threshold; one run a row."""
    n = int(current[0].sum())
    psi = population_stability_indexes(reference, current, starts=np.array([0]))[:, 0]
    return float(np.mean(psi > tier_threshold(tier, bins=10, n=n, m=M, alpha=alpha)))


@pytest.fixture(scope="module")
def references() -> Counts:
    """Give 200,000 samples of the reference."""
    return np.random.default_rng(30).multinomial(M, DECILES, 200_000)


@pytest.mark.parametrize("n", [500, 2000, 20_000])
@pytest.mark.parametrize("change", CHANGES)
def test_at_the_edge_of_the_tier_the_rule_fires_about_as_often_as_promised(
    references: Counts, change: str, n: int
) -> None:
    """With the true PSI exactly at 0.1, whatever the change, α′ = 1e-4 is kept within a factor 3.

    A million runs a case gave 0.7 to 1.3 times α′, and for a narrower spread 2.0 at n = 500, 1.1 at 20,000.
    """
    current = np.random.default_rng(n).multinomial(n, changed(change, psi=0.1), len(references))
    # 20 of the 200,000 are expected; the simulation's own spread is ±4.5 of them.
    assert 1e-4 / 3 < fired(references, current, tier=0.1, alpha=1e-4) < 3e-4


@pytest.mark.parametrize(
    ("tier", "psi", "n"), [(0.1, 0.5, 300), (0.1, 0.3, 700), (0.1, 0.2, 2200), (0.1, 0.15, 10_000)]
)
@pytest.mark.parametrize("change", CHANGES)
def test_the_documented_traffic_has_a_power_of_90_percent(
    references: Counts, change: str, tier: float, psi: float, n: int
) -> None:
    """What the table of statistics §3 asks for one window (α′ = 1e-5, m = 20,000) finds the change in 90 % of windows.

    Half of it finds it in less than 90 %: the figures are not generous.
    """
    power = {}
    for events in (n, n // 2):
        current = np.random.default_rng(events).multinomial(events, changed(change, psi=psi), 5000)
        power[events] = fired(references[:5000], current, tier=tier, alpha=1e-5)
    # Between 0.93 and 0.985 with 20,000 runs; the spread of 5,000 runs at 0.93 is 0.004.
    assert power[n] >= 0.9
    assert power[n // 2] < 0.9


@pytest.mark.parametrize(("psi", "n", "power"), [(0.5, 500, 0.9), (0.3, 4000, 0.93), (0.238, 20_000, 0.42)])
def test_the_alert_tier_needs_more_and_near_it_a_larger_reference(
    references: Counts, psi: float, n: int, power: float
) -> None:
    """PSI 0.5 in 500 events, 0.3 in 4,000 have a power of 90 %; 0.238 (0.5σ) in 20,000 only 42 %.

    Against m = 20,000 no traffic brings much more than N = 20,000 independent events; the 90 % need 300,000 events,
    or 20,000 against a reference of a million.
    """
    current = np.random.default_rng(n).multinomial(n, changed("mean", psi=psi), 5000)
    # Four standard deviations of 5,000 runs at 0.42 are 0.028.
    assert fired(references[:5000], current, tier=0.2, alpha=1e-5) == pytest.approx(power, abs=0.03)
