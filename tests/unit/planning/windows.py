"""One column of ten even categories, a reference drawn for each window, judged by `decide_window`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from monitor.arrays import Float64s, Int64s
from monitor.detection import PreparedReference, prepare_reference
from monitor.reference.layout import SLOTS, CellsLayout
from monitor.reference.profile import ColumnMovement, ReferenceProfile
from monitor.results import Finding
from monitor.spec.model import ModelSpec
from monitor.types import Calibration, IncidentKind, Tier
from tests.models.decided import decide_window
from tests.unit.detection.streams import HOUR, layout_of, profile_of, spec_of

BINS = 10
EVEN = np.full(BINS, 1.0 / BINS)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A model of one categorical column; `alpha` is what one of its tests is left with."""

    rows: int = 20_000
    alpha: float = 1e-5
    kappa: float = 0.0
    kappa_half: float | None = None
    min_events: int = 2

    @property
    def layout(self) -> CellsLayout:
        return layout_of({"c": [f"v{number}" for number in range(BINS)]})

    def spec(self) -> ModelSpec:
        # PSI, missing, invalid and unseen of one column at one scale share alpha, of which unseen has two fifths.
        return spec_of(
            self.layout,
            drift={"alpha": 5 * self.alpha},
            windows={"scales": [{"length": "1h", "step": "5m"}], "min_events": self.min_events},
        )

    def profile(self, reference: Int64s) -> ReferenceProfile:
        half = self.kappa if self.kappa_half is None else self.kappa_half
        movement = {
            60: known_movement(kappa=self.kappa, nu=BINS - 1.0),
            30: known_movement(kappa=half, nu=BINS - 1.0),
        }
        return profile_of(self.layout, with_slots(reference), c=movement)

    def prepared(self) -> PreparedReference:
        """Return it with a reference that is even to the last value."""
        return prepare_reference(self.spec(), self.profile(np.full(BINS, self.rows // BINS)))

    def drawn(self, runs: int, *, generator: np.random.Generator) -> Iterator[PreparedReference]:
        """Yield it with *runs* references, each drawn from the even shares."""
        spec = self.spec()
        for _ in range(runs):
            yield prepare_reference(spec, self.profile(generator.multinomial(self.rows, EVEN)))


def known_movement(*, kappa: float, nu: float) -> ColumnMovement:
    """Return a movement from so many blocks that nothing about it is uncertain."""
    return ColumnMovement(kappa=kappa, nu=nu, status=Calibration.MEASURED, blocks=10**15, sampling=1e-9)


def with_slots(cells: Int64s) -> Int64s:
    return np.concatenate([cells, np.zeros(SLOTS, dtype=np.int64)])


def psi_of(shares: Float64s) -> float:
    return float(np.sum((shares - EVEN) * np.log(shares / EVEN)))


def mean_shift(sigmas: float) -> Float64s:
    """Return the shares of ten even bins of a normal column after a shift of its mean."""
    return np.diff(ndtr(ndtri(np.linspace(0.0, 1.0, BINS + 1)) - sigmas))


def spread_shift(factor: float) -> Float64s:
    """Return the same after its standard deviation grew by *factor*."""
    return np.diff(ndtr(ndtri(np.linspace(0.0, 1.0, BINS + 1)) / (1.0 + factor)))


def one_grows(excess: float) -> Float64s:
    """Return even shares of which one has grown."""
    return np.concatenate([[0.1 + excess], np.full(BINS - 1, (0.9 - excess) / (BINS - 1))])


SHAPES = {"mean": (mean_shift, 3.0), "spread": (spread_shift, 20.0), "one grows": (one_grows, 0.85)}


def shares_with(shape: str, psi: float) -> Float64s:
    """Return shares whose PSI against even ones is exactly *psi*."""
    make, most = SHAPES[shape]
    return make(brentq(lambda strength: psi_of(make(strength)) - psi, 1e-6, most, xtol=1e-12))


def drift_tier(
    prepared: PreparedReference,
    *,
    first: Int64s,
    second: Int64s,
    previous: Int64s | None = None,
) -> Tier:
    """Return the tier of the drift finding that endures."""
    result = decide_window(
        prepared,
        scale=HOUR,
        first_half=with_slots(first),
        second_half=with_slots(second),
        events=int(first.sum() + second.sum()),
        previous=None if previous is None else with_slots(previous),
        previous_events=0 if previous is None else int(previous.sum()),
    )
    endured: list[Finding] = [finding for finding in result.of_kind(IncidentKind.DRIFT) if finding.statistic == "psi"]
    return max((finding.tier for finding in endured), default=Tier.NONE)
