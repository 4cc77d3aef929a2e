"""Evaluates one model: finds the windows that are due, judges and stores them, revises those that got late events."""

from dataclasses import dataclass, replace
from weakref import WeakSet

import sqlalchemy as sa
import structlog

from monitor.detection import OwnPrediction, prepare_reference
from monitor.errors import SpecError
from monitor.evaluate.accuracy import PerformanceRules
from monitor.evaluate.accuracy_due import judge_performance
from monitor.evaluate.batch import ModelWindows
from monitor.evaluate.late_deployments import judge_again, note_named_references, note_warm_ups
from monitor.evaluate.marks import take_marks
from monitor.evaluate.results import EvaluationBatch, EvaluationRules, StoredEvaluation, by_end
from monitor.evaluate.revise import revise
from monitor.evaluate.version_decisions import PreparedVersions, VersionsReader
from monitor.evaluate.window import ModelDecision
from monitor.performance.error_movement import error_movement
from monitor.performance.expected_accuracy import reference_accuracy
from monitor.reference.profile import empty_profile
from monitor.spec.model import DriftRule, ModelSpec, Seasonality
from monitor.store.configuration import AppliedModel, load_reference
from monitor.store.model_intake import blind_spans
from monitor.store.scale_progress import read_progress
from monitor.store.topics import read_partitions
from monitor.types import TopicRole
from monitor.windows.count_cache import CountsCache
from monitor.windows.watermark import watermark_of

log = structlog.get_logger()

_SEEN_BY = "driftline.seen_by_evaluators"
COUNTS_AT_ONCE = 2_000_000  # cells times window ends of one batch: wide models take smaller batches


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelRules:
    """What is prepared once per spec version and reference."""

    spec_version: int
    reference_id: int
    decision: ModelDecision
    versions: PreparedVersions
    performance: PerformanceRules


