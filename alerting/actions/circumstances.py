"""Gathers what the guard is given: from a model's incidents, deployments, earlier actions and stored windows; pure.

`ModelFacts` is all that a caller must bring: Postgres does for the alerter, a list in memory for a simulated history.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

from alerting.actions.evidence import (
    PREDICTION_ROLES,
    PastAction,
    Proposal,
    RollbackEvidence,
    Sighting,
    Situation,
)
from alerting.actions.label_evidence import MovementSource, no_movement
from alerting.actions.rails import AT_WORK
from alerting.actions.rollback import came_lately
from alerting.actions.rollback_targets import rollback_targets, serving_period
from alerting.actions.sightings import DecisionSource, PastService, Witnesses, no_decisions
from alerting.actions.windows import WindowArchive
from alerting.incidents.state import IncidentState
from alerting.incidents.tracker import ActionCandidate, IncidentTracker
from monitor.action_holds import ActionHold
from monitor.deployments import DeploymentEvent, Period, history_until, periods
from monitor.spec.model import ModelSpec
from monitor.types import ActionKind, EvaluationKind, IncidentKind, Stage, Tier
from monitor.units import MINUTE_MILLIS, millis

COMMON_CAUSE_MILLIS = 10 * MINUTE_MILLIS


def _none_bad(first_end: int, last_end: int) -> int:
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is so for one model while one batch of windows is worked.

    Attributes:
        actions_enabled: False: the switch of this process stops every action.
        holds: By which people stop actions of this model.
        history: Every deployment; those after *now_millis* are left out here.
        decisions: What a version decided in a time, where that is counted.
        error_movement: How the error rate moves by nature in the reference in force; None where it does not show that.
        schema_at: Something that is equal where the same columns were counted at both times (ms).
        adopted_at: When people put another reference in force (ms).
        models_bad: How many models, this one too, have an incident of tier alert that began between these times (ms).
        common_cause_models: From how many on one cause is assumed.
        actions_left: How many more actions the hourly budget of all models allows.
    """

    spec: ModelSpec
    actions_enabled: bool
    now_millis: int
    history: Sequence[DeploymentEvent]
    archive: WindowArchive
    holds: Sequence[ActionHold] = ()
    decisions: DecisionSource = no_decisions
    error_movement: MovementSource = no_movement
    schema_at: Callable[[int], Hashable] = lambda _: None
    adopted_at: int | None = None
    models_bad: Callable[[int, int], int] = _none_bad
    common_cause_models: int = 2
    actions_left: Callable[[], int] = lambda: 1


