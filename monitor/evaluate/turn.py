"""The steps of one model's turn: each judges, stores, and returns what it judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from monitor.evaluate.loading import PaneRowsReplaced
from monitor.evaluate.plan import Batch, advanced, next_batch
from monitor.evaluate.results import EvaluationKind, StoredEvaluation
from monitor.evaluate.revisions import Revisions, due_revisions
from monitor.evaluate.rules import EvaluationRules
from monitor.evaluate.window_evaluation import EvaluatedWindow, ModelDecision, evaluate_windows
from monitor.store.configuration import AppliedModel
from monitor.store.evaluations import NewEvaluation, Progress, insert_evaluations, read_progress, write_progress
from monitor.store.panes import pane_rows, series_began
from monitor.types import SeriesKey
from monitor.windows.counts_cache import CountsCache
from monitor.windows.due import length_millis

TRIES = 5


@dataclass(kw_only=True)
class WindowTurn:
    """One call's constants."""

    connection: sa.Connection
    applied: AppliedModel
    rules: EvaluationRules
    cache: CountsCache
    decision: ModelDecision
    watermark: int
    series: Mapping[int, SeriesKey]

    def judge_due(self, limit_ends: int) -> tuple[list[StoredEvaluation], bool]:
        """Judge the next due windows for the first time."""
        progress = read_progress(self.connection, self.applied.model_id)
        for _ in range(TRIES):
            batch = next_batch(
                self.connection,
                series_ids=tuple(self.series),
                scales=self.applied.spec.scales,
                progress=progress,
                watermark=self.watermark,
                limit_ends=limit_ends,
            )
            try:
                judged = self._judge(batch)
            except PaneRowsReplaced:
                continue
            final_before = self.watermark - self.rules.watermark.finality
            moved = advanced(progress, batch, scales=self.applied.spec.scales, final_before=final_before)
            write_progress(self.connection, tuple(moved.values()))
            return judged, batch.more
        raise PaneRowsReplaced(f"pane rows of {self.applied.key} were compacted during each of {TRIES} readings")

    def _judge(self, batch: Batch) -> list[StoredEvaluation]:
        since = series_began(self.connection, [each.series_id for each in batch.windows])
        found = [
            (windows.series_id, evaluated, 0)
            for windows in batch.windows
            for evaluated in evaluate_windows(
                self.connection,
                self.cache,
                self.decision,
                rows=windows.rows,
                ends=windows.ends,
                since=since[windows.series_id],
            )
        ]
        return self._store(found)

    def revise(self) -> tuple[list[StoredEvaluation], bool]:
        """Judge again the windows that got late events."""
        judged: list[StoredEvaluation] = []
        more = False
        moved: list[Progress] = []
        scales = {each.length: each for each in self.applied.spec.scales}
        for (series_id, length), progress in sorted(read_progress(self.connection, self.applied.model_id).items()):
            if length not in scales:
                continue
            due = due_revisions(
                self.connection,
                scale=scales[length],
                progress=progress,
                watermark=self.watermark,
                rules=self.rules.watermark,
                revision_seconds=self.rules.revision_seconds,
            )
            if due.numbers:
                judged += self._store(self._revised(series_id, due))
            if due.progress != progress:
                moved.append(due.progress)
            more |= due.more
        write_progress(self.connection, moved)
        return judged, more

    def _revised(self, series_id: int, due: Revisions) -> list[tuple[int, EvaluatedWindow, int]]:
        ends = tuple(due.numbers)
        start = ends[0] - 2 * length_millis(due.scale)
        for _ in range(TRIES):
            rows = pane_rows(self.connection, series_id=series_id, start=start, stop=ends[-1])
            since = series_began(self.connection, [series_id])[series_id]
            windows = evaluate_windows(
                self.connection, self.cache, self.decision, rows=rows, ends=((due.scale, ends),), since=since
            )
            try:
                return [(series_id, each, due.numbers[each.end]) for each in windows]
            except PaneRowsReplaced:
                continue
        raise PaneRowsReplaced(f"pane rows of {self.applied.key} were compacted during each of {TRIES} readings")

    def _store(self, found: Sequence[tuple[int, EvaluatedWindow, int]]) -> list[StoredEvaluation]:
        insert_evaluations(
            self.connection,
            (
                NewEvaluation(
                    series_id=series_id,
                    length=each.scale.length,
                    window_end=each.end,
                    cells_id=each.cells_id,
                    spec_version=self.decision.spec_version,
                    reference_id=self.decision.reference_id,
                    revision=revision,
                    previous_events=each.previous_events,
                    sampled=each.sampled,
                    step_sampled=each.step_sampled,
                    result=each.result,
                )
                for series_id, each, revision in found
            ),
        )
        return [
            StoredEvaluation(
                series=self.series[series_id],
                scale=each.scale,
                window_end=each.end,
                kind=EvaluationKind.INPUTS,
                revision=revision,
                driving=revision == 0,
                result=each.result,
                beside=each.beside,
            )
            for series_id, each, revision in found
        ]
