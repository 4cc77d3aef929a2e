"""How many truths a fall of accuracy takes to be proven, and how rarely one is that is none; fixed seeds."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import lfilter

from monitor.arrays import Int64s
from monitor.performance.error_detector import ProofRules, StepTruths, lasting_errors
from monitor.performance.error_evidence import log_evidence, log_surprise
from monitor.performance.error_movement import ASSUMED_CORRELATION, ErrorMovement, counted, error_movement
from monitor.performance.expected_accuracy import REFERENCE_CONFIDENCE
from monitor.performance.false_warnings import chance_of_a_look, looks_a_year
from monitor.reference.profile import truth_blocks
from monitor.spec.accuracy import AccuracySpec, DropSpec
from monitor.spec.model import WindowSpec
from monitor.stats.proportions import wilson_interval
from monitor.stats.share_movement import CONFIDENCE, MINIMUM_BLOCKS, MINIMUM_EVENTS
from monitor.types import Scale
from monitor.units import DAY_MINUTES, MINUTE_MILLIS

STREAMS = 100
STEP_TRUTHS, WINDOW_STEPS = 100, 10
AFTER_STEPS = 40
LOOKS = 100_000
REFERENCE_DAYS, BLOCK_MINUTES = 7, 5


def default_scales() -> tuple[Scale, ...]:
    """Return the scales that share the promise by default."""
    return tuple(scale.scale for scale in WindowSpec().scales)


def expected_errors(accuracy: float, *, reference_truths: int) -> float:
    """Return the share of errors that counts as usual with a reference of *accuracy*."""
    return 1.0 - wilson_interval(accuracy * reference_truths, reference_truths, confidence=REFERENCE_CONFIDENCE).low


def truths_until_proven(before: float, after: float, *, reference_truths: int) -> float:
    """Return the median of the truths after a sudden change of the error rate until a window's verdict proves it.

    Steps of `STEP_TRUTHS` independent truths, windows of `WINDOW_STEPS` steps; infinite where more than half of the
    streams prove nothing in `AFTER_STEPS` steps.
    """
    random = np.random.default_rng(20_261_125)
    usual = expected_errors(1.0 - before, reference_truths=reference_truths)
    chance = chance_of_a_look(AccuracySpec(), default_scales())
    rules = ProofRules(confidence=AccuracySpec().confidence, usual=usual, chance=chance)
    allowed = usual + DropSpec().tiers[0][1]
    waits = [
        _wait(random.binomial(STEP_TRUTHS, [before] * WINDOW_STEPS + [after] * AFTER_STEPS).tolist(), allowed, rules)
        for _ in range(STREAMS)
    ]
    return float(np.quantile(waits, 0.5, method="inverted_cdf"))


def _wait(errors: list[int], allowed: float, rules: ProofRules) -> float:
    steps = [
        StepTruths(start=place, labelled=STEP_TRUTHS, correct=STEP_TRUTHS - wrong) for place, wrong in enumerate(errors)
    ]
    for stop in range(WINDOW_STEPS + 1, len(steps) + 1):
        window = steps[stop - WINDOW_STEPS : stop]
        if lasting_errors(window, allowed=allowed, rules=rules) is not None:
            return float((stop - WINDOW_STEPS) * STEP_TRUTHS)
    return math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """How a stream's truths depend on each other.

    Attributes:
        correlation: Of two truths of one step (a minute); 0: they are independent.
        memory: Minutes after which the error rate has forgotten most of what it was; 0: each minute's is its own.
        step_truths: A minute.
    """

    correlation: float = 0.0
    memory: float = 0.0
    step_truths: int = STEP_TRUTHS

    def errors(self, random: np.random.Generator, share: float, steps: int) -> Int64s:
        """Return the errors of each step."""
        if self.correlation == 0.0:
            return random.binomial(self.step_truths, share, steps)
        if self.memory == 0.0:
            evens = 1.0 / self.correlation - 1.0
            rates = random.beta(share * evens, (1.0 - share) * evens, steps)
            return random.binomial(self.step_truths, rates)
        kept = math.exp(-1.0 / self.memory)
        noise = lfilter([math.sqrt(1.0 - kept * kept)], [1.0, -kept], random.standard_normal(steps))
        rates = share + math.sqrt(self.correlation * share * (1.0 - share)) * noise
        return random.binomial(self.step_truths, np.clip(rates, 0.0, 1.0))


DEPENDENCES = (
    ("independent", Dependence(), (0.1, 0.3)),
    ("correlated by 0.02 within a minute", Dependence(correlation=0.02), (0.1, 0.3)),
    ("the same, 1,000 truths a minute", Dependence(correlation=0.02, step_truths=1000), (0.02, 0.1)),
    ("correlated by 0.05 within a minute", Dependence(correlation=0.05), (0.1, 0.3)),
    ("a rate with a memory of 5 minutes", Dependence(correlation=0.01, memory=5), (0.1, 0.3)),
    ("a rate with a memory of a day", Dependence(correlation=0.005, memory=1440), (0.1, 0.3)),
)


def dependence_rows() -> list[tuple[str, ...]]:
    """Return a row for each of `DEPENDENCES` and usual share: the part that counts, and looks to an alarm."""
    rows = []
    for name, dependence, shares in DEPENDENCES:
        for usual in shares:
            runs = run_lengths(dependence, usual=usual)
            looks = (runs.as_if_independent, runs.at_the_line, runs.at_quiet)
            said = (f"{run:,.0f}" if run < math.inf else f"over {LOOKS:,}" for run in looks)
            rows.append((name, f"{usual:g}", f"{runs.counted:.0%}", *said))
    return rows


def dependence_note() -> str:
    """Return what the rows are of, and what is promised."""
    spec, scales = AccuracySpec(), default_scales()
    return (
        f"Mean looks to an alarm, of {LOOKS:,}; {STEP_TRUTHS} truths a minute where nothing else is said, windows of "
        f"{WINDOW_STEPS} minutes, a reference of {REFERENCE_DAYS} days. Promised at the line: "
        f"{1.0 / (1.0 - spec.confidence):,.0f}; while nothing changes, each of the {looks_a_year(scales):,} looks a "
        f"year of the default scales is false with probability {chance_of_a_look(spec, scales):.1g}. κ is a bound at "
        f"{CONFIDENCE:.0%}, from {MINIMUM_BLOCKS} blocks of {MINIMUM_EVENTS} truths on; with fewer a correlation of "
        f"{ASSUMED_CORRELATION:g} is assumed."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLengths:
    """Mean number of looks to an alarm; infinite where `LOOKS` had none. *counted*: part of the truths."""

    counted: float
    as_if_independent: float
    at_the_line: float
    at_quiet: float


def run_lengths(dependence: Dependence, *, usual: float) -> RunLengths:
    """Return how many looks an alarm takes with errors exactly at the line of the default warning, and as usual.

    Windows of `WINDOW_STEPS` minutes, and the movement that a reference of
    `REFERENCE_DAYS` shows. Alarms within a window's length of the last one are of the same run.
    """
    random = np.random.default_rng(20_261_127)
    movement = _movement(dependence, usual=usual, random=random)
    truths = dependence.step_truths
    excess = movement.excess(truths * WINDOW_STEPS, length=WINDOW_STEPS)
    full, fewer = Judging(usual=usual, truths=truths, excess=0.0), Judging(usual=usual, truths=truths, excess=excess)
    shares = (usual + DropSpec().tiers[0][1], usual)
    at_the_line, at_quiet = (dependence.errors(random, share, LOOKS) for share in shares)
    return RunLengths(
        counted=counted(excess),
        # Without the surprise, as before there was a promise for a year.
        as_if_independent=full.run_length(at_the_line, chance=1.0),
        at_the_line=fewer.run_length(at_the_line),
        at_quiet=fewer.run_length(at_quiet),
    )


def _movement(dependence: Dependence, *, usual: float, random: np.random.Generator) -> ErrorMovement:
    steps = REFERENCE_DAYS * DAY_MINUTES
    errors = dependence.errors(random, usual, steps).reshape(-1, BLOCK_MINUTES).sum(axis=1)
    labelled = np.full(len(errors), dependence.step_truths * BLOCK_MINUTES)
    starts = tuple(range(0, steps * MINUTE_MILLIS, BLOCK_MINUTES * MINUTE_MILLIS))
    blocks = truth_blocks(np.stack([labelled, labelled - errors], axis=1), starts=starts, minutes=BLOCK_MINUTES)
    movement = error_movement(blocks, default_scales())
    assert movement is not None
    return movement


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How errors are judged: usual ones, *truths* a step, and by how much their variance exceeds sampling's."""

    usual: float
    truths: int
    excess: float

    def run_length(self, errors: Int64s, *, chance: float | None = None) -> float:
        """Return how many looks an alarm takes; infinite without any."""
        if chance is None:
            chance = chance_of_a_look(AccuracySpec(), default_scales())
        windows = sliding_window_view(errors.astype(np.float64), WINDOW_STEPS)
        counts = np.stack([windows, np.full_like(windows, self.truths)])
        line = np.array(self.usual + DropSpec().tiers[0][1])
        alarms = log_evidence(counts, line, excess=self.excess) >= -math.log(1.0 - AccuracySpec().confidence)
        alarms &= log_surprise(counts, np.array(self.usual), excess=self.excess) >= -math.log(chance)
        places = np.flatnonzero(alarms)
        runs = int(np.sum(np.diff(places, prepend=-LOOKS) >= WINDOW_STEPS))
        return LOOKS / runs if runs else math.inf
