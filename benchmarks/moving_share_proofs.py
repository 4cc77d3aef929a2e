"""What few blocks cost: the smallest share that a window proves, where it moves by itself a little or not at all."""

from functools import cache
from itertools import product

import msgspec
import numpy as np

from benchmarks.figure_table import table
from monitor.arrays import Float64s, Int64s
from monitor.detection.share_variances import NOT_MEASURED, share_variances
from monitor.reference.layout import CellsLayout
from monitor.reference.movement import share_movements
from monitor.reference.profile import ColumnReference, ReferenceProfile
from monitor.stats.share_shift import MINIMUM, RELATIVE, share_excess_lows, share_tolerance
from monitor.units import HOUR_MILLIS

PER_HOUR = 6000
HOUR, DAY = 60, 1440
SHARES, KAPPAS, DAYS = (0.01, 0.05), (0.0, 1e-4, 1e-3, 1e-2), (7, 28)
REFERENCES = 25
ALPHA = 1e-5


@cache
def moving_share_proofs() -> str:
    """The smallest share that is proven to be past its tolerance, with its movement known and from a reference."""
    rows = []
    for share, kappa, (length, hours) in product(SHARES, KAPPAS, ((HOUR, 1), (DAY, 24))):
        n = hours * PER_HOUR
        known = _smallest_proven(share, n=n, m=DAYS[-1] * 24 * PER_HOUR, variance=kappa / hours)
        estimated = [_from_references(share, kappa, days=days, length=length, n=n) for days in DAYS]
        rows.append(
            (
                f"{100 * share:g} %",
                f"{kappa:g}",
                f"{hours} h",
                *(f"{100 * smallest:.3g} %" if smallest <= 1.0 else "none" for smallest in (known, *estimated)),
            )
        )
    return table(
        ("Share", "κ between hours", "window", "κ known", *(f"{days} days of reference" for days in DAYS)),
        rows,
        note=f"{PER_HOUR:,} events an hour, hours that move independently, alpha 0.00001 for one test. "
        f"Medians of {REFERENCES} references.",
    )


def _from_references(share: float, kappa: float, *, days: int, length: int, n: int) -> float:
    random = np.random.default_rng([days, length, round(1e6 * share), round(1e6 * kappa)])
    smallest = []
    for _ in range(REFERENCES):
        shares = np.full(24 * days, share)
        if kappa > 0.0:
            worth = 1.0 / kappa - 1.0
            shares = random.beta(share * worth, (1.0 - share) * worth, 24 * days)
        counts = random.binomial(PER_HOUR, shares).astype(np.int64)
        smallest.append(
            _smallest_proven(
                float(counts.sum()) / (PER_HOUR * len(counts)),
                n=n,
                m=PER_HOUR * len(counts),
                variance=float(_variances(counts, length=length)[0]),
            )
        )
    return float(np.median(smallest))


def _variances(counts: Int64s, *, length: int) -> Float64s:
    """Return what a reference of these missing values an hour says of their share at *length*."""
    starts = tuple(range(0, len(counts) * HOUR_MILLIS, HOUR_MILLIS))
    movements = share_movements(
        starts=starts,
        block_minutes=HOUR,
        slot_counts=np.outer(counts, [1, 0, 0]),
        totals=np.full(len(counts), PER_HOUR),
        lengths=(HOUR, DAY),
    )
    column = ColumnReference(
        name="column",
        bins=(),
        movement={
            minutes: msgspec.structs.replace(
                NOT_MEASURED, share_blocks=movement.blocks, share_sampling=movement.sampling
            )
            for minutes, movement in movements.items()
        },
        share_variance={minutes: movement.variances for minutes, movement in movements.items()},
    )
    profile = ReferenceProfile(
        layout=CellsLayout(columns=()), rows=PER_HOUR * len(counts), counts_bytes=b"", columns=(column,)
    )
    moving = np.array([[True, False, False, False]])
    return share_variances(profile, (column,), moving=moving, length=length, alpha=ALPHA)[0]


def _smallest_proven(reference_share: float, *, n: int, m: int, variance: float) -> float:
    """Return the smallest share above the tolerance that *n* events prove; over 1 where none does."""
    known = round(reference_share * m)
    least, most = round(reference_share * n), n + 1
    while most - least > 1:
        middle = (least + most) // 2
        excess = share_excess_lows(
            known, m, middle, n, minimum=MINIMUM, relative=RELATIVE, alpha=ALPHA, block_variance=variance
        )
        proven = float(excess) > share_tolerance(reference_share)
        least, most = (least, middle) if proven else (middle, most)
    return most / n
