"""Wraps the alerter's evaluator: keeps each judged window, and derives the textbook rule's incidents."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import sqlalchemy as sa

from alerting.incidents.state import IncidentState
from alerting.incidents.tracker import IncidentTracker, incident_rules
from driftline.backtest.outcome import JudgedWindow, RaisedStep, TextbookVerdict, raised_step
from driftline.backtest.psi_history import PsiTracks
from monitor.evaluate import EvaluatedWindowEnd, EvaluationBatch, Evaluator, StoredEvaluation
from monitor.results import Finding, WindowResult
from monitor.spec.model import ModelSpec
from monitor.store.configuration import AppliedModel
from monitor.types import ALL_SEGMENT, EvaluationKind

ENDS_AT_ONCE = 50


class ObservedEvaluator:
    """The alerter's evaluator, whose judged windows are kept for the report."""

    def __init__(
        self, evaluator: Evaluator, *, tracks: PsiTracks, textbook: "TextbookIncidents | None", keep_results: bool
    ) -> None:
        self._evaluator = evaluator
        self._tracks = tracks
        self._textbook = textbook
        self._keep_results = keep_results
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.windows: list[JudgedWindow] = []

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> EvaluationBatch:
        """Evaluate the due windows and keep them."""
        batch = self._evaluator.evaluate_model(connection, applied, now_millis=now_millis, limit_ends=ENDS_AT_ONCE)
        for end in batch.window_ends:
            for evaluation in end.evaluations:
                self.windows.append(self._judged(evaluation))
                if evaluation.kind is EvaluationKind.INPUTS and evaluation.series.segment_tag == ALL_SEGMENT:
                    self._tracks.add(
                        evaluation.series.version,
                        evaluation.scale,
                        end=evaluation.window_end,
                        columns=evaluation.result.columns,
                    )
            if self._textbook is not None:
                self._textbook.feed(end)
        return batch

    def _judged(self, evaluation: StoredEvaluation) -> JudgedWindow:
        findings = (finding for finding in evaluation.result.findings if finding.endured)
        return JudgedWindow(
            series=evaluation.series,
            scale=evaluation.scale,
            end=evaluation.window_end,
            kind=evaluation.kind,
            driving=evaluation.driving,
            verdict=evaluation.result.verdict,
            reason=evaluation.result.reason,
            events=evaluation.result.events,
            # A long incident would keep the same long sentences for each of its thousands of windows.
            findings=tuple(msgspec.structs.replace(finding, sentence="") for finding in findings),
            result=evaluation.result if self._keep_results else None,
            textbook=None if evaluation.textbook_result is None else self._textbook_verdict(evaluation.textbook_result),
        )

    def _textbook_verdict(self, result: WindowResult) -> TextbookVerdict:
        columns = _columns(result.findings)
        return TextbookVerdict(verdict=result.verdict, columns=self._names.setdefault(columns, columns))


def _columns(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.column for finding in findings if finding.endured))


class TextbookIncidents:
    """The incidents that the textbook rule's verdicts would have made, by the same incident code; nothing is stored."""

    def __init__(self, spec: ModelSpec) -> None:
        self._tracker = IncidentTracker(model=spec.key, rules=incident_rules(spec), now_millis=0, states={})
        self._model = spec.key
        self.steps: list[tuple[IncidentState, RaisedStep]] = []

    def feed(self, end: EvaluatedWindowEnd) -> None:
        """Work one window end."""
        judged = tuple(
            replace(evaluation, result=evaluation.textbook_result)
            for evaluation in end.evaluations
            if evaluation.textbook_result is not None
        )
        self._tracker.now_millis = end.window_end
        outcome = self._tracker.feed(EvaluatedWindowEnd(end.window_end, judged))
        self.steps += [
            (state, raised_step(self._model, decision, state, known=end.window_end))
            for decision, state in outcome.steps
        ]
