"""By which reference the windows of each version are judged: adopted for it, or learnt in its warm-up."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import sqlalchemy as sa
import structlog

from monitor.arrays import Int64s
from monitor.deployments import deployed_since
from monitor.detection import OwnPrediction
from monitor.errors import SpecError
from monitor.evaluate.pane_loading import PaneRowsReplaced, StepSums, row_ids
from monitor.evaluate.warm_up import (
    EVENTS_TO_LEARN,
    LearningRules,
    LearntStretch,
    is_new,
    learn_stretch,
    scale_of_hours,
)
from monitor.evaluate.window import ModelDecision
from monitor.reference.layout import CellsLayout
from monitor.reference.prediction_profile import minutes_covered, prediction_counts
from monitor.store.configuration import AppliedModel, load_reference
from monitor.store.deployments import deployments_history
from monitor.store.named_references import NamedReference, named_profile, names_without_adoption
from monitor.store.panes import pane_rows, series_began
from monitor.store.references import base_of
from monitor.store.series import whole_series
from monitor.store.version_adoptions import AdoptedBy, VersionAdoption, version_adoptions, write_adoption
from monitor.store.version_references import (
    PredictionSource,
    VersionReference,
    decide_version,
    version_counts,
    version_references,
)
from monitor.store.version_warm_ups import WarmUp
from monitor.types import OTHER_VERSIONS, Scale
from monitor.units import HOUR_MILLIS, millis
from monitor.windows.count_cache import CountsCache

log = structlog.get_logger()

TRIES = 5
DECISION_CELLS_KEPT = 500_000
Ends = tuple[tuple[Scale, tuple[int, ...]], ...]
Steps = tuple[tuple[int, Callable[[], ModelDecision]], ...]
"""From which window end (ms) on which decision holds; it is prepared where a window asks for it."""
Prepare = Callable[[OwnPrediction | None], ModelDecision]
"""Prepares the model's reference for one version: with its own prediction, or None: while it warms up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDecisions:
    """By which decision windows are judged, by version; versions that are not named go by *of_model*.

    Attributes:
        steps: From which window end (ms) on which decision holds, rising; windows before the first go by *of_model*.
        deployed: The model has deployments, so that some may come late.
        warm_ups: Of every version with events that is new, or about which that is decided only now.
        named: References that deployments named and that were adopted for their versions only now.
    """

    of_model: ModelDecision
    steps: Mapping[str, Steps] = field(default_factory=dict)
    deployed: bool = False
    warm_ups: tuple[WarmUp, ...] = ()
    named: tuple[VersionAdoption, ...] = ()

    def of(self, version: str, ends: Ends) -> Iterator[tuple[ModelDecision, Ends]]:
        """Yield the decisions for windows of *version*, each with those of *ends* that it is for."""
        steps = self.steps.get(version, ())
        starts = [start for start, _ in steps]
        prepared = (lambda: self.of_model, *(decision for _, decision in steps))
        for place, decision in enumerate(prepared):
            chosen = tuple(
                (scale, tuple(end for end in of_scale if bisect_right(starts, end) == place))
                for scale, of_scale in ends
            )
            if not steps or any(of_scale for _, of_scale in chosen):
                yield decision(), tuple((scale, of_scale) for scale, of_scale in chosen if of_scale or not steps)


def cut_steps(steps: Steps, start: int, decision: Callable[[], ModelDecision]) -> Steps:
    """Return *steps* up to *start* (ms), from which on *decision* holds."""
    return (*(step for step in steps if step[0] < start), (start, decision))


OwnSource = VersionReference | VersionAdoption


