"""How often the share test fires at the edge of its tolerance: exact binomial sums over both counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import binom

from monitor.arrays import Float64s, Int64s, Mask
from monitor.detection.quality_rule import UNSEEN_WARNING
from monitor.stats.share_shift import MINIMUM, RELATIVE, share_excess_lows, share_tolerance

_LEFT_OUT = 1e-13  # of the probability of the reference's counts, at either end


@dataclass(frozen=True, kw_only=True)
class ShareAtTheEdge:
    """A share that differs from its reference's by exactly what it may, and how it is tested.

    Attributes:
        reference_share: The true p0.
        by_definition: p0 is 0 because of what the share means, as for unseen values.
    """

    reference_share: float
    m: int
    n: int
    minimum: float = 0.01
    relative: float = 0.25
    alpha: float = 1e-5
    by_definition: bool = False

    @property
    def tolerance(self) -> float:
        """The true δ(p0)."""
        return share_tolerance(self.reference_share, minimum=self.minimum, relative=self.relative)

    @property
    def rate_of_rises(self) -> float:
        """The share of windows in which p = p0 + δ is proven to be more; 0 where there is no such share."""
        share = self.reference_share + self.tolerance
        if share > 1.0:
            return 0.0
        fewest = self._usual + self._steps_until_proven(1)
        return float(self._weights @ binom.sf(fewest - 1, self.n, share))

    @property
    def rate_of_falls(self) -> float:
        """The share of windows in which p = p0 - δ is proven to be less; 0 where there is no such share."""
        share = self.reference_share - self.tolerance
        if share < 0.0:
            return 0.0
        most = self._usual - self._steps_until_proven(-1)
        return float(self._weights @ binom.cdf(most, self.n, share))

    @cached_property
    def _reference_counts(self) -> Int64s:
        if self.by_definition or self.reference_share == 0.0:
            return np.zeros(1, dtype=np.int64)
        low, high = (int(limit(_LEFT_OUT, self.m, self.reference_share)) for limit in (binom.ppf, binom.isf))
        return np.arange(low, high + 1)

    @property
    def _weights(self) -> Float64s:
        weights: Float64s = binom.pmf(self._reference_counts, self.m, self.reference_share)
        return weights

    @property
    def _usual(self) -> Int64s:
        """The window's count, for each of the reference's, that is as expected and proves nothing."""
        return self.n * self._reference_counts // self.m

    def _steps_until_proven(self, direction: int) -> Int64s:
        """How many events more (1) or less (-1) than usual are proof; more than there can be, where nothing is."""
        none, enough = np.zeros_like(self._usual), (self.n - self._usual if direction > 0 else self._usual) + 1
        while (enough - none > 1).any():
            middle = (none + enough) // 2
            proven = self._proven(self._usual + direction * middle)
            none, enough = np.where(proven, none, middle), np.where(proven, middle, enough)
        return enough

    def _proven(self, counts: Int64s) -> Mask:
        inside = np.clip(counts, 0, self.n)
        m = np.inf if self.by_definition else float(self.m)
        excess = share_excess_lows(
            self._reference_counts,
            m,
            inside,
            self.n,
            minimum=self.minimum,
            relative=self.relative,
            alpha=self.alpha,
        )
        tolerances = np.maximum(self.minimum, self.relative * (self._reference_counts / m))
        proven: Mask = (excess > tolerances) & (counts == inside)
        return proven


N = (200, 1000, 6000, 20_000)
ROWS = (
    ("0 by definition (unseen, 0.1 %)", 0.0, 20_000),
    ("0", 0.0, 20_000),
    ("0.1 %", 0.001, 20_000),
    ("1 %", 0.01, 20_000),
    ("1 %", 0.01, 2_000),
    ("10 %", 0.1, 20_000),
    ("10 %", 0.1, 2_000),
    ("50 %", 0.5, 100_000),
    ("50 %", 0.5, 2_000),
)


def share_level_rows() -> Iterator[tuple[str, ...]]:
    """Yield the rates at the edge, the larger of both directions, as multiples of alpha."""
    for name, share, m in ROWS:
        unseen = name.endswith("(unseen, 0.1 %)")
        rates = []
        for n in N:
            edge = ShareAtTheEdge(
                reference_share=share,
                m=m,
                n=n,
                minimum=UNSEEN_WARNING if unseen else MINIMUM,
                relative=0.0 if unseen else RELATIVE,
                by_definition=unseen,
            )
            rates.append(max(edge.rate_of_rises, edge.rate_of_falls) / edge.alpha)
        yield name, "" if unseen else f"{m:,}", *(f"{rate:.2f}" for rate in rates)
