"""Tracks one model's incidents over a batch of windows, in order of window end; collects what changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from alerting.incidents.observation import DECIDED_KINDS, Evaluation, WindowObservation, observation_of
from alerting.incidents.replaced import ReplacedVersions
from alerting.incidents.state import IncidentDecision, IncidentIdentity, IncidentState, Reason, Step
from alerting.incidents.transition import IncidentRules, end_by_deployment, transition, unrecovered
from monitor.spec.model import ModelSpec
from monitor.types import ALL_SEGMENT, OTHER_VERSIONS, IncidentKind, ModelKey, Statistic
from monitor.units import DAY_MILLIS, MINUTE_MILLIS, millis


class WindowEndEvaluations(Protocol):
    """All evaluations of one model at one window end, revisions too."""

    @property
    def window_end(self) -> int: ...
    @property
    def evaluations(self) -> Sequence[Evaluation]: ...


@dataclass(frozen=True, slots=True)
class IncidentKey:
    """Version and kind of an incident inside one model."""

    version: str
    kind: IncidentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCandidate:
    """An open incident whose newest window shows the finding: actions may follow."""

    state: IncidentState
    facts: WindowObservation
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowEndOutcome:
    """How one window end changed the model's incidents.

    Attributes:
        unmoved: Decisions on open incidents that changed nothing, on windows of which people may be notified.
    """

    window_end: int
    steps: tuple[tuple[IncidentDecision, IncidentState], ...]
    candidates: tuple[ActionCandidate, ...]
    unmoved: tuple[tuple[IncidentDecision, IncidentState], ...] = ()


@dataclass(slots=True, kw_only=True)
class IncidentTracker:
    """The newest incident of each (version, kind) of one model, moved window end by window end.

    Attributes:
        changed: Every state that moved, by incident id, to be saved.
    """

    model: ModelKey
    rules: IncidentRules
    now_millis: int
    states: dict[IncidentKey, IncidentState]
    changed: dict[str, IncidentState] = field(default_factory=dict)

    def feed(
        self,
        end: WindowEndEvaluations,
        *,
        replaced: ReplacedVersions | None = None,
        retired: frozenset[str] = frozenset(),
    ) -> WindowEndOutcome:
        """Move the incidents by one window end: data quality first, since a broken field inhibits drift.

        Versions in *retired*, and those of *replaced* that are, serve no more: their incidents are closed, what late
        windows say of them moves nothing.
        """
        replaced = replaced or ReplacedVersions()
        retired |= replaced.retired
        steps = self._retire(retired, end.window_end) + self._follow_traffic(replaced, end.window_end)
        unmoved = []
        candidates: dict[IncidentKey, ActionCandidate] = {}
        judged = sorted(
            (evaluation for evaluation in _judged(end.evaluations) if evaluation.series.version not in retired),
            key=lambda evaluation: (evaluation.series.version, evaluation.scale.length),
        )
        for kind in DECIDED_KINDS:
            for evaluation in judged:
                key = IncidentKey(evaluation.series.version, kind)
                facts = unrecovered(observation_of(kind, evaluation), self.states.get(key))
                decision = self._step(key, facts)
                if decision is None:
                    continue
                state = self.states[key]
                if decision.step is not Step.NOTHING:
                    steps.append((decision, state))
                elif state.is_open and not decision.held_back:
                    unmoved.append((decision, state))
                if state.is_open and facts.tier:
                    candidates[key] = _candidate(candidates.get(key), state, facts, fresh=decision.fresh)
        return WindowEndOutcome(
            window_end=end.window_end,
            steps=tuple(steps),
            candidates=tuple(candidates.values()),
            unmoved=tuple(unmoved),
        )

    def quality_open(self, *, at: int) -> bool:
        """Return whether any version of the model has an open data-quality incident that still gets windows *at* (ms).

        A version that fell silent, as one without deployment events does when it is replaced, keeps its incident open:
        silence is no repair. But it must not hold back what the versions that go on have to say. Nor do too many
        versions: no field is broken by that.
        """
        return any(
            state.is_open and at - state.last_end <= _silence(state) and _breaks_a_field(state)
            for key, state in self.states.items()
            if key.kind is IncidentKind.DATA_QUALITY
        )

    def silent_other_version(self, *, at: int) -> frozenset[str]:
        """Return the version `other` once it has had no window for a day before *at* (ms): there is room for all again.

        No window will ever show it calm.
        """
        silent = any(
            key.version == OTHER_VERSIONS and state.is_open and at - state.last_end > DAY_MILLIS
            for key, state in self.states.items()
        )
        return frozenset({OTHER_VERSIONS}) if silent else frozenset()

    def open_of(self, version: str, kind: IncidentKind) -> IncidentState | None:
        """Return the version's open incident of *kind*."""
        state = self.states.get(IncidentKey(version, kind))
        return state if state is not None and state.is_open else None

    def _retire(self, retired: frozenset[str], window_end: int) -> list[tuple[IncidentDecision, IncidentState]]:
        return [
            self._end_by_deployment(key, Reason.VERSION_RETIRED, window_end)
            for key, state in self.states.items()
            if key.kind is not IncidentKind.DEPLOYMENT and key.version in retired and _ends_at(state, window_end)
        ]

    def _follow_traffic(
        self, replaced: ReplacedVersions, window_end: int
    ) -> list[tuple[IncidentDecision, IncidentState]]:
        """Move the incidents of kind `deployment`; one whose version serves again by its deployment event is closed."""
        steps = [
            self._end_by_deployment(key, Reason.VERSION_SERVES, window_end)
            for key, state in self.states.items()
            if key.kind is IncidentKind.DEPLOYMENT
            and key.version not in replaced.versions
            and _ends_at(state, window_end)
        ]
        for version, facts in sorted(replaced.observations.items()):
            if not facts.tier and self.open_of(version, IncidentKind.DEPLOYMENT) is None:
                continue
            key = IncidentKey(version, IncidentKind.DEPLOYMENT)
            decision = self._step(key, facts)
            if decision is not None and decision.step is not Step.NOTHING:
                steps.append((decision, self.states[key]))
        return steps

    def _end_by_deployment(
        self, key: IncidentKey, reason: Reason, window_end: int
    ) -> tuple[IncidentDecision, IncidentState]:
        closed, decision = end_by_deployment(
            self.states[key], reason, window_end=window_end, rules=self.rules, now_millis=self.now_millis
        )
        self.states[key] = self.changed[closed.id] = closed
        return decision, closed

    def _step(self, key: IncidentKey, facts: WindowObservation) -> IncidentDecision | None:
        before = self.states.get(key)
        after, decision = transition(
            before,
            facts,
            identity=IncidentIdentity(model=self.model, version=key.version, kind=key.kind),
            rules=self.rules,
            now_millis=self.now_millis,
            inhibited=key.kind is IncidentKind.DRIFT and self.quality_open(at=facts.end),
        )
        if after is not None and after is not before:
            self.states[key] = after
            self.changed[after.id] = after
        return decision


