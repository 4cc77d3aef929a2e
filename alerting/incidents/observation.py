"""What one evaluated window shows about one kind of incident: the only input of `transition` from a window."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from monitor.results import Finding, WindowResult
from monitor.types import EvaluationKind, IncidentKind, Scale, SeriesKey, Statistic, Tier, Verdict

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
        findings: The endured findings of the kind, worst first, at most `FINDINGS_KEPT`.
        moved: Of drift: every column to list, most certain first; see `monitor.detection.verdict`.
        unjudged: Columns with too few values here: the window says nothing about theirs.
    """

    end: int
    length: int
    step: int
    tier: Tier
    calm: tuple[bool, bool, bool] | None
    findings: tuple[Finding, ...] = ()
    moved: tuple[str, ...] = ()
    unjudged: frozenset[str] = frozenset()

    @property
    def conclusive(self) -> bool:
        return self.calm is not None or self.tier > Tier.NONE

    def leaves_open(self, findings: Sequence[Finding]) -> bool:
        """Return whether the window cannot say if one of *findings*, of an earlier window, is over."""
        return any(finding.statistic in OF_VALUES and finding.column in self.unjudged for finding in findings)


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
        findings=findings[:FINDINGS_KEPT],
        moved=result.moved[:FINDINGS_KEPT] if kind is IncidentKind.DRIFT else (),
        unjudged=frozenset(column.name for column in result.columns if column.inconclusive),
    )


def _calm(kind: IncidentKind, judged: EvaluationKind, result: WindowResult) -> tuple[bool, bool, bool] | None:
    of_accuracy = kind is IncidentKind.PERFORMANCE
    if result.verdict is Verdict.INCONCLUSIVE or (judged is EvaluationKind.PERFORMANCE) != of_accuracy:
        return None  # accuracy says nothing about drift, nor drift about accuracy
    if kind is not IncidentKind.DATA_QUALITY:
        return result.calm_below
    return None if result.quality_calm is None else (result.quality_calm,) * 3
