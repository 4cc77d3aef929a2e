"""Which columns a message lists as moved: Benjamini-Hochberg over all that were judged (statistics §3.4)."""

import numpy as np

from monitor.decide.measure import Measured
from monitor.decide.prepare import Prepared
from monitor.stats.columnar import Reals
from monitor.stats.false_discovery import benjamini_hochberg, psi_p_value

FALSE_DISCOVERY_RATE = 0.05


def moved_columns(prepared: Prepared, measured: Measured, *, psi_low: Reals) -> tuple[str, ...]:
    """Return the columns whose PSI is past the warning tier, at most one in twenty of them falsely.

    Less is asked of each than of a finding, which alone may wake somebody: this is for whoever looks already. First
    come those whose proven PSI is past the tier, by it; then the others by importance, PSI and name.
    """
    warning = prepared.drift.tiers.warning
    judged = np.flatnonzero(prepared.monitored & measured.conclusive).tolist()
    lows = psi_low.tolist()
    p_values = np.array(
        # What is proven at the rule's own level, far under any of these, needs no second calculation.
        [0.0 if lows[each] > warning else _p_value(prepared, measured, column=each, tier=warning) for each in judged]
    )
    rejected = benjamini_hochberg(p_values, q=FALSE_DISCOVERY_RATE)
    names = [each.name for each in prepared.layout.columns]
    moved = [column for column, moves in zip(judged, rejected.tolist(), strict=True) if moves]
    moved.sort(
        key=lambda column: (
            -lows[column] if lows[column] > warning else 0.0,
            -(prepared.importance[column] or 0.0),
            -float(measured.psi[column]),
            names[column],
        )
    )
    return tuple(names[column] for column in moved)


def _p_value(prepared: Prepared, measured: Measured, *, column: int, tier: float) -> float:
    psi = float(measured.psi[column])
    if psi <= tier:
        return 1.0  # not past the tier: what is asked is only how sure the others are
    return psi_p_value(
        psi,
        tier=tier,
        bins=int(prepared.order.bins_per_column[column]),
        n=float(measured.whole.n[column]),
        m=float(measured.reference.n[column]),
        kappa=float(measured.movement.kappa[column]),
        nu=float(measured.movement.nu[column]),
    )
