"""How often an index exactly at its tier is proven to be past it: sums over two bins, weighted samples over more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from monitor.arrays import Float64s, Mask
from monitor.stats.psi import population_stability_indexes
from monitor.stats.psi_bounds import tier_threshold
from monitor.stats.psi_variance import variance_lower_bounds

TIERS = (0.1, 0.2, 0.3)
N = (200, 1000, 6000, 20_000)
_REACH = 7.0  # standard deviations of a count that a sum goes to
_DRAWS = 6000
_TILTS = (0.0, 0.6, 0.85, 1.0, 1.15, 1.4)  # of a proof's distance from the tier


@dataclass(frozen=True, kw_only=True)
class Rates:
    """How often the tier is passed: by the bound of the index alone, and by both bounds."""

    alone: float
    both: float


@dataclass(frozen=True, kw_only=True)
class PsiAtTier:
    """A column whose true index is *tier*, and how it is tested.

    Attributes:
        reference, current: The true shares.
    """

    reference: Float64s
    current: Float64s
    tier: float
    n: int
    m: int = 20_000
    alpha: float = 1e-5

    def rates(self, *, seed: int = 0) -> Rates:
        """Return the rates, exact for two bins and from *seed* for more."""
        reference, current, weights = self._all_counts() if len(self.reference) == 2 else self._weighted_counts(seed)
        bins = reference.shape[1]
        runs = (np.ravel(reference), np.ravel(current))
        starts = np.arange(0, reference.size, bins)
        threshold = tier_threshold(self.tier, bins=bins, n=self.n, m=self.m, alpha=self.alpha)
        alone: Mask = population_stability_indexes(*runs, starts=starts) > threshold
        lows = variance_lower_bounds(*runs, starts=starts, kappa=np.zeros(len(starts)), alpha=self.alpha)
        both = alone & (lows > self.tier)
        return Rates(alone=float(weights[alone].sum()), both=float(weights[both].sum()))

    def _all_counts(self) -> tuple[Float64s, Float64s, Float64s]:
        """Return each pair of counts that matters, shape ``(pairs, 2)`` twice, and its probability."""
        (known, of_known), (seen, of_seen) = (
            _likely(self.m, float(self.reference[0])),
            _likely(self.n, float(self.current[0])),
        )
        first, second = np.repeat(known, len(seen)), np.tile(seen, len(known))
        probabilities = np.repeat(of_known, len(seen)) * np.tile(of_seen, len(known))
        return np.stack([first, self.m - first], 1), np.stack([second, self.n - second], 1), probabilities

    def _weighted_counts(self, seed: int) -> tuple[Float64s, Float64s, Float64s]:
        """Return draws of both counts, shape ``(draws, bins)`` twice, and how much each stands for.

        They come from a mixture of distributions tilted along the index's gradient, for a proof is too rare to be met
        without.
        """
        generator = np.random.default_rng(seed)
        q, p = self.current, self.reference
        of_current, of_reference = np.log(q / p) + 1.0 - p / q, np.log(p / q) + 1.0 - q / p
        of_current, of_reference = np.maximum(of_current, -50.0), np.maximum(of_reference, -50.0)
        deviation = np.sqrt(_variance(q, of_current) / self.n + _variance(p, of_reference) / self.m)
        distance = -float(ndtri(self.alpha)) / deviation
        tilted = [
            (_tilted(q, tilt * distance * of_current / self.n), _tilted(p, tilt * distance * of_reference / self.m))
            for tilt in _TILTS
        ]
        draws = _DRAWS // len(tilted)
        current = np.concatenate([generator.multinomial(self.n, shares, draws) for shares, _ in tilted])
        reference = np.concatenate([generator.multinomial(self.m, shares, draws) for _, shares in tilted])
        likelier = np.stack(
            [current @ np.log(seen / q) + reference @ np.log(known / p) for seen, known in tilted],
        )
        largest = likelier.max(axis=0)
        weights = np.exp(-largest) / np.exp(likelier - largest).mean(axis=0) / len(current)
        return reference.astype(np.float64), current.astype(np.float64), weights


def _likely(size: int, share: float) -> tuple[Float64s, Float64s]:
    """Return the counts of a share that are likely at all, and their probabilities."""
    middle, reach = size * share, _REACH * np.sqrt(size * share * (1.0 - share)) + 12.0
    counts = np.arange(max(0, int(middle - reach)), min(size, int(middle + reach)) + 1, dtype=np.float64)
    return counts, binom.pmf(counts, size, share)


def _variance(shares: Float64s, values: Float64s) -> float:
    return float((shares * values**2).sum() - (shares * values).sum() ** 2)


def _tilted(shares: Float64s, exponents: Float64s) -> Float64s:
    weights = shares * np.exp(exponents)
    tilted: Float64s = weights / weights.sum()
    return tilted


def at_tier(reference: Float64s, change: Callable[[float], Float64s], tier: float) -> Float64s:
    """Return the shares of a *change* (0 is none) whose index is *tier*."""

    def gap(size: float) -> float:
        current = np.maximum(change(size), 1e-300)
        return float(((current - reference) * np.log(current / reference)).sum()) - tier

    return change(float(brentq(gap, 1e-6, 12.0, xtol=1e-13)))


def emptying(bins: int) -> tuple[Float64s, Callable[[float], Float64s]]:
    """Return shares with a bin of a twentieth, the others alike, and how that one empties."""
    reference = np.array([0.05, *[0.95 / (bins - 1)] * (bins - 1)])
    return reference, lambda size: _tilted(reference, np.array([-size, *[0.0] * (bins - 1)]))


def _mean(bins: int) -> tuple[Float64s, Callable[[float], Float64s]]:
    edges = ndtri(np.linspace(0.0, 1.0, bins + 1))
    return np.full(bins, 1.0 / bins), lambda size: np.diff(ndtr(edges - size))


def _spread(factor: float) -> Callable[[int], tuple[Float64s, Callable[[float], Float64s]]]:
    def change(bins: int) -> tuple[Float64s, Callable[[float], Float64s]]:
        # Two bins alike do not see a change of spread: a tail and the rest do.
        edges = ndtri(np.array([0.0, 0.1, 1.0]) if bins == 2 else np.linspace(0.0, 1.0, bins + 1))
        return np.diff(ndtr(edges)), lambda size: np.diff(ndtr(edges * np.exp(factor * size)))

    return change


CHANGES: tuple[tuple[str, Callable[[int], tuple[Float64s, Callable[[float], Float64s]]]], ...] = (
    ("the mean shifts", _mean),
    ("the spread grows", _spread(-1.0)),
    ("the spread shrinks", _spread(1.0)),
    ("a bin of 5 % empties", emptying),
)


def psi_level_rows() -> Iterator[tuple[str, ...]]:
    """Yield the rates at the worst of the default tiers in alphas, by the index alone and by both bounds."""
    for name, of_bins in CHANGES:
        for bins in (2, 10, 30):
            reference, change = of_bins(bins)
            cells = []
            for n in N:
                cases = [
                    PsiAtTier(reference=reference, current=at_tier(reference, change, tier), tier=tier, n=n)
                    for tier in TIERS
                ]
                results, alpha = [case.rates() for case in cases], cases[0].alpha
                cells.append(
                    f"{_times(max(result.alone for result in results) / alpha)} → "
                    f"{_times(max(result.both for result in results) / alpha)}"
                )
            yield name, str(bins), *cells


def _times(value: float) -> str:
    if value < 0.005:
        return "0.00"
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10.0 else f"{value:.2g}"
