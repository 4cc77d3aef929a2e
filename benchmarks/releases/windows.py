"""What a release's windows show, drawn from a small statistical model of each version's true state; seeded.

PSI of a window is that of its true mean amplitude plus noise of its size; accuracy is counted, of truths that depend on
each other within a step. What is proven, and what endures, follows the product's rules in outline: a bound over the
tier in both halves, and from alert on in the disjoint window before as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from alerting.actions.comparisons import CountRange, DecisionCounts
from alerting.actions.sightings import LABEL_COLUMN
from alerting.actions.windows import ConclusiveWindow
from benchmarks.releases.release import INPUTS, Release
from monitor.arrays import Float64s, Int64s
from monitor.reference.layout import ColumnRole
from monitor.results import ColumnResult, Finding, RestlessColumn, WindowResult
from monitor.spec.model import ModelSpec
from monitor.types import (
    EvaluationKind,
    IncidentKind,
    InconclusiveReason,
    Scale,
    SeriesKey,
    Statistic,
    Tier,
    Verdict,
)
from monitor.units import HOUR_MINUTES, MINUTE_MILLIS

BINS = 10
PROVEN_AT = 4.4
"""Standard deviations; about what a bound at the default error rate is, per column and evaluation time."""
IMPORTANCE = {"income": 0.5, "age": 0.3}
BROKEN_COLUMN = "age"
_TIERS = (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)


@dataclass(frozen=True, slots=True)
class Judged:
    """One judged window as the tracker takes it; *known_at* (ms) it can be judged."""

    series: SeriesKey
    scale: Scale
    window_end: int
    kind: EvaluationKind
    result: WindowResult
    known_at: int
    window: ConclusiveWindow | None
    driving: bool = True


class Windows:
    """The windows of one release; what was counted before a change of traffic stays as it was.

    Attributes:
        events: By version, of each step.
    """

    def __init__(self, release: Release, spec: ModelSpec) -> None:
        self._release = release
        self._spec = spec
        self._random = np.random.default_rng(release.seed)
        self.events: dict[str, Int64s] = {}
        self._labelled: dict[str, Int64s] = {}
        self._correct: dict[str, Int64s] = {}
        self._noise = {
            (version, column): self._random.standard_normal(release.steps)
            for version in release.versions
            for column in (*INPUTS, "score", "label")
        }
        for version in release.versions:
            self.events[version] = np.zeros(release.steps, dtype=np.int64)
            self._labelled[version] = np.zeros(release.steps, dtype=np.int64)
            self._correct[version] = np.zeros(release.steps, dtype=np.int64)
        self.count_from(0)

    def count_from(self, step: int) -> None:
        """Count what comes from *step* on, with the traffic that the versions have now."""
        for version, truth in self._release.versions.items():
            events = self._random.poisson(truth.traffic[step:] * self._release.rate)
            labelled = self._random.binomial(events, truth.labelled[step:])
            accuracy = truth.accuracy[step:]
            rho = self._release.correlation
            if rho:
                sum_of_both = 1.0 / rho - 1.0
                accuracy = self._random.beta(accuracy * sum_of_both, (1.0 - accuracy) * sum_of_both)
            self.events[version][step:] = events
            self._labelled[version][step:] = labelled
            self._correct[version][step:] = self._random.binomial(labelled, accuracy)

    def judged(self, *, after: int) -> Iterator[Judged]:
        """Return the windows that end after *after* (ms)."""
        for scale in self._spec.scales:
            for version in self._release.versions:
                yield from self._of_inputs(version, scale, after=after)
                yield from self._of_accuracy(version, scale, after=after)

    def decisions(self, version: str, start: int, stop: int) -> DecisionCounts | None:
        """Return what *version* decided between *start* and *stop* (ms)."""
        truth = self._release.versions.get(version)
        if truth is None:
            return None
        part = slice(self._release.step_at(start), self._release.step_at(stop))
        events = int(self.events[version][part].sum())
        if not events:
            return None
        positive = round(float((self.events[version][part] * truth.positive[part]).sum()))
        return DecisionCounts(
            events, {"1": CountRange(positive, positive), "0": CountRange(events - positive, events - positive)}
        )

    def _ends(self, scale: Scale, *, after: int) -> Iterator[tuple[int, int]]:
        """Return (index of the step after the window, end) of each whole window that ends after *after*."""
        release = self._release
        length, step = scale.length // release.step, scale.step // release.step
        for stop in range(length, release.steps + 1, step):
            end = release.start + stop * release.step * MINUTE_MILLIS
            if end > after:
                yield stop, end

    def _of_inputs(self, version: str, scale: Scale, *, after: int) -> Iterator[Judged]:
        release, truth = self._release, self._release.versions[version]
        length = scale.length // release.step
        events = self.events[version]
        counts = _sums(events, length)
        psis = {"score": truth.score_psi, "label": truth.label_psi}
        inputs = release.world_psi + truth.own_inputs_psi
        psis |= dict.fromkeys(INPUTS, inputs)
        values = {
            column: _psi(psi, events, counts, self._noise[version, column], length) for column, psi in psis.items()
        }
        tiers = {column: _endured(_proven(psi, counts), length) for column, psi in values.items()}
        worst = np.max(list(tiers.values()), axis=0)
        broken, blind = _sums(release.broken, length), _sums(truth.blind, length)
        for stop, end in self._ends(scale, after=after):
            index = stop - length
            if not counts[index]:
                continue
            if blind[index] or counts[index] < self._spec.windows.min_events:
                result = WindowResult(
                    verdict=Verdict.INCONCLUSIVE, events=int(counts[index]), reason=InconclusiveReason.TOO_FEW_EVENTS
                )
            else:
                findings = [
                    self._drift(column, Tier(int(of_column[index])), float(values[column][index]))
                    for column, of_column in tiers.items()
                    if of_column[index]
                ]
                if broken[index]:
                    findings.append(_broken())
                result = self._result(
                    findings,
                    worst=int(worst[index]),
                    psis={column: float(of_column[index]) for column, of_column in values.items()},
                    events=int(counts[index]),
                    broken=bool(broken[index]),
                )
            yield self._judged(version, scale, end, EvaluationKind.INPUTS, result, known_at=end + release.late)

    def _result(
        self, findings: list[Finding], *, worst: int, psis: dict[str, float], events: int, broken: bool
    ) -> WindowResult:
        ratio = self._spec.drift.close_ratio
        restless = {column: _above(psi, ratio) for column, psi in psis.items()}
        above = max(restless.values())
        verdict = Tier.CRITICAL if broken else Tier(worst)
        return WindowResult(
            verdict=Verdict[verdict.name] if verdict else Verdict.OK,
            events=events,
            columns=(ColumnResult(name=LABEL_COLUMN, n=events, psi=psis["label"]),),
            findings=tuple(findings),
            calm_below=(
                max(worst, above) < Tier.WARNING,
                max(worst, above) < Tier.ALERT,
                max(worst, above) < Tier.CRITICAL,
            ),
            restless=tuple(RestlessColumn(column, tier, tier) for column, tier in restless.items() if tier),
            quality_calm=not broken,
        )

    def _drift(self, column: str, tier: Tier, psi: float) -> Finding:
        importance = IMPORTANCE.get(column)
        return Finding(
            kind=IncidentKind.DRIFT,
            column=column,
            statistic=Statistic.PSI,
            tier=tier,
            endured=True,
            value=psi,
            bound=psi,
            threshold=_levels(self._spec)[tier],
            role="feature" if importance else {"score": ColumnRole.SCORE, "label": ColumnRole.LABEL}[column],
            importance=importance,
        )

    def _of_accuracy(self, version: str, scale: Scale, *, after: int) -> Iterator[Judged]:
        release, truth, rules = self._release, self._release.versions[version], self._spec.accuracy
        length = scale.length // release.step
        events = _sums(self.events[version], length)
        labelled, correct = _sums(self._labelled[version], length), _sums(self._correct[version], length)
        mature = labelled >= np.maximum(rules.maturity * events, rules.min_truths)
        if scale.length > HOUR_MINUTES:  # a window that is still filling is inconclusive
            began = int(np.argmax(self.events[version] > 0))
            mature[:began] = False
        share = correct / np.maximum(labelled, 1)
        worth = 1.0 / (1.0 + np.maximum(labelled / length - 1.0, 0.0) * release.correlation)
        high = _wilson_high(share, np.maximum(labelled * worth, 1.0))
        drops = dict(rules.drop.tiers if rules.drop else ())
        fall = release.reference_accuracy - high
        tiers = np.sum([fall > drop for drop in drops.values()], axis=0)
        for stop, end in self._ends(scale, after=after):
            index = stop - length
            if not mature[index]:
                continue
            tier = Tier(int(tiers[index]))
            measured = release.reference_accuracy - share[index]
            findings = (
                ()
                if not tier
                else (_less_accurate(tier, float(share[index]), release.reference_accuracy - drops[tier]),)
            )
            ratio = self._spec.drift.close_ratio
            result = WindowResult(
                verdict=Verdict[tier.name] if tier else Verdict.OK,
                events=int(events[index]),
                findings=findings,
                calm_below=(
                    bool(measured < ratio * drops[Tier.WARNING]),
                    bool(measured < ratio * drops[Tier.ALERT]),
                    bool(measured < ratio * drops[Tier.CRITICAL]),
                ),
            )
            counted = int(labelled[index]), int(correct[index])
            known_at = end + truth.truths_after + release.late
            yield self._judged(
                version, scale, end, EvaluationKind.PERFORMANCE, result, known_at=known_at, counted=counted
            )

    def _judged(
        self,
        version: str,
        scale: Scale,
        end: int,
        kind: EvaluationKind,
        result: WindowResult,
        *,
        known_at: int,
        counted: tuple[int, int] = (0, 0),
    ) -> Judged:
        window = None
        if result.verdict is not Verdict.INCONCLUSIVE:
            of_accuracy = kind is EvaluationKind.PERFORMANCE
            window = ConclusiveWindow(
                length=scale.length,
                end=end,
                result=result,
                labelled=counted[0],
                correct=counted[1],
                truths_after=self._release.versions[version].truths_after if of_accuracy else 0,
            )
        stalled = self._release.stalled
        if stalled is not None and stalled[0] <= known_at < stalled[1]:
            known_at = stalled[1]
        return Judged(
            series=SeriesKey(1, version),
            scale=scale,
            window_end=end,
            kind=kind,
            result=result,
            known_at=known_at,
            window=window,
        )


def _sums(numbers: Float64s | Int64s, length: int) -> Float64s:
    """Return the sum of each *length* consecutive numbers."""
    sums = np.concatenate([[0.0], np.cumsum(numbers, dtype=float)])
    of_windows: Float64s = sums[length:] - sums[:-length]
    return of_windows


def _psi(true: Float64s, events: Int64s, counts: Float64s, noise: Float64s, length: int) -> Float64s:
    """Return the PSI that each window measures: its mean amplitude's, and noise of its size."""
    amplitude = _sums(np.sqrt(true) * events, length) / np.maximum(counts, 1.0)
    psi = amplitude * amplitude
    steady = _sums(noise, length) / np.sqrt(length)
    measured: Float64s = np.maximum(psi + steady * _deviation(psi, counts), 0.0)
    return measured


