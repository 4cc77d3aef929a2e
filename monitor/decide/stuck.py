"""Columns that stopped moving: a constant where the reference varies (statistics §3.5)."""

from dataclasses import dataclass

import numpy as np

from monitor.decide.claim import Claim, Level
from monitor.decide.measure import Measured
from monitor.decide.prepare import Prepared
from monitor.types import IncidentKind, Tier

STUCK_SHARE = 0.99
HELD_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaviestCell:
    """The cell that holds most of a half's values: its index among the compared counts, and its shares."""

    cell: int
    share: float
    reference_share: float


def heaviest_cell(prepared: Prepared, measured: Measured, *, column: int) -> HeaviestCell | None:
    """Return the heaviest cell of the second half, None without values; BELOW and ABOVE are cells too."""
    start = int(prepared.order.columns[column])
    half, reference = measured.halves[1].sample, measured.halves[1].reference
    n, m = int(half.n[column]), float(reference.n[column])
    if n == 0 or m == 0:
        return None
    stop = start + len(prepared.bins[column]) + 2 * int(prepared.numeric[column])
    cell = start + int(np.argmax(half.cells[start:stop]))
    return HeaviestCell(cell=cell, share=int(half.cells[cell]) / n, reference_share=float(reference.cells[cell]) / m)


def stuck_claim(prepared: Prepared, measured: Measured, drift: Claim) -> Claim | None:
    """Return what a proven *drift* of a column really is, when the second half holds one value: a stuck field.

    Only a drift that is proven already can be stuck: the hour of the day, too, stands still for a whole window, and
    it is the natural movement in the drift's proof that knows this. The second half as a whole is the endurance.
    """
    found = heaviest_cell(prepared, measured, column=drift.column)
    if found is None or found.share < STUCK_SHARE or found.reference_share >= HELD_SHARE:
        return None
    if int(measured.halves[1].sample.n[drift.column]) < prepared.min_events // 2 or _is_outside(prepared, drift, found):
        return None
    alert, warning = (
        Level(tier=tier, threshold=STUCK_SHARE, in_halves=True, needs_previous=needs_previous)
        for tier, needs_previous in ((Tier.ALERT, True), (Tier.WARNING, False))
    )
    return Claim(
        kind=IncidentKind.DATA_QUALITY,
        column=drift.column,
        statistic="stuck",
        value=found.share,
        bound=found.share,
        levels=(alert, warning),
        shown=warning,
    )


def _is_outside(prepared: Prepared, drift: Claim, found: HeaviestCell) -> bool:
    """Return whether the cell is BELOW or ABOVE, where many values look like one."""
    if not prepared.numeric[drift.column]:
        return False
    start = int(prepared.order.columns[drift.column])
    return found.cell in (start, start + len(prepared.bins[drift.column]) + 1)