@dataclass(kw_only=True)
class PreparedVersions:
    """What is kept between two calls for one model under one spec and reference: prepared references of versions."""

    prepare: Prepare
    layout: CellsLayout
    base_id: int | None = None
    tried: dict[str, tuple[int, int]] = field(default_factory=dict)
    logged: set[VersionAdoption | NamedReference] = field(default_factory=set)
    decisions: dict[OwnSource | None, ModelDecision] = field(default_factory=dict)

    @property
    def most(self) -> int:
        """How many are kept: all live versions of most models; fewer of a wide one, whose references are large."""
        return max(16, min(64, DECISION_CELLS_KEPT // max(1, self.layout.size)))

    def decision(self, key: OwnSource | None, own: Callable[[], OwnPrediction | None]) -> ModelDecision:
        """Return the prepared decision of *key*, None for the warm-up."""
        decision = self.decisions.pop(key, None) or self.prepare(own())
        if len(self.decisions) >= self.most:
            del self.decisions[next(iter(self.decisions))]  # the one that was not asked for the longest
        self.decisions[key] = decision
        return decision


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionsReader:
    """Reads, and at the end of a warm-up writes, what is decided of one model's versions."""

    connection: sa.Connection
    applied: AppliedModel
    cache: CountsCache
    of_model: ModelDecision
    kept: PreparedVersions
    final_before: int
    finality: int

    def read(self) -> VersionDecisions:
        """Return by which decisions the versions of the model are judged; learn those whose warm-up is over.

        Raises:
            PaneRowsReplaced: Compactions overtook each of several readings.
        """
        if self.of_model.problem:
            return VersionDecisions(of_model=self.of_model)
        prediction = self.applied.spec.prediction
        decided = version_references(self.connection, self.applied.model_id)
        adopted = version_adoptions(self.connection, self.applied.model_id)
        named = tuple(self._adopt_named(adopted))
        if named:
            adopted = version_adoptions(self.connection, self.applied.model_id)
        warm_ups: tuple[WarmUp, ...] = ()
        deployed: Mapping[str, int] = {}
        if prediction.warm_up:
            deployed = deployed_since(deployments_history(self.connection, self.applied.model_id))
            warm_ups = tuple(self._warm_ups(deployed, decided, adopted))
        steps: dict[str, Steps] = {}
        for warm_up in warm_ups:
            if warm_up.warming:
                steps[warm_up.version] = ((warm_up.deployed_at + 1, self._warming_decision),)
        for version, row in decided.items():
            if row.source is PredictionSource.LEARNT and prediction.warm_up and self._is_current(row):
                steps[version] = cut_steps(steps.get(version, ()), row.used_from, partial(self._learnt_decision, row))
        for adoption in filter(self._is_current, adopted):
            before = steps.get(adoption.version, ())
            own = partial(self._adopted_decision, adoption)
            steps[adoption.version] = cut_steps(before, adoption.used_from, own)
        return VersionDecisions(
            of_model=self.of_model,
            steps=steps,
            deployed=bool(deployed or adopted),
            warm_ups=warm_ups,
            named=named,
        )

    def _adopt_named(self, adopted: tuple[VersionAdoption, ...]) -> Iterator[VersionAdoption]:
        """Adopt and yield the references that deployments named since; log once which of those are not there.

        Of several events of a version at one time the first counts, whether the others came with it or later.
        """
        done: set[tuple[str, int]] = set()
        for named in names_without_adoption(self.connection, self.applied.model_id, adopted):
            if (named.version, named.event_time) in done:
                continue
            profile_id, problem = named_profile(self.connection, self.applied, named, layout=self.kept.layout)
            if profile_id is not None:
                adoption = VersionAdoption(
                    version=named.version,
                    profile_id=profile_id,
                    reference_id=self._base_id,
                    cells_id=self.of_model.cells_id,
                    used_from=named.event_time,
                    adopted_by=AdoptedBy.MANIFEST,
                )
                write_adoption(self.connection, self.applied.model_id, adoption)
                done.add((named.version, named.event_time))
                yield adoption
            elif named not in self.kept.logged:
                self.kept.logged.add(named)
                log.warning("reference.not_adopted", model=str(self.applied.key), problem=problem)

    def _is_current(self, row: OwnSource) -> bool:
        return row.reference_id == self._base_id and row.cells_id == self.of_model.cells_id

    @property
    def _base_id(self) -> int:
        if self.kept.base_id is None:
            self.kept.base_id = base_of(self.connection, self.applied.reference_id)
        return self.kept.base_id

    def _warm_ups(
        self,
        deployed: Mapping[str, int],
        decided: dict[str, VersionReference],
        adopted: Sequence[VersionAdoption],
    ) -> Iterator[WarmUp]:
        """Yield the warm-ups of versions; add to *decided* those of which something is decided now.

        While an event of the time of a version's first deployment can still come, whether it is new is not stored: the
        event may say otherwise. So what is stored never has to be taken back.
        """
        for version, row in decided.items():
            if row.source is PredictionSource.LEARNT and row.reference_id == self._base_id and version in deployed:
                yield WarmUp(version=version, deployed_at=deployed[version], warming=True)
        # No need of one: its own reference holds from its first deployment on, or people adopted another for all since.
        without = {
            row.version
            for row in adopted
            if row.version in deployed and (not self._is_current(row) or row.used_from <= deployed[row.version])
        }
        undecided = deployed.keys() - decided.keys() - without - {OTHER_VERSIONS}
        if not undecided:
            return
        series = {
            version: series_id for series_id, version in whole_series(self.connection, self.applied.model_id).items()
        }
        starts = series_began(self.connection, sorted(series.values()))
        began = {version: starts[series_id] for version, series_id in series.items() if series_id in starts}
        length = millis(self.applied.spec.prediction.warm_up)
        for version in sorted(undecided & began.keys()):
            warming = is_new(version, deployed=deployed, began=began, warm_up=length)
            yield WarmUp(version=version, deployed_at=deployed[version], warming=warming)
            if not warming:
                if deployed[version] < self.final_before:
                    self._decide(decided, self._described(version, PredictionSource.OF_MODEL), None)
                continue
            stretch = self._learn(version, series[version], start=max(deployed[version], began[version]))
            if stretch is not None:
                row = replace(
                    self._described(version, PredictionSource.LEARNT),
                    used_from=stretch.stop + self.finality,
                    minutes=stretch.minutes,
                    events=stretch.events,
                )
                self._decide(decided, row, stretch.counts)
                log.info("prediction.learnt", model=str(self.applied.key), version=version, events=stretch.events)

    def _described(self, version: str, source: PredictionSource) -> VersionReference:
        return VersionReference(
            version=version, source=source, reference_id=self._base_id, cells_id=self.of_model.cells_id
        )

    def _decide(self, decided: dict[str, VersionReference], row: VersionReference, counts: Int64s | None) -> None:
        decide_version(self.connection, self.applied.model_id, row, counts=counts)
        decided[row.version] = row

    def _learn(self, version: str, series_id: int, *, start: int) -> LearntStretch | None:
        spec = self.applied.spec
        first = -(-start // HOUR_MILLIS) * HOUR_MILLIS
        stop = self.final_before // HOUR_MILLIS * HOUR_MILLIS
        length = millis(spec.prediction.warm_up)
        if stop - first < length or self.kept.tried.get(version) == (first, stop):
            return None
        rules = LearningRules(length=length, events=EVENTS_TO_LEARN * spec.windows.min_events)
        sums = StepSums(self.connection, self.cache, size=self.of_model.size)
        for _ in range(TRIES):
            rows = [
                row
                for row in pane_rows(self.connection, series_id=series_id, start=first, stop=stop)
                if row.start >= first and row.cells_id == self.of_model.cells_id
            ]
            try:
                learnt = learn_stretch(
                    self.of_model.prepared,
                    rows,
                    counts_of=lambda chunk: sums.load([chunk])[row_ids(chunk)],
                    rules=rules,
                    scale=scale_of_hours(spec.scales),
                    blind=self.of_model.blind,
                )
            except PaneRowsReplaced:
                continue
            if learnt is None:
                self.kept.tried[version] = first, stop
                return None
            return replace(learnt, counts=self._of_prediction(learnt.counts))
        raise PaneRowsReplaced(f"pane rows of {self.applied.key} were compacted during each of {TRIES} readings")

    def _of_prediction(self, counts: Int64s) -> Int64s:
        kept = np.zeros_like(counts)
        layout = self.kept.layout
        for column, span in zip(layout.columns, layout.spans, strict=True):
            if column.role.of_prediction:
                kept[span.start : span.stop] = counts[span.start : span.stop]
        return kept

    def _warming_decision(self) -> ModelDecision:
        return self._with_facts(self.kept.decision(None, lambda: None))

    def _adopted_decision(self, adoption: VersionAdoption) -> ModelDecision:
        def own() -> OwnPrediction:
            profile = load_reference(self.connection, adoption.profile_id)
            counts = prediction_counts(profile, self.kept.layout)
            return OwnPrediction(counts=counts, minutes=minutes_covered(profile))

        try:
            return self._with_facts(self.kept.decision(adoption, own))
        except SpecError as error:  # damaged bytes: the version is not judged by another's predictions instead
            problem = f"{error.source}: {'; '.join(error.problems)}"
            if adoption not in self.kept.logged:
                self.kept.logged.add(adoption)
                log.error("reference.rejected", model=str(self.applied.key), version=adoption.version, problem=problem)
            return replace(self.of_model, problem=problem)

    def _learnt_decision(self, row: VersionReference) -> ModelDecision:
        def own() -> OwnPrediction:
            counts = version_counts(self.connection, self.applied.model_id, row.version, size=self.of_model.size)
            assert counts is not None, "only the first version has none"
            return OwnPrediction(counts=counts.astype(np.int64), minutes=row.minutes)

        return self._with_facts(self.kept.decision(row, own))

    def _with_facts(self, decision: ModelDecision) -> ModelDecision:
        return replace(decision, blind=self.of_model.blind)
