"""An evaluator that plays a script of letters while it keeps the real one's books in Postgres."""

from dataclasses import dataclass, field

import sqlalchemy as sa

from monitor.evaluate import EvaluationBatch, StoredEvaluation
from monitor.evaluate.results import by_end
from monitor.performance.expected_accuracy import PerformanceCounts
from monitor.performance.verdict import JudgedAccuracy
from monitor.results import Finding, WindowResult
from monitor.store.accuracy_evaluations import NewAccuracyEvaluation, insert_performances
from monitor.store.configuration import AppliedModel
from monitor.store.evaluations import NewEvaluation, insert_evaluations
from monitor.store.scale_progress import Progress, read_progress, write_progress
from monitor.store.series import ensure_series
from monitor.types import EvaluationKind, IncidentKind, InconclusiveReason, Scale, SeriesKey, Statistic, Tier, Verdict
from monitor.units import MINUTE_MILLIS
from monitor.windows.watermark import Watermark

SCALE = Scale(length=10, step=5)
LETTERS = {"w": Tier.WARNING, "a": Tier.ALERT, "c": Tier.CRITICAL}
POSSIBLE = {
    (IncidentKind.DRIFT, Statistic.PSI): {Tier.WARNING, Tier.ALERT, Tier.CRITICAL},
    (IncidentKind.DRIFT, Statistic.KS): {Tier.WARNING},
    (IncidentKind.DRIFT, Statistic.ANYTIME): {Tier.WARNING},
    (IncidentKind.DATA_QUALITY, Statistic.MISSING): {Tier.WARNING, Tier.ALERT},
    (IncidentKind.DATA_QUALITY, Statistic.INVALID): {Tier.WARNING, Tier.ALERT},
    (IncidentKind.DATA_QUALITY, Statistic.FAR): {Tier.WARNING, Tier.ALERT},
    (IncidentKind.DATA_QUALITY, Statistic.STUCK): {Tier.WARNING, Tier.ALERT},
    (IncidentKind.DATA_QUALITY, Statistic.UNSEEN): {Tier.WARNING, Tier.ALERT, Tier.CRITICAL},
    (IncidentKind.DATA_QUALITY, Statistic.SCHEMA): {Tier.ALERT},
    (IncidentKind.DATA_QUALITY, Statistic.VERSIONS): {Tier.WARNING},
    (IncidentKind.PERFORMANCE, Statistic.ACCURACY): {Tier.WARNING, Tier.ALERT, Tier.CRITICAL},
}
"""Which findings there are; a script can play no others, and tests/conformance holds the real evaluator to them."""
USUAL = {
    IncidentKind.DRIFT: Statistic.PSI,
    IncidentKind.DATA_QUALITY: Statistic.MISSING,
    IncidentKind.PERFORMANCE: Statistic.ACCURACY,
}

WindowKey = tuple[int, SeriesKey, EvaluationKind]


@dataclass
class ScriptedEvaluator:
    """Plays window ends of one scale that its books in Postgres do not have yet, at most *at_once* per turn."""

    at_once: int = 50
    scale: Scale = SCALE
    windows: dict[WindowKey, list[Finding] | None] = field(default_factory=dict)

    def play(
        self,
        applied: AppliedModel,
        letters: str,
        *,
        start: int,
        version: str = "1",
        kind: IncidentKind = IncidentKind.DRIFT,
        column: str = "income",
        role: str = "feature",
        statistic: Statistic | None = None,
    ) -> None:
        """Play one letter every step of the scale from *start* on.

        ``.`` calm, ``w`` ``a`` ``c`` a finding of that tier, ``?`` inconclusive, a space no window. What is played of
        one series and end is one window, as with the real evaluator, but for accuracy, which is one of its own.
        """
        judged = EvaluationKind.PERFORMANCE if kind is IncidentKind.PERFORMANCE else EvaluationKind.INPUTS
        for index, letter in enumerate(letters):
            window = (start + index * self.scale.step * MINUTE_MILLIS, SeriesKey(applied.model_id, version), judged)
            if letter == "?":
                assert judged is EvaluationKind.INPUTS, "a window without truths enough is not returned at all"
                assert window not in self.windows, "what is inconclusive shows nothing else"
                self.windows[window] = None
            elif letter != " ":
                findings = self.windows.setdefault(window, [])
                assert findings is not None, "what is inconclusive shows nothing else"
                if letter in LETTERS:
                    chosen = statistic or USUAL[kind]
                    findings.append(_finding(kind, chosen, LETTERS[letter], column=column, role=role))
                    _require_possible(findings)

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> EvaluationBatch:
        """Return the next ends after the stored progress of this model and move it, in the caller's transaction."""
        mine = {window: findings for window, findings in self.windows.items() if window[1].model_id == applied.model_id}
        ids = ensure_series(connection, {series for _, series, _ in mine})
        known = read_progress(connection, applied.model_id).get(self.scale.length)
        due = sorted({end for end, _, _ in mine if known is None or end > known.evaluated_until})
        now = due[: self.at_once]
        judged = [_evaluation(window, findings, self.scale) for window, findings in mine.items() if window[0] in now]
        inputs = [evaluation for evaluation in judged if evaluation.kind is EvaluationKind.INPUTS]
        insert_evaluations(connection, [_stored(applied, ids[row.series], row) for row in inputs])
        accuracy = [evaluation for evaluation in judged if evaluation.kind is EvaluationKind.PERFORMANCE]
        insert_performances(connection, [_stored_accuracy(applied, ids[row.series], row) for row in accuracy])
        if now:
            moved = Progress(length=self.scale.length, evaluated_until=now[-1], final_until=-1)
            write_progress(connection, applied.model_id, [moved])
        return EvaluationBatch(
            window_ends=by_end(judged), more=len(due) > len(now), watermark=Watermark(value=now_millis)
        )


