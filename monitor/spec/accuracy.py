"""The part of a spec that says when labelled accuracy is a finding: floor, drops by tier, how many truths."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from monitor.spec.actions import Share, Strict
from monitor.types import Tier


class DropSpec(Strict):
    """How far accuracy must be proven under the reference's to be a warning, an alert, critical; null: never is."""

    warning: Share | None = Field(default=0.03, description="People are notified.")
    alert: Share | None = Field(default=0.06, description="A retraining is requested.")
    critical: Share | None = Field(default=0.12, description="A rollback is considered.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        drops = [drop for _, drop in self.tiers]
        if sorted(set(drops)) != drops:
            raise ValueError(
                f"expected warning < alert < critical, found {self.warning}, {self.alert}, {self.critical}"
            )
        return self

    @property
    def tiers(self) -> tuple[tuple[Tier, float], ...]:
        """The tiers that a drop can reach, lowest first, with the drop that each allows."""
        drops = ((Tier.WARNING, self.warning), (Tier.ALERT, self.alert), (Tier.CRITICAL, self.critical))
        return tuple((tier, drop) for tier, drop in drops if drop is not None)

    @classmethod
    def of_warning(cls, warning: float) -> Self:
        """Return the tiers that one number stands for: alert at twice, critical at four times of it, up to 1."""
        alert, critical = (drop if warning < drop <= 1.0 else None for drop in (2.0 * warning, 4.0 * warning))
        return cls(warning=warning, alert=alert, critical=critical)


def _drop_of_number(value: object) -> object:
    if value is None or isinstance(value, Mapping | DropSpec):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0:
        return DropSpec.of_warning(float(value))
    raise ValueError(f"expected a share from 0 to 1, or {{warning, alert, critical}}, found {value!r}")


class AccuracySpec(Strict):
    """When labelled accuracy is a finding."""

    floor: Share | None = Field(default=None, description="Accuracy proven under it is critical; null: none is.")
    drop: Annotated[
        DropSpec | None, BeforeValidator(_drop_of_number, json_schema_input_type=DropSpec | Share | None)
    ] = Field(
        default=DropSpec(),
        description="How far accuracy must be proven under the reference's to be a finding of each tier; a number d "
        "alone stands for {warning: d, alert: 2 d, critical: 4 d}; null, of all or of a tier: none is.",
    )
    min_truths: int = Field(default=100, ge=10, description="Fewer truths in a window: inconclusive.")
    maturity: Share = Field(
        default=0.8, description="Labelled share of sampled predictions that judges a window or step."
    )
    confidence: float = Field(
        default=0.999,
        gt=0.5,
        lt=1,
        description="Of a proof while accuracy stands exactly at the line: false at most once in 1/(1 - confidence) "
        "steps; and of the interval that is shown.",
    )
    false_alarms_per_year: float = Field(
        default=1.0,
        gt=0,
        description="Of a model while its accuracy is what it was in the reference: so many false warnings a year at "
        "most, over all scales, floor and drop, and two versions that serve at once.",
    )
