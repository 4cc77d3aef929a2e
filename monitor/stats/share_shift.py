"""Has a share (missing, invalid, unseen, far) moved by more than it may?"""

from dataclasses import dataclass

from monitor.errors import EmptySampleError
from monitor.stats.proportion import newcombe_distance_bound


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareShift:
    """The two shares and what their difference proves.

    Attributes:
        reference_share: p0.
        share: p, in the window.
        excess_low: Lower bound of ``|p - p0|``, at least 0.
        proven: Whether that bound exceeds the tolerance.
    """

    reference_share: float
    share: float
    excess_low: float
    proven: bool


def share_tolerance(reference_share: float, *, minimum: float = 0.01, relative: float = 0.25) -> float:
    """Return by how much a share may differ from its reference: δ = max(minimum, relative · p0)."""
    return max(minimum, relative * reference_share)


def share_shift(
    reference_count: int,
    m: float,
    current_count: int,
    n: float,
    *,
    tolerance: float,
    alpha: float,
    block_variance: float = 0.0,
) -> ShareShift:
    r"""Test H0: :math:`|p - p_0| \le \delta` against Newcombe's one-sided lower bound.

    Args:
        reference_count: Reference events with the property, of *m*.
        m: Reference events.
        current_count: Window events with the property, of *n*.
        n: Window events; they count as :math:`1 / (1/n + \kappa)`.
        tolerance: δ, as from `share_tolerance`.
        alpha: Error probability of this one test at the edge of H0.
        block_variance: κ of the share, as from `natural_share_movement`.

    Raises:
        EmptySampleError: Either side has no events.
        ValueError: A count, *alpha* or *block_variance* is out of its range.

    References:
        Newcombe (1998); Rao & Scott (1981) for the reduced n.
    """
    _require_events(m, n)
    if block_variance < 0.0:
        raise ValueError(f"block_variance must not be negative, found {block_variance}")
    reference_share, share = reference_count / m, current_count / n
    size = 1.0 / (1.0 / n + block_variance)
    excess_low = newcombe_distance_bound(share * size, size, reference_count, m, alpha=alpha)
    return ShareShift(
        reference_share=reference_share, share=share, excess_low=excess_low, proven=excess_low > tolerance
    )


def half_share_exceeds(reference_count: int, m: float, half_count: int, n_half: float, *, tolerance: float) -> bool:
    """Return whether half a window shows the shift by itself: ``|p_half - p0| > tolerance``, without evidence.

    The evidence is the whole window's; the half only has to agree.

    Raises:
        EmptySampleError: Either side has no events.
    """
    _require_events(m, n_half)
    return abs(half_count / n_half - reference_count / m) > tolerance


def _require_events(m: float, n: float) -> None:
    if not (n > 0 and m > 0):
        raise EmptySampleError(f"current holds {n} events, reference {m}")
