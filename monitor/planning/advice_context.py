"""What all advice is based on: spec, reference and traffic; and the PSI of a shift to be detected."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from monitor.detection import PreparedReference
from monitor.planning.column_comparison import ColumnComparison, comparisons_at
from monitor.planning.results import FalseAlarms, ScalePlan, Traffic
from monitor.reference.profile import ReferenceProfile
from monitor.spec.model import ModelSpec

BINS = 10


def psi_of_shift(sigmas: float, *, share: float = 1.0) -> float:
    r"""Return the PSI of a window in which a normal column's mean has shifted, on ten equal bins of its reference.

    .. math:: \mathrm{PSI} = \sum_i (q_i - 0.1) \ln (q_i / 0.1), \quad
              q_i = (1 - s)\,0.1 + s\,[\Phi(z_{i+1} - \delta) - \Phi(z_i - \delta)]

    with *s* the share of the window's events after the shift and :math:`z_i` the deciles of the unit normal. Unbinned
    and with *s* = 1 it is :math:`\delta^2` exactly; the bins keep 0.95 of that at 0.5 sigma and 0.93 at 1 sigma.

    Args:
        sigmas: δ, in standard deviations of the reference.
        share: *s*, between 0 and 1.

    References:
        Kullback & Leibler (1951): the divergence J of two unit normals δ apart is δ².
    """
    edges = ndtri(np.linspace(0.0, 1.0, BINS + 1))
    even = 1.0 / BINS
    q = (1.0 - share) * even + share * np.diff(ndtr(edges - sigmas))
    return float(np.sum((q - even) * np.log(q / even)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceContext:
    """A spec, its reference, its traffic, and the plan numbers derived from them."""

    spec: ModelSpec
    profile: ReferenceProfile
    prepared: PreparedReference
    traffic: Traffic
    scales: tuple[ScalePlan, ...]
    false_alarms: FalseAlarms

    @property
    def concluding(self) -> tuple[ScalePlan, ...]:
        """Scales that come to a verdict at this traffic."""
        return tuple(scale for scale in self.scales if scale.concludes)

    def comparisons(self, plan: ScalePlan) -> tuple[ColumnComparison, ...]:
        """Return every judged column at the scale of *plan*."""
        scale = next(candidate for candidate in self.spec.scales if candidate.length == plan.length)
        return comparisons_at(self.prepared, scale)

    def comparison(self, plan: ScalePlan, column: str) -> ColumnComparison:
        """Return one judged column at the scale of *plan*."""
        return next(candidate for candidate in self.comparisons(plan) if candidate.column == column)
