"""Judges the windows of one model that are due, stores them, returns what it judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import msgspec
import sqlalchemy as sa

from monitor.evaluate.pane_loading import PaneRowsReplaced
from monitor.evaluate.results import EvaluationRules, StoredEvaluation
from monitor.evaluate.revisions import may_drive
from monitor.evaluate.schedule import DueBatch, ProgressOf, SeriesWindows, advanced, next_batch
from monitor.evaluate.version_decisions import VersionDecisions
from monitor.evaluate.window import EvaluatedWindow, ModelDecision, evaluate_windows
from monitor.results import Finding
from monitor.store.configuration import AppliedModel
from monitor.store.evaluations import (
    LastRevision,
    NewEvaluation,
    WindowKey,
    insert_evaluations,
    last_revisions,
    newest_conclusive_end,
)
from monitor.store.panes import series_began
from monitor.store.scale_progress import write_progress
from monitor.store.series import CountedHours, CountedSeries, write_hours
from monitor.types import (
    OTHER_VERSIONS,
    EvaluationKind,
    IncidentKind,
    InconclusiveReason,
    Scale,
    SeriesKey,
    Statistic,
    Tier,
    Verdict,
)
from monitor.windows.count_cache import CountsCache

TRIES = 5


def with_too_many_versions(window: EvaluatedWindow, *, cap: int) -> EvaluatedWindow:
    """Return *window*, of the whole of version `other`, with a data-quality finding when it has events at all.

    What its columns say stays: they are a mixture, whose drift is drift of the mixture.
    """
    result = window.result
    if not result.events:
        return window
    sentence = (
        f"Too many versions: more than {cap} had events within a week; the {result.events:,} events of the others in"
        " this window are counted together as version `other`."
    )
    finding = Finding(
        kind=IncidentKind.DATA_QUALITY,
        column="",
        statistic=Statistic.VERSIONS,
        tier=Tier.WARNING,
        endured=True,
        value=float(cap + 1),
        bound=float(cap + 1),
        threshold=float(cap),
        sentence=sentence,
    )
    calm = result.verdict in (Verdict.OK, Verdict.INCONCLUSIVE)
    changed = msgspec.structs.replace(
        result,
        verdict=Verdict.WARNING if calm else result.verdict,
        findings=(finding, *result.findings) if calm else (*result.findings, finding),
        quality_calm=False,
        reason=InconclusiveReason.CONCLUSIVE,
        sentence=sentence if calm else f"{result.sentence} {sentence}",
    )
    return replace(window, result=changed)


@dataclass(frozen=True, slots=True)
class JudgedInputWindow:
    """One evaluated window of one series' inputs, and what was stored of it before."""

    series_id: int
    window: EvaluatedWindow
    last: LastRevision | None

    @property
    def revision(self) -> int:
        return 0 if self.last is None else self.last.revision + 1

    @property
    def conclusive(self) -> bool:
        return self.window.result.verdict is not Verdict.INCONCLUSIVE


