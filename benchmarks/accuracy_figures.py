"""How many truths a fall of accuracy takes to be proven, by simulation with a fixed seed."""

import math

import numpy as np

from monitor.performance.error_detector import StepTruths, lasting_errors
from monitor.performance.verdict import REFERENCE_CONFIDENCE
from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.stats.proportions import wilson_interval

STREAMS = 100
STEP_TRUTHS, WINDOW_STEPS = 100, 10
AFTER_STEPS = 40


def allowed_errors(accuracy: float, *, reference_truths: int) -> float:
    """Return the share of errors that is no finding yet with a reference of *accuracy*, by the default warning."""
    low = wilson_interval(accuracy * reference_truths, reference_truths, confidence=REFERENCE_CONFIDENCE).low
    return 1.0 - low + DropSpec().tiers[0][1]


def truths_until_proven(before: float, after: float, *, allowed: float) -> float:
    """Return the median of the truths after a sudden change of the error rate until a window's verdict proves it.

    Steps of `STEP_TRUTHS` truths, windows of `WINDOW_STEPS` steps; infinite where more than half of the streams prove
    nothing in `AFTER_STEPS` steps.
    """
    random = np.random.default_rng(20_261_125)
    waits = [
        _wait(random.binomial(STEP_TRUTHS, [before] * WINDOW_STEPS + [after] * AFTER_STEPS).tolist(), allowed)
        for _ in range(STREAMS)
    ]
    return float(np.quantile(waits, 0.5, method="inverted_cdf"))


def _wait(errors: list[int], allowed: float) -> float:
    steps = [
        StepTruths(start=place, labelled=STEP_TRUTHS, correct=STEP_TRUTHS - wrong) for place, wrong in enumerate(errors)
    ]
    for stop in range(WINDOW_STEPS + 1, len(steps) + 1):
        window = steps[stop - WINDOW_STEPS : stop]
        if lasting_errors(window, allowed=allowed, confidence=AccuracySpec().confidence) is not None:
            return float((stop - WINDOW_STEPS) * STEP_TRUTHS)
    return math.inf
