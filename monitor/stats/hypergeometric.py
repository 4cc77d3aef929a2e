"""Fisher's exact test of two shares, one-sided: valid at every level and every count."""

import numpy as np
from scipy.special import gammaln, logsumexp

from monitor.errors import EmptySampleError


def fisher_more(successes_1: int, n_1: int, successes_2: int, n_2: int) -> float:
    r"""Return the p-value of H0: :math:`p_1 \le p_2`, given how many successes both samples have together.

    .. math:: P(X \ge k_1), \quad X \sim \mathrm{Hypergeometric}(n_1 + n_2,\, k_1 + k_2,\, n_1)

    Raises:
        EmptySampleError: Either sample is empty.
        ValueError: A count is out of its range.

    References:
        Fisher (1935); its level is never exceeded, whatever the common share is.
    """
    if n_1 <= 0 or n_2 <= 0:
        raise EmptySampleError(f"expected two samples with observations, found {n_1} and {n_2}")
    if not (0 <= successes_1 <= n_1 and 0 <= successes_2 <= n_2):
        raise ValueError(f"expected successes of 0 to n, found {successes_1} of {n_1} and {successes_2} of {n_2}")
    total = successes_1 + successes_2
    counts = np.arange(successes_1, min(total, n_1) + 1, dtype=np.float64)
    logs = _log_choose(n_1, counts) + _log_choose(n_2, total - counts) - _log_choose(n_1 + n_2, total)
    return float(min(1.0, np.exp(logsumexp(logs))))


def _log_choose(n: float, k: np.typing.ArrayLike) -> np.typing.NDArray[np.float64]:
    chosen = np.asarray(k, dtype=np.float64)
    return np.asarray(gammaln(n + 1.0) - gammaln(chosen + 1.0) - gammaln(n - chosen + 1.0), dtype=np.float64)
