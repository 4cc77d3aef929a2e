"""Whether the errors of a window's latest predictions are proven more than allowed, however often it is asked.

A window is judged again with every step, so an interval around its share of errors, at whatever confidence, is past the
edge by chance sooner or later. The e-detector of `monitor.stats.e_detector` may be asked at every step: with one
"bin" of errors whose share may be *allowed* at most, it is wrong once in ``1 / (1 - confidence)`` steps or more rarely
on average even when the share of errors stands exactly there. It is asked of the steps inside the window only, which
makes it smaller, never larger. And it sees a step that went wrong before the whole window has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np

from monitor.arrays import Float64s
from monitor.stats.columnar import Counts
from monitor.stats.e_detector import ToleranceBand, e_detector, log_statistics_of_panes

LOG_ODDS = (0.0625, 0.125, 0.25, 0.5, 1.0)
"""How much larger the log odds of an error may have become; each serves changes from 0.7 to 1.4 times its size."""

WEIGHTS = (1, 1, 1, 4, 1)
"""Half of the evidence is for the change that is worth being quick for: errors up from 0.13 to 0.2, or 0.3 to 0.4."""

LEAST_ALLOWED = 1e-4
"""One error in ten thousand is always allowed: a floor of 1 is not proven broken by one wrong truth."""

_ODDS_RATIOS = tuple(exp(odd) for odd in LOG_ODDS)
_EDGES_AT_ONCE, _REFINEMENTS = 15, 3  # the bound to a four-thousandth of its range; three digits are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTruths:
    """Truths of the predictions of one step of a scale, from *start* (ms), over all their ages."""

    start: int
    labelled: int
    correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastingErrors:
    """What is proven: of *labelled* predictions since *since* (ms) *errors* were wrong; their share is over *bound*."""

    since: int
    labelled: int
    errors: int
    bound: float

    @property
    def accuracy(self) -> float:
        """Share of *labelled* that was right."""
        return 1.0 - self.errors / self.labelled


def lasting_errors(steps: Sequence[StepTruths], *, allowed: float, confidence: float) -> LastingErrors | None:
    """Return what is proven of the last *steps* of a window; None while their errors may be *allowed* ones.

    Args:
        steps: In the order of their predictions.
        allowed: Share of errors that is no finding, `LEAST_ALLOWED` at least; from 1 on nothing can be proven.
        confidence: An alarm is false once in ``1 / (1 - confidence)`` steps or more rarely, on average.
    """
    if not any(proven_edges(steps, allowed=[allowed], confidence=confidence)):
        return None
    return proven_errors(steps, allowed=allowed, confidence=confidence)


def proven_edges(steps: Sequence[StepTruths], *, allowed: Sequence[float], confidence: float) -> tuple[bool, ...]:
    """Return for each of *allowed* whether more errors are proven, in one pass for all of them."""
    edges = [max(edge, LEAST_ALLOWED) for edge in allowed]
    tested = [edge for edge in edges if edge < 1.0 and _least_likely_start(steps, edge) is not None]
    if not tested:
        return (False,) * len(edges)
    proven = dict(zip(tested, _evidence(_counts(steps), tested) >= -log(1.0 - confidence), strict=True))
    return tuple(bool(proven.get(edge, False)) for edge in edges)


def proven_errors(steps: Sequence[StepTruths], *, allowed: float, confidence: float) -> LastingErrors:
    """Return what is proven of *steps* where `proven_edges` says that more than *allowed* is."""
    edge = max(allowed, LEAST_ALLOWED)
    since = _least_likely_start(steps, edge) or 0
    counts = _counts(steps)
    labelled, errors = int(counts[since:].sum()), int(counts[since:, 0].sum())
    bound = _highest_proven(counts, edge, errors / labelled, needed=-log(1.0 - confidence))
    return LastingErrors(since=steps[since].start, labelled=labelled, errors=errors, bound=bound)


def _counts(steps: Sequence[StepTruths]) -> Counts:
    """Return errors and right ones, shape ``(steps, 2)``."""
    return np.array([(step.labelled - step.correct, step.correct) for step in steps], dtype=np.int64)


def _highest_proven(counts: Counts, proven: float, unproven: float, *, needed: float) -> float:
    """Return the highest edge between the two that the evidence passes; the evidence falls as the edge rises."""
    for _ in range(_REFINEMENTS):
        edges = np.linspace(proven, unproven, _EDGES_AT_ONCE + 2)
        passed = int(np.sum(_evidence(counts, edges[1:-1].tolist()) >= needed))
        proven, unproven = float(edges[passed]), float(edges[passed + 1])
    return proven


def _least_likely_start(steps: Sequence[StepTruths], edge: float) -> int | None:
    """Return where the steps begin whose errors are the least likely at *edge*; None if they never are more."""
    start, most, labelled, errors = None, 0.0, 0, 0
    for place in range(len(steps) - 1, -1, -1):
        labelled += steps[place].labelled
        errors += steps[place].labelled - steps[place].correct
        if errors > edge * labelled:
            surprise = _divergence(errors / labelled, edge) * labelled
            if surprise > most:
                start, most = place, surprise
    return start


def _divergence(share: float, edge: float) -> float:
    rest = 0.0 if share >= 1.0 else (1.0 - share) * log((1.0 - share) / (1.0 - edge))
    return share * log(share / edge) + rest


def _evidence(counts: Counts, edges: Sequence[float]) -> Float64s:
    """Return log M after the last step for each edge that the share of errors is over, shape ``(edges,)``."""
    # More errors and fewer right ones are the same change; the band names both, each with half of the weight.
    low = np.array([(0.0, 1.0 - edge) for edge in edges]).ravel()
    high = np.array([(edge, 1.0) for edge in edges]).ravel()
    starts = 2 * np.arange(len(edges))
    detector = e_detector(ToleranceBand(low=low, high=high), starts=starts, odds_ratios=_ODDS_RATIOS, weights=WEIGHTS)
    columns: Counts = np.concatenate([counts] * len(edges), axis=-1)
    evidence: Float64s = log_statistics_of_panes(detector, columns)[-1]
    return evidence
