"""The real evaluator under observation: remembers what it judged, and what the textbook rule would have made of it."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import sqlalchemy as sa

from alerting.incidents.tracker import IncidentTracker, rules_of
from driftline.backtest.outcome import JudgedWindow, Taken, TextbookWord
from driftline.backtest.psi_history import PsiTracks
from monitor.clock import cpu_seconds
from monitor.evaluate import EndEvaluation, EvaluationBatch, Evaluator, StoredEvaluation
from monitor.results import Finding, WindowResult
from monitor.spec.model import ModelSpec
from monitor.store.configuration import AppliedModel
from monitor.types import ALL_SEGMENT, EvaluationKind

ENDS_AT_ONCE = 50


class WatchedEvaluator:
    """Judges as the alerter's evaluator does.

    Attributes:
        cpu_seconds: CPU of this process for deciding, reading the counts included.
    """

    def __init__(
        self, evaluator: Evaluator, *, tracks: PsiTracks, textbook: "TextbookIncidents | None", keep_results: bool
    ) -> None:
        self._evaluator = evaluator
        self._tracks = tracks
        self._textbook = textbook
        self._keep_results = keep_results
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        self.windows: list[JudgedWindow] = []
        self.cpu_seconds = 0.0

    def evaluate_model(self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int) -> EvaluationBatch:
        """Judge what is due."""
        began = cpu_seconds()
        batch = self._evaluator.evaluate_model(connection, applied, now_millis=now_millis, limit_ends=ENDS_AT_ONCE)
        self.cpu_seconds += cpu_seconds() - began
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

    def _judged(self, found: StoredEvaluation) -> JudgedWindow:
        findings = (finding for finding in found.result.findings if finding.endured)
        return JudgedWindow(
            series=found.series,
            scale=found.scale,
            end=found.window_end,
            kind=found.kind,
            driving=found.driving,
            verdict=found.result.verdict,
            reason=found.result.reason,
            events=found.result.events,
            # A long incident would keep the same long sentences for each of its thousands of windows.
            findings=tuple(msgspec.structs.replace(finding, sentence="") for finding in findings),
            result=found.result if self._keep_results else None,
            textbook=None if found.textbook_result is None else self._word(found.textbook_result),
        )

    def _word(self, result: WindowResult) -> TextbookWord:
        columns = _columns(result.findings)
        return TextbookWord(verdict=result.verdict, columns=self._names.setdefault(columns, columns))


def _columns(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.column for finding in findings if finding.endured))


class TextbookIncidents:
    """The incidents that the textbook rule's verdicts would have made, by the same incident code; nothing is stored."""

    def __init__(self, spec: ModelSpec) -> None:
        self._tracker = IncidentTracker(model=spec.key, rules=rules_of(spec), now_millis=0, states={})
        self.taken: list[Taken] = []

    def feed(self, end: EndEvaluation) -> None:
        """Work one window end."""
        judged = tuple(
            replace(evaluation, result=evaluation.textbook_result)
            for evaluation in end.evaluations
            if evaluation.textbook_result is not None
        )
        self._tracker.now_millis = end.window_end
        outcome = self._tracker.feed(EndEvaluation(end.window_end, judged))
        self.taken += [Taken(decision=decision, state=state, known=end.window_end) for decision, state in outcome.steps]