class Evaluator:
    """Evaluates models one batch at a time; keeps prepared references and decoded counts of its process."""

    def __init__(self, rules: EvaluationRules) -> None:
        self._rules = rules
        self._cache = CountsCache(max_bytes=rules.cache_bytes)
        self._prepared: dict[int, _ModelRules] = {}
        self._problems: dict[int, str] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """Which models have no reference to compare with, and why: a sentence each."""
        return tuple(self._problems.values())

    def evaluate_model(
        self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int, limit_ends: int = 50
    ) -> EvaluationBatch:
        """Judge and store the next *limit_ends* window ends of *applied* that are due, and revise evaluated ones.

        The caller holds the model's lock (`lock_model`) and commits. The watermark is read before the marks, and these
        before the panes, so what lies under the watermark is complete and known. What becomes of a window in the end
        depends on the counted events alone, never on *now_millis* or the batch.
        """
        rules, model_id, scales = self._rules, applied.model_id, applied.spec.scales
        self._forget_what_older_connections_saw(connection)
        partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=rules.prediction_topics)
        watermark = watermark_of(partitions, now=now_millis, rules=rules.watermark)
        progress = read_progress(connection, model_id)
        if take_marks(connection, model_id, scales=scales, progress=progress, revise=rules.revise):
            return EvaluationBatch(window_ends=(), more=True, watermark=watermark)
        if watermark.value is None:
            return EvaluationBatch(window_ends=(), more=False, watermark=watermark)
        prepared = self._model_rules(connection, applied)
        decision = replace(prepared.decision, blind=blind_spans(connection, applied.model_id))
        finality = rules.watermark.finality
        versions = VersionsReader(
            connection=connection,
            applied=applied,
            cache=self._cache,
            of_model=decision,
            kept=prepared.versions,
            final_before=watermark.value - finality,
            finality=finality,
        ).read()
        if rules.revise:
            note_warm_ups(connection, applied, versions.warm_ups, progress=progress)
            note_named_references(connection, applied, versions.named, progress=progress)
        windows = ModelWindows(
            connection=connection,
            applied=applied,
            rules=rules,
            cache=self._cache,
            decision=decision,
            versions=versions,
            watermark=watermark.value,
            progress=progress,
        )
        # Older windows first: incidents see windows in order of end, also those that a burst fills belatedly.
        judged: list[StoredEvaluation] = []
        more = False
        if rules.revise:
            again, more_again = judge_again(windows) if versions.deployed else ([], False)
            revised, more = revise(windows)
            judged, more = again + revised, more or more_again
        if not more:
            limit = max(1, min(limit_ends, COUNTS_AT_ONCE // max(1, prepared.decision.size)))
            due, more = windows.judge_due(limit)
            judged += due
        accuracy, more_truths = judge_performance(
            connection, prepared.performance, progress=progress, series=windows.series, judged=judged
        )
        return EvaluationBatch(window_ends=by_end(judged + accuracy), more=more or more_truths, watermark=watermark)

    def _forget_what_older_connections_saw(self, connection: sa.Connection) -> None:
        """Begin without memory on every new connection.

        A database restored to an earlier moment gives ids away again, of rows and of references; nobody stays connected
        while it is restored.
        """
        if self not in connection.info.setdefault(_SEEN_BY, WeakSet()):
            connection.info[_SEEN_BY].add(self)
            self._cache.clear()
            self._prepared.clear()

    def _model_rules(self, connection: sa.Connection, applied: AppliedModel) -> _ModelRules:
        known = self._prepared.get(applied.model_id)
        if known and (known.spec_version, known.reference_id) == (applied.spec_version, applied.reference_id):
            return known
        try:
            profile, problem = load_reference(connection, applied.reference_id), ""
            self._problems.pop(applied.model_id, None)
        except SpecError as error:
            profile, problem = empty_profile(applied.cells[-1].layout), f"{error.source}: {'; '.join(error.problems)}."
            self._note_problem(applied, problem)
        decision = ModelDecision(
            prepared=prepare_reference(applied.spec, profile),
            cells_id=applied.cells_of(profile.layout).cells_id,
            size=profile.layout.size,
            cells_order=tuple(cell.cells_id for cell in applied.cells),
            spec_version=applied.spec_version,
            reference_id=applied.reference_id,
            problem=problem,
            textbook=prepare_reference(_textbook(applied.spec), profile) if self._rules.with_textbook else None,
        )

        def of_version(own: OwnPrediction | None) -> ModelDecision:
            specs = applied.spec, _textbook(applied.spec)
            by_rule = [prepare_reference(spec, profile, own=own, warming=own is None) for spec in specs]
            return replace(decision, prepared=by_rule[0], textbook=None if decision.textbook is None else by_rule[1])

        prepared = _ModelRules(
            spec_version=applied.spec_version,
            reference_id=applied.reference_id,
            decision=decision,
            versions=PreparedVersions(prepare=of_version, layout=profile.layout),
            performance=PerformanceRules(
                model_id=applied.model_id,
                spec=applied.spec,
                spec_version=applied.spec_version,
                reference=reference_accuracy(profile),
                movement=error_movement(profile.truth_blocks, applied.spec.scales),
                revision_seconds=self._rules.revision_seconds,
            ),
        )
        if not problem:  # what is damaged is read again each time: it may be mended
            self._prepared[applied.model_id] = prepared
        return prepared

    def _note_problem(self, applied: AppliedModel, problem: str) -> None:
        notice = f"{applied.key}: not judged, {problem}"
        if self._problems.get(applied.model_id) != notice:
            self._problems[applied.model_id] = notice
            log.error("reference.rejected", model=str(applied.key), problem=problem)


def _textbook(spec: ModelSpec) -> ModelSpec:
    changes: dict[str, object] = {"rule": DriftRule.TEXTBOOK, "seasonality": Seasonality.NONE, "statistics": ()}
    return spec.model_copy(update={"drift": spec.drift.model_copy(update=changes)})
