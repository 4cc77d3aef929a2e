"""Everything that advice is given from."""

from dataclasses import dataclass

from monitor.detection import Prepared
from monitor.planning.answers import FalseAlarms, ScalePlan
from monitor.planning.comparison import Comparison, comparisons_at
from monitor.planning.traffic import Traffic
from monitor.reference.profile import ReferenceProfile
from monitor.spec import ModelSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A spec, its reference, its traffic, and what was found out about them."""

    spec: ModelSpec
    profile: ReferenceProfile
    prepared: Prepared
    traffic: Traffic
    scales: tuple[ScalePlan, ...]
    false_alarms: FalseAlarms

    @property
    def concluding(self) -> tuple[ScalePlan, ...]:
        """Scales that come to a verdict at this traffic."""
        return tuple(each for each in self.scales if each.concludes)

    def comparisons(self, plan: ScalePlan) -> tuple[Comparison, ...]:
        """Return every judged column at the scale of *plan*."""
        scale = next(each for each in self.spec.scales if each.length == plan.length)
        return comparisons_at(self.prepared, scale)

    def comparison(self, plan: ScalePlan, column: str) -> Comparison:
        """Return one judged column at the scale of *plan*."""
        return next(each for each in self.comparisons(plan) if each.column == column)
