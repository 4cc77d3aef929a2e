"""One model's turn: find the windows that are due, decide them, store what was decided."""

from dataclasses import dataclass, replace
from weakref import WeakSet

import sqlalchemy as sa

from monitor.decide import prepare
from monitor.evaluate.performance import PerformanceRules
from monitor.evaluate.performance_turn import judge_performance
from monitor.evaluate.results import EvaluationBatch, by_end
from monitor.evaluate.rules import EvaluationRules
from monitor.evaluate.turn import WindowTurn
from monitor.evaluate.window_evaluation import ModelDecision
from monitor.metrics import WATERMARK_AGE_SECONDS
from monitor.spec import ModelSpec
from monitor.store.configuration import AppliedModel, load_reference
from monitor.store.model_intake import blind_spans
from monitor.store.series import series_of_model
from monitor.store.watermarks import read_partitions
from monitor.truth.accuracy import PerformanceCounts
from monitor.types import TopicRole
from monitor.windows.counts_cache import CountsCache
from monitor.windows.watermark import model_watermark

_SEEN_BY = "driftline.seen_by_evaluators"
COUNTS_AT_ONCE = 2_000_000  # cells times window ends of one batch: wide models take smaller batches


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelRules:
    """What is prepared once per spec version and reference."""

    spec_version: int
    reference_id: int
    decision: ModelDecision
    performance: PerformanceRules


class Evaluator:
    """Evaluates models one batch at a time; keeps prepared references and decoded counts of its process."""

    def __init__(self, rules: EvaluationRules) -> None:
        self._rules = rules
        self._cache = CountsCache(max_bytes=rules.cache_bytes)
        self._prepared: dict[int, _ModelRules] = {}
        self._compared_at: dict[int, int] = {}

    def evaluate_model(
        self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int, limit_ends: int = 50
    ) -> EvaluationBatch:
        """Judge and store the next *limit_ends* window ends of *applied* that are due.

        The caller holds the model's lock (`lock_model`) and commits. The watermark is read before the panes, so what
        lies under it is complete. Results depend on the counted events alone, never on *now_millis* or the batch.
        """
        rules = self._rules
        self._forget_what_older_connections_saw(connection)
        partitions = read_partitions(connection, role=TopicRole.PREDICTIONS, topics=rules.prediction_topics)
        watermark = model_watermark(partitions, now=now_millis, rules=rules.watermark)
        if watermark.value is None:
            return EvaluationBatch(ends=(), more=False, watermark=watermark)
        WATERMARK_AGE_SECONDS.set((now_millis - watermark.value) / 1000)
        prepared = self._model_rules(connection, applied)
        series = series_of_model(connection, applied.model_id)
        turn = WindowTurn(
            connection=connection,
            applied=applied,
            rules=rules,
            cache=self._cache,
            decision=replace(prepared.decision, blind=blind_spans(connection, applied.model_id)),
            watermark=watermark.value,
            series=series,
        )
        judged, more = turn.judge_due(max(1, min(limit_ends, COUNTS_AT_ONCE // max(1, prepared.decision.size))))
        if not more and rules.revise and self._comparison_is_due(applied.model_id, now_millis):
            revised, more = turn.revise()
            judged += revised
            if not more:
                self._compared_at[applied.model_id] = now_millis
        accuracy, more_truths = judge_performance(connection, prepared.performance, series=series, judged=judged)
        return EvaluationBatch(ends=by_end(judged + accuracy), more=more or more_truths, watermark=watermark)

    def _forget_what_older_connections_saw(self, connection: sa.Connection) -> None:
        """Begin without memory on every new connection.

        A database restored to an earlier moment gives ids away again, of rows and of references; nobody stays connected
        while it is restored.
        """
        if self not in connection.info.setdefault(_SEEN_BY, WeakSet()):
            connection.info[_SEEN_BY].add(self)
            self._cache.clear()
            self._prepared.clear()
            self._compared_at.clear()

    def _comparison_is_due(self, model_id: int, now_millis: int) -> bool:
        last = self._compared_at.get(model_id)
        return last is None or now_millis - last >= self._rules.revision_seconds * 1000

    def _model_rules(self, connection: sa.Connection, applied: AppliedModel) -> _ModelRules:
        known = self._prepared.get(applied.model_id)
        if known and (known.spec_version, known.reference_id) == (applied.spec_version, applied.reference_id):
            return known
        profile = load_reference(connection, applied.reference_id)
        prepared = _ModelRules(
            spec_version=applied.spec_version,
            reference_id=applied.reference_id,
            decision=ModelDecision(
                prepared=prepare(applied.spec, profile),
                cells_id=applied.cells_of(profile.layout).cells_id,
                size=profile.layout.size,
                cells_order=tuple(each.cells_id for each in applied.cells),
                spec_version=applied.spec_version,
                reference_id=applied.reference_id,
                beside=prepare(_textbook(applied.spec), profile) if self._rules.textbook_beside else None,
            ),
            performance=PerformanceRules(
                model_id=applied.model_id,
                spec=applied.spec,
                spec_version=applied.spec_version,
                reference=PerformanceCounts(sampled=profile.rows, labelled=profile.labelled, correct=profile.correct),
                revision_seconds=self._rules.revision_seconds,
            ),
        )
        self._prepared[applied.model_id] = prepared
        return prepared


def _textbook(spec: ModelSpec) -> ModelSpec:
    changes: dict[str, object] = {"rule": "textbook", "seasonality": "none", "statistics": ()}
    return spec.model_copy(update={"drift": spec.drift.model_copy(update=changes)})