def _ends_at(state: IncidentState, window_end: int) -> bool:
    """Return whether a deployment may close *state* at *window_end*, which may be an older one, of late truths."""
    return state.is_open and window_end >= state.last_end


def _breaks_a_field(state: IncidentState) -> bool:
    return not state.findings or any(finding.statistic is not Statistic.VERSIONS for finding in state.findings)


def _silence(state: IncidentState) -> int:
    """Return how long (ms) an open incident may go without a conclusive window: twice the shortest scale it saw."""
    return 2 * min(state.window_ends) * MINUTE_MILLIS


def _judged(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """Return what moves incidents: first judgements of whole versions; revisions and segments are only shown."""
    return [row for row in evaluations if row.driving and row.series.segment_tag == ALL_SEGMENT]


def _candidate(
    before: ActionCandidate | None, state: IncidentState, facts: WindowObservation, *, fresh: bool
) -> ActionCandidate:
    if before is None or (fresh, facts.tier) > (before.fresh, before.facts.tier):
        return ActionCandidate(state=state, facts=facts, fresh=fresh)
    return ActionCandidate(state=state, facts=before.facts, fresh=before.fresh)


def incident_rules(spec: ModelSpec) -> IncidentRules:
    """Return the incident rules of this model's spec."""
    alerting = spec.alerting
    return IncidentRules(
        close_after=alerting.close_after,
        keep_firing_for=millis(alerting.keep_firing_for),
        freshness=None if alerting.freshness is None else millis(alerting.freshness),
        truth_delay=millis(spec.truth.horizon),
        lengths=frozenset(scale.length for scale in spec.scales),
    )


def states_by_key(states: Sequence[IncidentState]) -> dict[IncidentKey, IncidentState]:
    """Return the states by version and kind."""
    return {IncidentKey(state.version, state.kind): state for state in states}
