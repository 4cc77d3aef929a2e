"""The prediction of one version compared with its own traffic, everything else with the model's reference."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np

from monitor.arrays import Mask
from monitor.detection.comparison import ComparisonOrder, Sample
from monitor.reference.profile import ColumnReference
from monitor.stats.columnar import Counts
from monitor.types import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrediction:
    """Counts of a version's own good traffic: shape ``(layout.size,)``, of *minutes* of event time.

    *minutes* None: of a sample without time stamps, as a validation set.
    """

    counts: Counts
    minutes: int | None


def with_own_prediction(
    reference: Sample,
    own: Sample,
    *,
    columns: Mask,
    references: tuple[ColumnReference, ...],
    minutes: int | None,
    order: ComparisonOrder,
) -> Sample:
    """Return *reference* with the values of *columns* replaced by those of *own*.

    Shares of missing, invalid, unseen and far values stay those of the model's reference: a broken field is broken for
    every version. A short stretch moves as a window of its length does, and what is compared with it moves on top of
    that; so its n values count for no more than n / (1 + n κ) ones.

    Args:
        columns: Shape ``(columns,)``, with values in *own*.
        references: Of every column of the layout: its natural movement.
        minutes: Length of the stretch that *own* was counted in, None where it is not known.
    """
    lengths = np.diff(order.columns, append=len(order.gather))
    kappa = np.array([_kappa(column, minutes) for column in references])
    shrink = 1.0 / (1.0 + own.n * kappa)
    cells = np.where(np.repeat(columns, lengths), own.cells * np.repeat(shrink, lengths), reference.cells)
    n = np.where(columns, own.n * shrink, reference.n)
    return replace(reference, cells=cells, bins=np.add.reduceat(cells, order.bins), n=n)


def without_season(references: tuple[ColumnReference, ...], columns: Mask) -> tuple[ColumnReference, ...]:
    """Return *references* without the hours of *columns*, of which a version's own traffic has no profile."""
    return tuple(
        msgspec.structs.replace(column, seasonal=False, seasonal_movement={}) if changed else column
        for column, changed in zip(references, columns.tolist(), strict=True)
    )


def _kappa(column: ColumnReference, minutes: int | None) -> float:
    """Return the movement between stretches of *minutes*: of the longest measured length that is no longer.

    Of a stretch shorter than all of them it is that of the shortest. Of one whose length is not known it is that of the
    longest: a validation set is drawn from weeks, and what is averaged over weeks moves no more than that.
    """
    known = {
        length: movement.kappa
        for length, movement in column.movement.items()
        if movement.status is not Calibration.UNCALIBRATED
    }
    if not known:
        return 0.0
    within = [length for length in known if minutes is None or length <= minutes]
    return known[max(within) if within else min(known)]
