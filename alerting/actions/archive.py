"""What the guard looks at, read from Postgres: a model's facts, and the windows of its versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa

from alerting.actions.circumstances import ModelFacts
from alerting.actions.comparisons import DecisionCounts, added, decision_counts
from alerting.actions.windows import ConclusiveWindow
from monitor.deployments import DeploymentEvent
from monitor.errors import SpecError
from monitor.performance.error_movement import ErrorMovement, error_movement
from monitor.reference.layout import CellsLayout
from monitor.settings import Settings
from monitor.spec.accuracy import AccuracySpec
from monitor.spec.model import ColumnKind
from monitor.store.action_holds import holds_of_model
from monitor.store.actions import other_models_bad, sent_actions_since
from monitor.store.conclusive_windows import (
    StoredAccuracyWindow,
    mature_window,
    newest_conclusive_window,
    truths_by_age,
)
from monitor.store.configuration import AppliedModel, load_reference
from monitor.store.panes import version_panes
from monitor.store.references import reference_adopted_at
from monitor.truth_age import age_of_share
from monitor.types import EvaluationKind, SeriesKey
from monitor.units import HOUR_MILLIS, MINUTE_MILLIS
from monitor.windows.count_cache import total
from monitor.windows.pane_codec import decode_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWindows:
    """Conclusive windows of one model, inside the caller's transaction."""

    connection: sa.Connection
    model_id: int
    accuracy: AccuracySpec

    def newest(
        self, version: str, kind: EvaluationKind, *, length: int, first_end: int, last_end: int
    ) -> ConclusiveWindow | None:
        """Return the newest one of *length* minutes that ends in ``[first_end, last_end]`` (ms)."""
        key = SeriesKey(self.model_id, version)
        if kind is EvaluationKind.INPUTS:
            window = newest_conclusive_window(
                self.connection, key, length=length, first_end=first_end, last_end=last_end
            )
            return None if window is None else ConclusiveWindow(length=length, end=window.end, result=window.result)
        mature = mature_window(self.connection, key, length=length, first_end=first_end, last_end=last_end)
        return None if mature is None else self._of_accuracy(mature, length=length)

    def oldest_mature(self, version: str, *, length: int, first_end: int, last_end: int) -> ConclusiveWindow | None:
        """Return the oldest one of accuracy that ends in ``[first_end, last_end]`` (ms)."""
        key = SeriesKey(self.model_id, version)
        mature = mature_window(self.connection, key, length=length, first_end=first_end, last_end=last_end, oldest=True)
        return None if mature is None else self._of_accuracy(mature, length=length)

    def _of_accuracy(self, mature: StoredAccuracyWindow, *, length: int) -> ConclusiveWindow:
        return ConclusiveWindow(
            length=length,
            end=mature.end,
            result=mature.result,
            labelled=mature.labelled,
            correct=mature.correct,
            truths_after=self._truths_after(mature, length=length),
        )

    def _truths_after(self, window: StoredAccuracyWindow, *, length: int) -> int:
        """Return when its truths were there, by those of its last hour: the panes of a long window are many."""
        span = min(length * MINUTE_MILLIS, HOUR_MILLIS)
        ages = truths_by_age(self.connection, series_id=window.series_id, start=window.end - span, stop=window.end)
        needed = max(self.accuracy.maturity * window.sampled, self.accuracy.min_truths)
        return age_of_share(ages, min(1.0, needed / max(window.labelled, 1)))


def model_facts(
    connection: sa.Connection,
    applied: AppliedModel,
    *,
    settings: Settings,
    now_millis: int,
    history: Sequence[DeploymentEvent],
) -> ModelFacts:
    """Return what is so for a model that this transaction has locked."""

    def models_bad(first_end: int, last_end: int) -> int:
        others = other_models_bad(
            connection, applied.key.namespace, except_model=applied.model_id, first_end=first_end, last_end=last_end
        )
        return others + 1

    return ModelFacts(
        spec=applied.spec,
        actions_enabled=settings.actions_enabled,
        now_millis=now_millis,
        history=history,
        holds=holds_of_model(connection, applied.model_id, now_millis=now_millis),
        archive=StoredWindows(connection=connection, model_id=applied.model_id, accuracy=applied.spec.accuracy),
        decisions=lambda version, start, stop: _decisions_of(connection, applied, version, start, stop),
        error_movement=cache(lambda: _error_movement(connection, applied)),
        schema_at=lambda moment: _columns_of(applied.cells_at(moment).layout),
        adopted_at=reference_adopted_at(connection, applied.model_id),
        models_bad=models_bad,
        common_cause_models=settings.common_cause_models,
        actions_left=lambda: settings.actions_per_hour - sent_actions_since(connection, since=now_millis - HOUR_MILLIS),
    )


def _decisions_of(
    connection: sa.Connection, applied: AppliedModel, version: str, start: int, stop: int
) -> DecisionCounts | None:
    layouts = {cells.cells_id: cells.layout for cells in applied.cells}
    encoded: dict[int, list[bytes]] = {}
    for cells_id, counts in version_panes(connection, SeriesKey(applied.model_id, version), start=start, stop=stop):
        if cells_id in layouts:
            encoded.setdefault(cells_id, []).append(counts)
    decisions: DecisionCounts | None = None
    for cells_id, panes in encoded.items():
        layout = layouts[cells_id]
        counted = total((decode_counts(counts, size=layout.size) for counts in panes), size=layout.size)
        decisions = added(decisions, decision_counts(layout, counted, threshold=applied.spec.prediction.threshold))
    return decisions


def _error_movement(connection: sa.Connection, applied: AppliedModel) -> ErrorMovement | None:
    try:
        truths = load_reference(connection, applied.reference_id).truth_blocks
    except SpecError:
        return None  # a damaged reference shows nothing; the evaluator reports it
    return error_movement(truths, applied.spec.scales)


def _columns_of(layout: CellsLayout) -> frozenset[tuple[str, ColumnKind]]:
    return frozenset((column.name, column.kind) for column in layout.columns)