def _finding(kind: IncidentKind, statistic: Statistic, tier: Tier, *, column: str, role: str) -> Finding:
    of_model = kind is IncidentKind.PERFORMANCE
    return Finding(
        kind=kind,
        column="" if of_model else column,
        statistic=statistic,
        tier=tier,
        endured=True,
        value=0.41,
        bound=0.35,
        threshold=0.2,
        role="performance" if of_model else role,
        importance=None if of_model else 0.5,
        sentence="Accuracy fell." if of_model else f"{column} moved: PSI 0.41, proven 0.35 against 0.2.",
    )


def _require_possible(findings: list[Finding]) -> None:
    for finding in findings:
        tiers = POSSIBLE.get((finding.kind, finding.statistic), ())
        assert finding.tier in tiers, f"there is no such finding: {finding}"
    drifting = {finding.column for finding in findings if finding.kind is IncidentKind.DRIFT}
    broken = {finding.column for finding in findings if finding.kind is IncidentKind.DATA_QUALITY}
    assert not drifting & broken, "what is left of a broken field is not judged for drift"


def _evaluation(window: WindowKey, findings: list[Finding] | None, scale: Scale) -> StoredEvaluation:
    end, series, kind = window
    return StoredEvaluation(
        series=series,
        scale=scale,
        window_end=end,
        kind=kind,
        revision=0,
        driving=True,
        result=_inconclusive() if findings is None else _result(kind, tuple(findings)),
    )


def _inconclusive() -> WindowResult:
    return WindowResult(verdict=Verdict.INCONCLUSIVE, events=12, reason=InconclusiveReason.TOO_FEW_EVENTS)


def _result(kind: EvaluationKind, findings: tuple[Finding, ...]) -> WindowResult:
    worst = max((finding.tier for finding in findings), default=Tier.NONE)
    moving = [finding.tier for finding in findings if finding.kind is not IncidentKind.DATA_QUALITY]
    moved = max(moving, default=Tier.NONE)
    broken = any(finding.kind is IncidentKind.DATA_QUALITY for finding in findings)
    return WindowResult(
        verdict=Verdict.OK if worst is Tier.NONE else Verdict[worst.name],
        events=1000,
        findings=findings,
        calm_below=(moved < Tier.WARNING, moved < Tier.ALERT, moved < Tier.CRITICAL),
        quality_calm=None if kind is EvaluationKind.PERFORMANCE else not broken,
    )


def _stored_accuracy(applied: AppliedModel, series_id: int, evaluation: StoredEvaluation) -> NewAccuracyEvaluation:
    correct = 950 if evaluation.result.verdict is Verdict.OK else 600
    return NewAccuracyEvaluation(
        series_id=series_id,
        length=evaluation.scale.length,
        window_end=evaluation.window_end,
        spec_version=applied.spec_version,
        revision=evaluation.revision,
        counts=PerformanceCounts(sampled=1000, labelled=1000, correct=correct),
        mature=True,
        judged=JudgedAccuracy(accuracy=correct / 1000, interval=None, result=evaluation.result),
    )


def _stored(applied: AppliedModel, series_id: int, evaluation: StoredEvaluation) -> NewEvaluation:
    return NewEvaluation(
        series_id=series_id,
        length=evaluation.scale.length,
        window_end=evaluation.window_end,
        cells_id=applied.cells[-1].cells_id,
        spec_version=applied.spec_version,
        reference_id=applied.reference_id,
        revision=evaluation.revision,
        previous_events=0,
        sampled=0,
        result=evaluation.result,
    )
