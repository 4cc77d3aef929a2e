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

from monitor.stats.e_detector import ToleranceBand, e_detector, log_statistics_of_panes

LOG_ODDS = (0.0625, 0.125, 0.25, 0.5, 1.0)
"""How much larger the log odds of an error may have become; each serves changes from 0.7 to 1.4 times its size."""

WEIGHTS = (1, 1, 1, 4, 1)
"""Half of the evidence is for the change that is worth being quick for: errors up from 0.13 to 0.2, or 0.3 to 0.4."""

LEAST_ALLOWED = 1e-4
"""One error in ten thousand is always allowed: a floor of 1 is not proven broken by one wrong truth."""

_ODDS_RATIOS = tuple(exp(odd) for odd in LOG_ODDS)
_ONE_COLUMN = np.array([0])
_HALVINGS = 12  # the bound to a four-thousandth of its range; three digits are shown


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
    edge = max(allowed, LEAST_ALLOWED)
    since = _least_likely_start(steps, edge) if edge < 1.0 else None
    if since is None:
        return None
    counts = np.array([(step.labelled - step.correct, step.correct) for step in steps])
    needed = -log(1.0 - confidence)
    if _evidence(counts, edge) < needed:
        return None
    labelled, errors = int(counts[since:].sum()), int(counts[since:, 0].sum())
    proven, unproven = edge, errors / labelled
    for _ in range(_HALVINGS):
        middle = (proven + unproven) / 2.0
        if _evidence(counts, middle) >= needed:
            proven = middle
        else:
            unproven = middle
    return LastingErrors(since=steps[since].start, labelled=labelled, errors=errors, bound=proven)


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


def _evidence(counts: np.ndarray, edge: float) -> float:
    """Return log M after the last step, that the share of errors is over *edge*."""
    # More errors and fewer right ones are the same change; the band names both, each with half of the weight.
    band = ToleranceBand(low=np.array([0.0, 1.0 - edge]), high=np.array([edge, 1.0]))
    detector = e_detector(band, starts=_ONE_COLUMN, odds_ratios=_ODDS_RATIOS, weights=WEIGHTS)
    return float(log_statistics_of_panes(detector, counts)[-1, 0])
