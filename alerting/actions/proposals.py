"""Proposes the actions of open incidents to the guard; keeps the rows of those granted and refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alerting.actions.guard import GuardAnswer, Proposal, Refusal, RollbackEvidence, guard_answers
from alerting.actions.requests import (
    RequestHead,
    action_id,
    encode_request,
    refused_action_id,
    retraining_request,
    rollback_request,
)
from alerting.actions.rollback_targets import rollback_targets, serving_period
from alerting.incidents.state import IncidentState
from alerting.incidents.tracker import ActionCandidate, IncidentTracker
from monitor.deployments import DeploymentEvent
from monitor.results import WindowResult
from monitor.spec.actions import ActionMode
from monitor.spec.model import ModelSpec
from monitor.store.actions import ActionRow
from monitor.types import ActionKind, ActionState, IncidentKind, Tier
from monitor.units import MINUTE_MILLIS, millis

NewestResult = Callable[[str, int, int, int], WindowResult | None]
"""(version, window length in minutes, first end, last end) -> its newest conclusive result among these ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedAction:
    """A granted action: to be stored and, unless it is a dry run, sent."""

    row: ActionRow
    body: bytes
    not_after: int


@dataclass(slots=True, kw_only=True)
class ActionProposals:
    """Actions that a model's incidents ask for in one batch.

    Attributes:
        earlier: Actions of the model that were not refused; granted ones are added.
        refused: Refusals to be written, by id.
    """

    spec: ModelSpec
    model_id: int
    held: bool
    actions_enabled: bool
    now_millis: int
    tracker: IncidentTracker
    history: Sequence[DeploymentEvent]
    newest_result: NewestResult
    earlier: list[ActionRow]
    refused: dict[str, ActionRow] = field(default_factory=dict)

    def ask(self, candidate: ActionCandidate) -> list[GrantedAction]:
        """Ask for what the incident's tier allows; return what was granted, keep what was refused."""
        if candidate.state.tier < Tier.ALERT:
            return []
        proposal, evidence = self._proposal(candidate), self._evidence(candidate)
        granted = []
        for answer in guard_answers(proposal, evidence, self.history, actions=self.spec.actions):
            if answer.refusal is None:
                granted.append(self._grant(candidate, answer))
            else:
                self._refuse(candidate, answer.kind, answer.refusal)
        self.earlier += [action.row for action in granted]
        return granted

    def _proposal(self, candidate: ActionCandidate) -> Proposal:
        return Proposal(
            kind=candidate.state.kind,
            tier=candidate.state.tier,
            version=candidate.state.version,
            window_end=candidate.facts.end,
            fresh=candidate.fresh,
            now_millis=self.now_millis,
            actions_enabled=self.actions_enabled,
            held=self.held,
            data_quality_open=self.tracker.quality_open(at=candidate.facts.end),
            earlier=self.earlier,
        )

    def _evidence(self, candidate: ActionCandidate) -> RollbackEvidence:
        version = candidate.state.version
        drift = self.tracker.open_of(version, IncidentKind.DRIFT)
        performance = self.tracker.open_of(version, IncidentKind.PERFORMANCE)
        return RollbackEvidence(
            drift=() if drift is None else drift.findings,
            performance_tier=Tier.NONE if performance is None else performance.tier,
            flagged=self._flagged(),
            clear=frozenset() if drift is None else self._clear(drift, window_end=candidate.facts.end),
        )

    def _flagged(self) -> frozenset[str]:
        # A version that was retired while it was bad is still bad.
        suspects = [state for state in self.tracker.states.values() if state.is_open or state.retired]
        bad = {
            suspect.version
            for suspect in suspects
            if suspect.kind is IncidentKind.PERFORMANCE or suspect.tier >= Tier.CRITICAL
        }
        back = {
            action.from_version
            for action in self.earlier
            if action.kind is ActionKind.ROLLBACK and action.state is not ActionState.DRY_RUN
        }
        return frozenset(bad | back)

    def _clear(self, drift: IncidentState, *, window_end: int) -> frozenset[str]:
        """Return the targets whose newest window, since right before the judged version began, shows no shift."""
        judged = serving_period(self.history, drift.version)
        if judged is None:
            return frozenset()
        columns = {finding.column for finding in drift.findings if finding.tier >= Tier.CRITICAL}
        lengths = [length for length, hold in drift.holds.items() if hold.tier >= Tier.CRITICAL]
        targets = rollback_targets(self.history, judged, min_healthy=millis(self.spec.actions.rollback.min_healthy))
        clear = set()
        for target in targets:
            results = [
                self.newest_result(target, length, judged.start - length * MINUTE_MILLIS, window_end)
                for length in lengths
            ]
            conclusive = [result for result in results if result is not None]
            if conclusive and not any(_shows(result, columns) for result in conclusive):
                clear.add(target)
        return frozenset(clear)

    def _grant(self, candidate: ActionCandidate, answer: GuardAnswer) -> GrantedAction:
        state, kind = candidate.state, answer.kind
        rules = self.spec.actions.of(kind)
        attempt = 1 + sum(action.incident_id == state.id and action.kind is kind for action in self.earlier)
        head = RequestHead(
            action_id=action_id(state.id, kind, attempt),
            model=self.spec.key,
            state=state,
            facts=candidate.facts,
            not_after=self.now_millis + millis(rules.deadline),
            dry_run=rules.mode is ActionMode.DRY_RUN,
        )
        if answer.to_version is None:
            body = encode_request(retraining_request(head, scales=self.spec.scales))
        else:
            body = encode_request(rollback_request(head, to_version=answer.to_version))
        row = ActionRow(
            id=head.action_id,
            model_id=self.model_id,
            incident_id=state.id,
            kind=kind,
            state=ActionState.DRY_RUN if head.dry_run else ActionState.DISPATCHING,
            reason=f"{state.kind.value}_{state.tier.word}",
            from_version=state.version,
            to_version=answer.to_version,
            window_end=candidate.facts.end,
            attempt=attempt,
            request=body.decode(),
            decided_at=self.now_millis,
        )
        return GrantedAction(row=row, body=body, not_after=head.not_after)

    def _refuse(self, candidate: ActionCandidate, kind: ActionKind, refusal: Refusal) -> None:
        identifier = refused_action_id(candidate.state.id, kind, refusal)
        row = ActionRow(
            id=identifier,
            model_id=self.model_id,
            incident_id=candidate.state.id,
            kind=kind,
            state=ActionState.REFUSED,
            reason=refusal.value,
            from_version=candidate.state.version,
            to_version=None,
            window_end=candidate.facts.end,
            attempt=0,
            request="{}",
            decided_at=self.now_millis,
        )
        self.refused.setdefault(identifier, row)


def _shows(result: WindowResult, columns: set[str]) -> bool:
    return any(finding.column in columns for finding in result.of_kind(IncidentKind.DRIFT))
