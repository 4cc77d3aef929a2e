"""How far the share of each bin may lie from its reference without being a change."""

from dataclasses import dataclass

import numpy as np

from monitor.stats.columns import Counts, Reals, Starts, column_lengths
from monitor.stats.proportion import wilson_interval
from monitor.stats.share_shift import share_tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class ToleranceBand:
    """Lowest and highest share of each bin, shape ``(bins of all columns,)``; 0 and 1 in a column without reference."""

    low: Reals
    high: Reals


def tolerance_band(reference: Counts, *, starts: Starts, confidence: float = 0.999) -> ToleranceBand:
    r"""Return :math:`[l_j - \delta_j, u_j + \delta_j]` for each bin.

    :math:`(l_j, u_j)` is Wilson's interval of the bin's reference share, for that share is known from a sample only;
    :math:`\delta_j = \max(0.01, p_j / 4)` is what missing and invalid values are allowed too.

    Args:
        reference: Shape ``(bins of all columns,)``.
        starts: Shape ``(columns,)``. First bin of each column.
        confidence: Of Wilson's interval.

    Raises:
        BinMismatchError: *starts* does not fit *reference*.
    """
    totals = np.repeat(np.add.reduceat(reference, starts), column_lengths(starts, len(reference)))
    low, high = np.zeros(len(reference)), np.ones(len(reference))
    for place, (count, total) in enumerate(zip(reference.tolist(), totals.tolist(), strict=True)):
        if total > 0:
            known, tolerance = wilson_interval(count, total, confidence=confidence), share_tolerance(count / total)
            low[place], high[place] = max(known.low - tolerance, 0.0), min(known.high + tolerance, 1.0)
    return ToleranceBand(low=low, high=high)
