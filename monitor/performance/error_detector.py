"""Whether the errors of a window's latest predictions are proven more than allowed, however often it is asked.

A window is judged again with every step, so an interval around its share of errors, at whatever confidence, is past the
edge by chance sooner or later. A proof needs two kinds of evidence, both of `monitor.performance.error_evidence`, which
may be asked at every step: that errors are more than *allowed*, so that even exactly at this line it is wrong once in
``1 / (1 - confidence)`` steps or more rarely on average; and that they are more than usual, so that while nothing has
changed at all it is wrong almost never. Both are asked of the steps inside the window only, which makes them smaller,
never larger. And they see a step that went wrong before the whole window has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from monitor.arrays import Float64s
from monitor.performance.error_evidence import LEAST_ALLOWED, MOST_ALLOWED, log_evidence, log_surprise

_EDGES_AT_ONCE, _REFINEMENTS = 15, 3  # the bound to a four-thousandth of its range; three digits are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTruths:
    """Truths of the predictions of one step of a scale, from *start* (ms), over all their ages.

    Attributes:
        ages: Labelled ones by `AgeBucket`, where that was asked for.
        shift: By how much the share of errors expected of truths of their age lies over that of the whole window.
    """

    start: int
    labelled: int
    correct: int
    ages: tuple[tuple[int, int], ...] = ()
    shift: float = 0.0


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRules:
    """How sure a proof must be.

    Attributes:
        confidence: While errors stand exactly at the edge, it is false once in ``1 / (1 - confidence)`` steps at most.
        usual: Share of errors while nothing has changed, at most; None: not known, so it may be the edge.
        chance: Of a false proof at one look, while errors are as usual.
        excess: By how much the variance of a step's errors exceeds that of independent truths, relative to it.
    """

    confidence: float
    usual: float | None = None
    chance: float = 1.0
    excess: float = 0.0


def lasting_errors(steps: Sequence[StepTruths], *, allowed: float, rules: ProofRules) -> LastingErrors | None:
    """Return what is proven of the last *steps* of a window; None while their errors may be *allowed* ones.

    Args:
        steps: In the order of their predictions.
        allowed: Share of errors that is no finding, `LEAST_ALLOWED` at least; from 1 on nothing can be proven.
    """
    if not any(proven_edges(steps, allowed=[allowed], rules=rules)):
        return None
    return proven_errors(steps, allowed=allowed, rules=rules)


def proven_edges(steps: Sequence[StepTruths], *, allowed: Sequence[float], rules: ProofRules) -> tuple[bool, ...]:
    """Return for each of *allowed* whether more errors are proven."""
    edges = [max(edge, LEAST_ALLOWED) for edge in allowed]
    tested = [edge for edge in edges if edge < 1.0 and _least_likely_start(steps, edge) is not None]
    if not tested:
        return (False,) * len(edges)
    passed = (_evidence(steps, np.array(tested), rules) >= _needed(rules)).tolist()
    proven = {
        edge for edge, passes in zip(tested, passed, strict=True) if passes and _is_surprising(steps, edge, rules)
    }
    return tuple(edge in proven for edge in edges)


def proven_errors(steps: Sequence[StepTruths], *, allowed: float, rules: ProofRules) -> LastingErrors:
    """Return what is proven of *steps* where `proven_edges` says that more than *allowed* is."""
    edge = max(allowed, LEAST_ALLOWED)
    since = _least_likely_start(steps, edge) or 0
    labelled = sum(step.labelled for step in steps[since:])
    errors = labelled - sum(step.correct for step in steps[since:])
    shifted = sum(step.shift * step.labelled for step in steps[since:])
    bound = _highest_proven(steps, edge, (errors - shifted) / labelled, rules)
    return LastingErrors(since=steps[since].start, labelled=labelled, errors=errors, bound=bound)


def _counts(steps: Sequence[StepTruths]) -> tuple[Float64s, Float64s]:
    """Return errors and labelled ones of the steps that have any, shape ``(2, steps)``, and the steps' shifts."""
    counts = [(step.labelled - step.correct, step.labelled, step.shift) for step in steps if step.labelled]
    values = np.array(counts, dtype=np.float64).T
    return values[:2], values[2]


def _evidence(steps: Sequence[StepTruths], edges: Float64s, rules: ProofRules) -> Float64s:
    counts, shifts = _counts(steps)
    return log_evidence(counts, edges, excess=rules.excess, shifts=shifts)


def _is_surprising(steps: Sequence[StepTruths], edge: float, rules: ProofRules) -> bool:
    usual = edge if rules.usual is None else min(max(rules.usual, LEAST_ALLOWED), edge)
    counts, shifts = _counts(steps)
    return bool(log_surprise(counts, np.array(usual), excess=rules.excess, shifts=shifts) >= -log(rules.chance))


def _needed(rules: ProofRules) -> float:
    return -log(1.0 - rules.confidence)


def _highest_proven(steps: Sequence[StepTruths], proven: float, unproven: float, rules: ProofRules) -> float:
    """Return the highest edge between the two that the evidence passes; the evidence falls as the edge rises."""
    for _ in range(_REFINEMENTS):
        edges = np.linspace(proven, unproven, _EDGES_AT_ONCE + 2)
        passed = int(np.sum(_evidence(steps, edges[1:-1], rules) >= _needed(rules)))
        proven, unproven = float(edges[passed]), float(edges[passed + 1])
    return proven


def _least_likely_start(steps: Sequence[StepTruths], edge: float) -> int | None:
    """Return where the steps begin whose errors are the least likely at *edge*; None if they never are more."""
    start, most, labelled, errors, allowed = None, 0.0, 0, 0, 0.0
    for place in range(len(steps) - 1, -1, -1):
        labelled += steps[place].labelled
        errors += steps[place].labelled - steps[place].correct
        allowed += min(max(edge + steps[place].shift, LEAST_ALLOWED), max(edge, MOST_ALLOWED)) * steps[place].labelled
        if errors > allowed:
            surprise = _divergence(errors / labelled, allowed / labelled) * labelled
            if surprise > most:
                start, most = place, surprise
    return start


def _divergence(share: float, edge: float) -> float:
    rest = 0.0 if share >= 1.0 else (1.0 - share) * log((1.0 - share) / (1.0 - edge))
    return share * log(share / edge) + rest
