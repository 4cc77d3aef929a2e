"""What a release's windows show, drawn from a small statistical model of each version's true state; seeded.

PSI of a window is that of its true mean amplitude plus noise of its size; accuracy is counted, of truths that depend on
each other within a step. What is proven, and what endures, follows the product's rules in outline: a bound over the
tier in both halves, and from alert on in the disjoint window before as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alerting.actions.comparisons import CountRange, DecisionCounts
from alerting.actions.sightings import LABEL_COLUMN
from alerting.actions.windows import ConclusiveWindow
from benchmarks.releases.findings import broken_finding, drift_finding, less_accurate
from benchmarks.releases.measures import endured_tiers, measured_psi, proven_tiers, sums, tier_above, wilson_high
from benchmarks.releases.release import INPUTS, Release
from benchmarks.releases.shifts import PredictionShift, ShownColumn, ShownShift, counts_in_warm_up, warm_up_of
from monitor.arrays import Int64s
from monitor.results import ColumnResult, RestlessColumn, WindowResult
from monitor.spec.model import ModelSpec
from monitor.types import (
    EvaluationKind,
    InconclusiveReason,
    Scale,
    SeriesKey,
    Tier,
    Verdict,
)
from monitor.units import HOUR_MINUTES, MINUTE_MILLIS


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
            accuracy = np.clip(truth.accuracy[step:] - truth.harder[step:], 0.02, 0.995)
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
        counts = sums(self.events[version], length)
        shift = self._shift(version, scale, PredictionShift(truth.score_psi, truth.label_psi))
        warm_up = warm_up_of(release, version)
        own = shift if warm_up is None else self._shift(version, scale, warm_up.own(truth))
        broken, blind = sums(release.broken, length), sums(truth.blind, length)
        for stop, end in self._ends(scale, after=after):
            index = stop - length
            if not counts[index]:
                continue
            events, known_at = int(counts[index]), end + release.late
            if blind[index] or events < self._spec.windows.min_events:
                result = WindowResult(
                    verdict=Verdict.INCONCLUSIVE, events=events, reason=InconclusiveReason.TOO_FEW_EVENTS
                )
            else:
                judged_by = own if warm_up is not None and warm_up.is_over(end) else shift
                columns = judged_by.at(index)
                if warm_up is not None and warm_up.holds(end, known_at=known_at):
                    columns = [column for column in columns if counts_in_warm_up(column)]
                result = self._result(columns, events=events, broken=bool(broken[index]))
            yield self._judged(version, scale, end, EvaluationKind.INPUTS, result, known_at=known_at)

    def _shift(self, version: str, scale: Scale, prediction: PredictionShift) -> ShownShift:
        """Return what the windows of one scale show of the columns, with *prediction* off by so much."""
        release, events = self._release, self.events[version]
        length = scale.length // release.step
        counts = sums(events, length)
        inputs = release.world_psi + release.versions[version].own_inputs_psi
        psis = {"score": prediction.score_psi, "label": prediction.label_psi} | dict.fromkeys(INPUTS, inputs)
        values = {
            column: measured_psi(psi, events, counts, self._noise[version, column], length)
            for column, psi in psis.items()
        }
        tiers = {column: endured_tiers(proven_tiers(psi, counts), length) for column, psi in values.items()}
        return ShownShift(values, tiers)

    def _result(self, columns: Sequence[ShownColumn], *, events: int, broken: bool) -> WindowResult:
        ratio, levels = self._spec.drift.close_ratio, _levels(self._spec)
        findings = [
            drift_finding(column.name, column.tier, column.psi, threshold=levels[column.tier])
            for column in columns
            if column.tier
        ]
        if broken:
            findings.append(broken_finding())
        restless = {column.name: tier_above(column.psi, ratio) for column in columns}
        worst = max(column.tier for column in columns)
        above = max(worst, *restless.values())
        verdict = Tier.CRITICAL if broken else worst
        label = next((column.psi for column in columns if column.name == "label"), None)
        return WindowResult(
            verdict=Verdict[verdict.name] if verdict else Verdict.OK,
            events=events,
            columns=() if label is None else (ColumnResult(name=LABEL_COLUMN, n=events, psi=label),),
            findings=tuple(findings),
            calm_below=(above < Tier.WARNING, above < Tier.ALERT, above < Tier.CRITICAL),
            restless=tuple(RestlessColumn(column, tier, tier) for column, tier in restless.items() if tier),
            quality_calm=not broken,
        )

    def _of_accuracy(self, version: str, scale: Scale, *, after: int) -> Iterator[Judged]:
        release, truth, rules = self._release, self._release.versions[version], self._spec.accuracy
        length = scale.length // release.step
        events = sums(self.events[version], length)
        labelled, correct = sums(self._labelled[version], length), sums(self._correct[version], length)
        mature = labelled >= np.maximum(rules.maturity * events, rules.min_truths)
        if scale.length > HOUR_MINUTES:  # a window that is still filling is inconclusive
            began = int(np.argmax(self.events[version] > 0))
            mature[:began] = False
        share = correct / np.maximum(labelled, 1)
        worth = 1.0 / (1.0 + np.maximum(labelled / length - 1.0, 0.0) * release.correlation)
        high = wilson_high(share, np.maximum(labelled * worth, 1.0))
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
                else (less_accurate(tier, float(share[index]), release.reference_accuracy - drops[tier]),)
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


def _levels(spec: ModelSpec) -> dict[Tier, float]:
    tiers = spec.drift.tiers
    return {Tier.WARNING: tiers.warning, Tier.ALERT: tiers.alert, Tier.CRITICAL: tiers.critical}
