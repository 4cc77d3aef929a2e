"""The natural movement of the error rate between the reference's blocks, and the variance that it adds to a window."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.reference.movement import disjoint_blocks
from monitor.reference.profile import TruthBlocks
from monitor.stats.share_movement import share_movement_bound
from monitor.types import Scale

ASSUMED_CORRELATION = 0.005
"""Of two truths of one step, where the reference does not show it: has no times, or too few truths in its blocks."""


@dataclass(frozen=True, slots=True)
class ErrorMovement:
    """Variance of the error rate, in units of p(1 − p), by the length in minutes over which it is taken."""

    kappa: Mapping[int, float]

    def excess(self, labelled: int, *, length: int) -> float:
        r"""Return by how much the variance of the errors of a window exceeds that of sampling, relative to it.

        Of *labelled* truths in *length* minutes:

        .. math:: x = \max_l n_l \kappa_l

        with *l* the lengths up to the window's, and :math:`n_l` the truths in one of them: truths that depend on each
        other within a step, or a rate that wanders over many, show at one of these lengths.
        """
        fitting = [minutes for minutes in self.kappa if minutes <= length] or [min(self.kappa)]
        # Longer than any measured length: its variance is that of the longest at most, for it averages over several.
        variances = [(minutes, self.kappa[minutes]) for minutes in fitting] + [(length, self.kappa[max(fitting)])]
        return max(labelled * minutes / length * kappa for minutes, kappa in variances)


def counted(excess: float) -> float:
    """Return what part of truths counts whose errors vary by *excess* more than independent ones, for people."""
    return 1.0 / (1.0 + excess)


def assumed_excess(labelled: int, *, scale: Scale, correlation: float = ASSUMED_CORRELATION) -> float:
    """Return the excess of a window's variance where nothing is known of how its truths depend on each other."""
    of_step = labelled * scale.step / scale.length
    return max(of_step - 1.0, 0.0) * correlation


def error_movement(truths: TruthBlocks | None, scales: Iterable[Scale]) -> ErrorMovement | None:
    """Return how the error rate moves between a reference's blocks; None where they do not show it."""
    if truths is None:
        return None
    counts, starts = truths.counts, truths.starts
    errors = np.stack([counts[:, 0] - counts[:, 1], counts[:, 0]], axis=1)
    longest = max(scale.length for scale in scales)
    kappa: dict[int, float] = {}
    length, least = truths.minutes, math.inf
    while length <= longest:
        blocks = disjoint_blocks(errors, starts=starts, block_minutes=truths.minutes, length=length, events_column=1)
        bound = share_movement_bound(blocks[:, 0], blocks[:, 1])
        if bound is not None:
            # The mean over a longer time never varies more; the shorter blocks are more, and may know it better.
            kappa[length] = least = min(least, bound)
        length *= 2
    return ErrorMovement(kappa) if kappa else None
