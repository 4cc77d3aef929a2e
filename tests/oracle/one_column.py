"""Statistics of a single column that the product computes of many columns at once only."""

from monitor.arrays import Int64s
from monitor.stats.columnar import ONE_COLUMN
from monitor.stats.divergences import kullback_leibler_divergences, l_infinity_distances
from monitor.stats.psi import PSEUDOCOUNT


def kullback_leibler_divergence(reference: Int64s, current: Int64s, *, pseudocount: float = PSEUDOCOUNT) -> float:
    return float(kullback_leibler_divergences(reference, current, pseudocount=pseudocount, starts=ONE_COLUMN)[0])


def l_infinity_distance(reference: Int64s, current: Int64s) -> float:
    return float(l_infinity_distances(reference, current, starts=ONE_COLUMN)[0])