def _is_in_traffic(period: Period, version: str) -> bool:
    return period.version == version and period.stage in (Stage.CANARY, Stage.PRODUCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """A model's facts next to its incidents and earlier actions, as they are when one incident asks."""

    facts: ModelFacts
    tracker: IncidentTracker
    earlier: Sequence[PastAction]

    @property
    def history(self) -> tuple[DeploymentEvent, ...]:
        """Deployments up to now: one dated in the future decides nothing yet."""
        return history_until(self.facts.history, at=self.facts.now_millis)

    def situation(self, *, began: int, at: int) -> Situation:
        """Return what is so for the model as a whole *at* (ms), for an incident whose first window ended at *began*."""
        facts = self.facts
        bad = facts.models_bad(began - COMMON_CAUSE_MILLIS, began + COMMON_CAUSE_MILLIS)
        return Situation(
            now_millis=facts.now_millis,
            actions_enabled=facts.actions_enabled,
            holds=facts.holds,
            data_quality_open=self.tracker.quality_open(at=at),
            common_cause=bad >= facts.common_cause_models,
            history=self.history,
            earlier=self.earlier,
            open_incidents=frozenset(state.id for state in self.tracker.states.values() if state.is_open),
            adopted_at=facts.adopted_at,
        )

    def proposal(self, candidate: ActionCandidate) -> Proposal:
        """Return which incident and window ask."""
        state = candidate.state
        return Proposal(
            incident_id=state.id,
            kind=state.kind,
            tier=state.tier,
            version=state.version,
            opened_end=state.opened_end,
            window_end=candidate.facts.end,
            fresh=self._is_fresh(candidate),
            inputs_alone=self._inputs_alone(state.version),
        )

    def evidence(self, version: str, *, at: int, with_windows: bool) -> RollbackEvidence:
        """Return what is known *at* (ms) of *version* and of those before it.

        Args:
            with_windows: Also what their windows show, which are read from the archive.
        """
        judged = serving_period(self.history, version)
        if judged is None:
            return RollbackEvidence()
        targets = rollback_targets(
            self.history, judged, min_healthy=millis(self.facts.spec.actions.rollback.min_healthy)
        )
        services = {target: self._service(target, judged) for target in targets}
        alone = self._changed_alone(judged.version, services)
        look_back = millis(self.facts.spec.actions.rollback.look_back)
        from_incidents = RollbackEvidence(
            version_bound=alone and came_lately(self.history, judged, at=at, look_back=look_back),
            prediction_alone=alone and self._open(version, IncidentKind.PERFORMANCE, from_tier=Tier.WARNING) is None,
        )
        if not with_windows:
            return from_incidents
        drift = self._open(version, IncidentKind.DRIFT, from_tier=Tier.CRITICAL)
        from_windows = self._witnesses.rollback_evidence(
            judged,
            drift_since=None if drift is None else drift.opened_end,
            quality_open=self._open(version, IncidentKind.PERFORMANCE, from_tier=Tier.CRITICAL) is not None,
            targets=services,
        )
        return replace(
            from_windows,
            version_bound=from_incidents.version_bound,
            prediction_alone=from_incidents.prediction_alone,
        )

    @property
    def _witnesses(self) -> Witnesses:
        return Witnesses(
            spec=self.facts.spec,
            rules=self.tracker.rules,
            archive=self.facts.archive,
            now_millis=self.facts.now_millis,
            decisions=self.facts.decisions,
            error_movement=self.facts.error_movement,
        )

    def _is_fresh(self, candidate: ActionCandidate) -> bool:
        """Return whether the window may be acted on; one of accuracy may be as late as its truths really were."""
        if candidate.state.kind is not IncidentKind.PERFORMANCE or not candidate.fresh:
            return candidate.fresh
        window = candidate.facts
        stored = self.facts.archive.newest(
            candidate.state.version,
            EvaluationKind.PERFORMANCE,
            length=window.length,
            first_end=window.end,
            last_end=window.end,
        )
        if stored is None:
            return False  # withdrawn since
        seen = Sighting(end=window.end, allowed_age=self._witnesses.allowed_age(stored))
        return seen.fresh_at(self.facts.now_millis)

    def _inputs_alone(self, version: str) -> bool:
        drift = self._open(version, IncidentKind.DRIFT, from_tier=Tier.CRITICAL)
        findings = () if drift is None else drift.findings
        return self._open(version, IncidentKind.PERFORMANCE, from_tier=Tier.CRITICAL) is None and not any(
            finding.tier >= Tier.CRITICAL and finding.role in PREDICTION_ROLES for finding in findings
        )

    def _open(self, version: str, kind: IncidentKind, *, from_tier: Tier) -> IncidentState | None:
        state = self.tracker.open_of(version, kind)
        return state if state is not None and state.tier >= from_tier else None

    def _service(self, version: str, judged: Period) -> PastService:
        now = self.facts.now_millis
        serves = serving_period(self.history, version) is not None
        ended = [
            period.end
            for period in periods(self.history)
            if period.version == version and period.stage is Stage.PRODUCTION and period.end is not None
        ]
        served_until = now if serves else max(ended, default=judged.start)
        return PastService(
            serves=serves,
            served_until=served_until,
            bad=self._is_bad(version),
            blocked=self._is_blocked(version),
            same_schema=self.facts.schema_at(served_until) == self.facts.schema_at(now),
        )

    def _is_blocked(self, version: str) -> bool:
        """Return whether *version* was rolled back and nobody has put it into traffic since, which unblocks it."""
        entered = max((period.start for period in periods(self.history) if _is_in_traffic(period, version)), default=-1)
        return any(
            action.kind is ActionKind.ROLLBACK
            and action.from_version == version
            and action.state in AT_WORK
            and action.decided_at >= entered
            for action in self.earlier
        )

    def _is_bad(self, version: str) -> bool:
        # A version that was retired while it was bad is still bad.
        return any(
            state.version == version
            and (state.is_open or state.retired)
            and (state.kind is IncidentKind.PERFORMANCE or state.tier >= Tier.CRITICAL)
            for state in self.tracker.states.values()
        )

    def _changed_alone(self, version: str, services: dict[str, PastService]) -> bool:
        """Return whether prediction or quality of *version* changed, its inputs did not, and no target did."""
        if any(service.serves and service.bad for service in services.values()):
            return False
        drift = self._open(version, IncidentKind.DRIFT, from_tier=Tier.ALERT)
        shown = () if drift is None else drift.findings
        # A window that shows less does not calm the incident at once: then its lesser findings are what it holds.
        findings = [finding for finding in shown if finding.tier >= Tier.ALERT] or shown
        if any(finding.role not in PREDICTION_ROLES for finding in findings):
            return False
        return bool(findings) or self._open(version, IncidentKind.PERFORMANCE, from_tier=Tier.ALERT) is not None