@dataclass(kw_only=True)
class ModelWindows:
    """One model's windows during one call of the evaluator; *series*: those that were looked at, by id."""

    connection: sa.Connection
    applied: AppliedModel
    rules: EvaluationRules
    cache: CountsCache
    decision: ModelDecision
    versions: VersionDecisions
    watermark: int
    progress: ProgressOf
    series: dict[int, CountedSeries] = field(default_factory=dict)

    @property
    def final_before(self) -> int:
        """The event time (ms) before which no partition can add an event, bar one that was idle."""
        return self.watermark - self.rules.watermark.finality

    def judge_due(self, limit_ends: int) -> tuple[list[StoredEvaluation], bool]:
        """Judge the next due windows for the first time, and move the progress; first everything due was revised."""
        for _ in range(TRIES):
            batch = next_batch(
                self.connection,
                model_id=self.applied.model_id,
                scales=self.applied.spec.scales,
                progress=self.progress,
                watermark=self.watermark,
                limit_ends=limit_ends,
            )
            self.series |= batch.series
            try:
                judged = self._judge(batch)
            except PaneRowsReplaced:
                continue
            if batch.begun:
                scales = self.applied.spec.scales
                moved = advanced(self.progress, scales=scales, until=batch.until, final_before=self.final_before)
                write_progress(self.connection, self.applied.model_id, moved)
            return judged, batch.more
        raise self.compacted_too_often()

    def compacted_too_often(self) -> PaneRowsReplaced:
        """Return the error of a call that compaction overtook each time."""
        return PaneRowsReplaced(f"pane rows of {self.applied.key} were compacted during each of {TRIES} readings")

    def evaluated(
        self, windows: SeriesWindows, *, since: int, stored: Mapping[WindowKey, LastRevision]
    ) -> Iterator[JudgedInputWindow]:
        """Evaluate *windows* of a series that is complete from *since* (ms) on.

        Raises:
            PaneRowsReplaced: A compaction came between; list the rows again.
        """
        key = self.series[windows.series_id].key
        evaluated = chain.from_iterable(
            evaluate_windows(self.connection, self.cache, decision, rows=windows.rows, ends=ends, since=since)
            for decision, ends in self.versions.of(key.version, windows.window_ends)
        )
        of_others = key == SeriesKey(self.applied.model_id, OTHER_VERSIONS)
        for window in evaluated:
            if of_others:
                window = with_too_many_versions(window, cap=self.applied.spec.versions)
            window_key = WindowKey(windows.series_id, window.scale.length, window.end)
            yield JudgedInputWindow(windows.series_id, window, stored.get(window_key))

    def _judge(self, batch: DueBatch) -> list[StoredEvaluation]:
        since = series_began(self.connection, [windows.series_id for windows in batch.windows])
        # Stored are only windows from before progress was set back; where nothing came since, they stay as they are.
        stored = last_revisions(self.connection, list(_keys(batch.windows)))
        judged = [
            judgement
            for windows in batch.windows
            for judgement in self.evaluated(windows, since=since[windows.series_id], stored=stored)
            if judgement.last is None or judgement.window.result.events > judgement.last.events
        ]
        self._remember_beginnings(since)
        first = self.store([judgement for judgement in judged if judgement.last is None], driving=True)
        return first + self.store([judgement for judgement in judged if judgement.last is not None])

    def _remember_beginnings(self, since: Mapping[int, int]) -> None:
        """Note where a series began whose marks were not read yet, so that an earlier beginning will be noticed."""
        unknown = {
            series_id: CountedHours(began, None)
            for series_id, began in since.items()
            if self.series[series_id].hours.start is None
        }
        write_hours(self.connection, unknown)

    def store(self, judged: Sequence[JudgedInputWindow], *, driving: bool | None = None) -> list[StoredEvaluation]:
        """Store *judged* windows; *driving* None: those drive that are conclusive for the first time, and newest."""
        newest = self._newest_conclusive(judged) if driving is None else {}
        insert_evaluations(self.connection, (self._new_evaluation(judgement) for judgement in judged))
        return [
            StoredEvaluation(
                series=self.series[judgement.series_id].key,
                scale=judgement.window.scale,
                window_end=judgement.window.end,
                kind=EvaluationKind.INPUTS,
                revision=judgement.revision,
                driving=driving
                or may_drive(
                    judgement.window.end,
                    judgement.last,
                    conclusive=judgement.conclusive,
                    newest_conclusive=newest.get((judgement.series_id, judgement.window.scale)),
                ),
                result=judgement.window.result,
                textbook_result=judgement.window.textbook_result,
            )
            for judgement in judged
        ]

    def _newest_conclusive(self, judged: Sequence[JudgedInputWindow]) -> dict[tuple[int, Scale], int]:
        """Return the newest end that was conclusive before *judged* of each series and scale, where it matters."""
        firsts: dict[tuple[int, Scale], int] = {}
        for judgement in judged:
            if may_drive(judgement.window.end, judgement.last, conclusive=judgement.conclusive, newest_conclusive=None):
                key = (judgement.series_id, judgement.window.scale)
                firsts[key] = min(judgement.window.end, firsts.get(key, judgement.window.end))
        newest = {
            (series_id, scale): newest_conclusive_end(
                self.connection, series_id=series_id, length=scale.length, after=first
            )
            for (series_id, scale), first in firsts.items()
        }
        return {key: end for key, end in newest.items() if end is not None}

    def _new_evaluation(self, judgement: JudgedInputWindow) -> NewEvaluation:
        window = judgement.window
        return NewEvaluation(
            series_id=judgement.series_id,
            length=window.scale.length,
            window_end=window.end,
            cells_id=window.cells_id,
            spec_version=self.decision.spec_version,
            reference_id=self.decision.reference_id,
            revision=judgement.revision,
            previous_events=window.previous_events,
            sampled=window.sampled,
            step_sampled=window.step_sampled,
            result=window.result,
        )


def _keys(windows: Sequence[SeriesWindows]) -> Iterator[WindowKey]:
    for window in windows:
        for scale, ends in window.window_ends:
            for end in ends:
                yield WindowKey(window.series_id, scale.length, end)