def _deviation(psi: Float64s, counts: Float64s) -> Float64s:
    n = np.maximum(counts, 1.0)
    deviation: Float64s = np.sqrt(4.0 * psi / n + 2.0 * (BINS - 1) / (n * n))
    return deviation


def _proven(psi: Float64s, counts: Float64s) -> Int64s:
    low = psi - PROVEN_AT * _deviation(psi, counts / 2.0)
    return np.sum([low > level for level in _PSI_LEVELS], axis=0)


_PSI_LEVELS = (0.1, 0.2, 0.3)


def _above(psi: float, ratio: float) -> Tier:
    """Return the highest tier that a column is not calm below."""
    return Tier(sum(psi >= ratio * level for level in _PSI_LEVELS))


def _endured(tiers: Int64s, length: int) -> Int64s:
    """Return the tiers that the disjoint window before shows too; a warning needs none."""
    before = np.concatenate([np.zeros(min(length, len(tiers)), dtype=np.int64), tiers])[: len(tiers)]
    endured: Int64s = np.minimum(tiers, np.maximum(before, Tier.WARNING))
    return endured


def _levels(spec: ModelSpec) -> dict[Tier, float]:
    tiers = spec.drift.tiers
    return {Tier.WARNING: tiers.warning, Tier.ALERT: tiers.alert, Tier.CRITICAL: tiers.critical}


def _wilson_high(share: Float64s, n: Float64s) -> Float64s:
    z = PROVEN_AT
    centre = share + z * z / (2.0 * n)
    half = z * np.sqrt(share * (1.0 - share) / n + z * z / (4.0 * n * n))
    high: Float64s = (centre + half) / (1.0 + z * z / n)
    return high


def _broken() -> Finding:
    return Finding(
        kind=IncidentKind.DATA_QUALITY,
        column=BROKEN_COLUMN,
        statistic=Statistic.MISSING,
        tier=Tier.CRITICAL,
        endured=True,
        value=0.4,
        bound=0.3,
        threshold=0.02,
    )


def _less_accurate(tier: Tier, share: float, threshold: float) -> Finding:
    return Finding(
        kind=IncidentKind.PERFORMANCE,
        column="",
        statistic=Statistic.ACCURACY,
        tier=tier,
        endured=True,
        value=share,
        bound=share,
        threshold=threshold,
        role="performance",
    )
