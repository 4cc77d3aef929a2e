"""What one evaluated window shows about one kind of incident: the only input of `transition` from a window."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from monitor.results import Finding, WindowResult
from monitor.types import EvaluationKind, IncidentKind, InconclusiveReason, Scale, SeriesKey, Statistic, Tier, Verdict
from monitor.units import MINUTE_MILLIS

FINDINGS_KEPT = 20
OF_VALUES = frozenset({Statistic.PSI, Statistic.KS, Statistic.ANYTIME, Statistic.FAR, Statistic.STUCK})
"""Statistics of a column's values, which a window without enough of them cannot judge; the others are of all events."""
DECIDED_KINDS = (IncidentKind.DATA_QUALITY, IncidentKind.PERFORMANCE, IncidentKind.DRIFT)
"""In the order in which one window end is worked: a broken field must be known before it holds drift back."""


class Evaluation(Protocol):
    """One evaluation of one series and window, as the evaluator stored it.

    *driving*: a first judgement that may move incidents, no revision.
    """

    @property
    def series(self) -> SeriesKey: ...
    @property
    def scale(self) -> Scale: ...
    @property
    def window_end(self) -> int: ...
    @property
    def kind(self) -> EvaluationKind: ...
    @property
    def driving(self) -> bool: ...
    @property
    def result(self) -> WindowResult: ...


class WindowObservation(msgspec.Struct, frozen=True, kw_only=True):
    """One window as one kind of incident sees it.

    Attributes:
        end: Window end in epoch milliseconds.
        length, step: Of the scale, in minutes.
        tier: Worst endured finding of the kind; NONE when there is none.
        calm: For WARNING, ALERT, CRITICAL: below the closing threshold of that tier; None when inconclusive.
        findings: The endured findings of the kind, worst first.
        moved: Of drift: every column to list, most certain first; see `monitor.detection.verdict`.
        unjudged: Columns with too few values here: the window says nothing about theirs. Not those that warm up: what
            another version's prediction showed, or a fault that is over, holds no longer.
        restless: By column the tiers that it is not calm below, as in `RestlessColumn`; None: *calm* is of all columns.
    """

    end: int
    length: int
    step: int
    tier: Tier
    calm: tuple[bool, bool, bool] | None
    findings: tuple[Finding, ...] = ()
    moved: tuple[str, ...] = ()
    unjudged: frozenset[str] = frozenset()
    restless: dict[str, tuple[Tier, Tier]] | None = None

    @property
    def conclusive(self) -> bool:
        return self.calm is not None or self.tier > Tier.NONE

    @property
    def start(self) -> int:
        """Window start in epoch milliseconds."""
        return self.end - self.length * MINUTE_MILLIS

    def start_of(self, finding: Finding) -> int:
        """Return from where on (ms) the data is that shows *finding*, one of this window's."""
        return self.start if finding.since is None else max(finding.since, self.start)

    def says_nothing_of(self, column: str) -> bool:
        """Return whether too few values of *column* came; a broken field is restless, however few."""
        return column in self.unjudged and not (self.restless and column in self.restless)

    def restless_tiers(self, column: str) -> tuple[Tier, Tier]:
        """Return the highest tier that *column* is not calm below, and the same by size alone."""
        if self.restless is not None and column:
            return self.restless.get(column, (Tier.NONE, Tier.NONE))
        above = Tier(sum(not calm for calm in self.calm or ()))  # calm below a tier is calm below every higher one
        return above, above


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return *findings* by tier, then by how far the bound lies above what it passed; ties by name."""

    def order(finding: Finding) -> tuple[int, float, str, str]:
        excess = finding.bound / finding.threshold if finding.threshold else finding.bound
        return (-finding.tier, -excess, finding.column, finding.statistic)

    return tuple(sorted(findings, key=order))


def observation_of(kind: IncidentKind, evaluation: Evaluation) -> WindowObservation:
    """Return what *evaluation* shows about *kind*; without a result for it, inconclusive, never calm."""
    result = evaluation.result
    findings = worst_first(result.of_kind(kind))
    return WindowObservation(
        end=evaluation.window_end,
        length=evaluation.scale.length,
        step=evaluation.scale.step,
        tier=max((finding.tier for finding in findings), default=Tier.NONE),
        calm=_calm(kind, evaluation.kind, result),
        findings=findings,
        moved=result.moved[:FINDINGS_KEPT] if kind is IncidentKind.DRIFT else (),
        unjudged=frozenset(
            column.name
            for column in result.columns
            if column.inconclusive not in (InconclusiveReason.CONCLUSIVE, InconclusiveReason.WARMING_UP)
        ),
        restless=_restless(kind, result),
    )


def _restless(kind: IncidentKind, result: WindowResult) -> dict[str, tuple[Tier, Tier]] | None:
    if kind is IncidentKind.DATA_QUALITY:
        # Of a share there is only proven or not; what is proven and did not endure is not calm.
        return {finding.column: (Tier.CRITICAL, Tier.CRITICAL) for finding in result.findings if finding.kind is kind}
    if kind is IncidentKind.DRIFT and result.restless is not None:
        return {column.column: (column.tier, column.size) for column in result.restless}
    return None


def _calm(kind: IncidentKind, judged: EvaluationKind, result: WindowResult) -> tuple[bool, bool, bool] | None:
    of_accuracy = kind is IncidentKind.PERFORMANCE
    if (judged is EvaluationKind.PERFORMANCE) != of_accuracy:
        return None  # accuracy says nothing about drift, nor drift about accuracy
    if result.reason is InconclusiveReason.WARMING_UP:  # nothing but the prediction is watched
        return (not any(finding.kind is kind for finding in result.findings),) * 3
    if result.verdict is Verdict.INCONCLUSIVE:
        return None
    if kind is not IncidentKind.DATA_QUALITY:
        return result.calm_below
    return None if result.quality_calm is None else (result.quality_calm,) * 3
