"""Proposes the actions of open incidents to the guard; keeps the rows of those granted and refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from alerting.actions.circumstances import Circumstances, ModelFacts
from alerting.actions.evidence import GuardAnswer
from alerting.actions.guard import guard_answers
from alerting.actions.reasons import Ground, Refusal
from alerting.actions.requests import (
    RequestHead,
    action_id,
    encode_request,
    refused_action_id,
    retraining_request,
    rollback_request,
)
from alerting.actions.retraining import rejected_rollbacks
from alerting.actions.rollback import refusal_before_evidence
from alerting.actions.waiting import NewestEvidence, ground_after, waiting_rollbacks
from alerting.incidents.tracker import ActionCandidate, IncidentTracker
from monitor.action_holds import ActionHold, hold_on
from monitor.spec.actions import ActionMode
from monitor.store.actions import ActionRow
from monitor.types import ActionKind, ActionState, Tier
from monitor.units import millis


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedAction:
    """A granted action: to be stored and, unless it is a dry run or waits for approval, sent.

    Attributes:
        tier: From which tier on receivers are notified of it: its incident's, of a rollback always the highest.
        supersedes: Ids of actions that waited for approval on weaker grounds.
    """

    row: ActionRow
    body: bytes
    not_after: int
    tier: Tier = Tier.CRITICAL
    supersedes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class ActionProposals:
    """Actions that a model's incidents ask for in one batch.

    Attributes:
        earlier: Actions of the model that were not refused; granted ones are added.
        refused: Refusals to be written, by id.
        refusing_holds: Which hold refused it, by the id of the refusal.
        newest: What the windows show of actions that wait for a person, in order, to be recorded.
        sent: How many of the granted ones are sent without anybody's approval.
    """

    facts: ModelFacts
    model_id: int
    tracker: IncidentTracker
    earlier: list[ActionRow]
    refused: dict[str, ActionRow] = field(default_factory=dict)
    refusing_holds: dict[str, ActionHold] = field(default_factory=dict)
    newest: list[NewestEvidence] = field(default_factory=list)
    sent: int = 0

    def ask(self, candidate: ActionCandidate) -> list[GrantedAction]:
        """Ask for what the incident's tier allows; return what was granted, keep what was refused."""
        if candidate.state.tier < Tier.ALERT:
            return []
        actions = self.facts.spec.actions
        if all(actions.of(kind).mode is ActionMode.OFF for kind in ActionKind):
            answers: Sequence[GuardAnswer] = _all_off(candidate)
        else:
            answers = self._answers(candidate)
        granted = []
        for answer in answers:
            if answer.refusal is None:
                granted.append(self._grant(candidate, answer))
            else:
                self._refuse(candidate, answer.kind, answer.refusal)
            if answer.newest is not None:
                self._show(candidate.state.id, answer.newest)
        for action in granted:
            self._supersede(action)
        return granted

    def _answers(self, candidate: ActionCandidate) -> tuple[GuardAnswer, ...]:
        circumstances = Circumstances(facts=self.facts, tracker=self.tracker, earlier=tuple(self.earlier))
        state, at = candidate.state, candidate.facts.end
        situation, proposal = circumstances.situation(began=state.first_end, at=at), circumstances.proposal(candidate)
        actions = self.facts.spec.actions
        # What the windows show is read from the database, so only where it can matter.
        with_windows = refusal_before_evidence(situation, proposal, rules=actions.rollback) is None or bool(
            rejected_rollbacks(situation, proposal.version)
        )
        evidence = circumstances.evidence(state.version, at=at, with_windows=with_windows)
        answers = guard_answers(situation, proposal, evidence, actions=actions)
        # The budget of all models is counted under a lock of all models: only where something would be sent.
        if any(self._sends(answer) for answer in answers) and self.facts.actions_left() <= self.sent:
            answers = guard_answers(replace(situation, hour_spent=True), proposal, evidence, actions=actions)
        self.sent += sum(self._sends(answer) for answer in answers)
        return answers

    def _sends(self, answer: GuardAnswer) -> bool:
        mode = self.facts.spec.actions.of(answer.kind).mode
        return answer.refusal is None and not answer.needs_approval and mode.sends

    def _grant(self, candidate: ActionCandidate, answer: GuardAnswer) -> GrantedAction:
        state, kind = candidate.state, answer.kind
        rules, now = self.facts.spec.actions.of(kind), self.facts.now_millis
        attempt = 1 + sum(action.incident_id == state.id and action.kind is kind for action in self.earlier)
        dry_run = rules.mode is ActionMode.DRY_RUN
        waits = answer.needs_approval and not dry_run
        expires_at = now + millis(rules.approve_within) if waits else None
        head = RequestHead(
            action_id=action_id(state.id, kind, attempt),
            model=self.facts.spec.key,
            state=state,
            facts=candidate.facts,
            not_after=now + millis(rules.deadline) if expires_at is None else expires_at,
            dry_run=dry_run,
        )
        if answer.to_version is None:
            body = encode_request(retraining_request(head, scales=self.facts.spec.scales))
        else:
            body = encode_request(rollback_request(head, to_version=answer.to_version))
        row = ActionRow(
            id=head.action_id,
            model_id=self.model_id,
            incident_id=state.id,
            kind=kind,
            state=_state(dry_run=dry_run, waits=waits),
            reason=f"{state.kind.value}_{state.tier.word}" if answer.ground is None else answer.ground.value,
            from_version=state.version,
            to_version=answer.to_version,
            window_end=candidate.facts.end,
            attempt=attempt,
            request=body.decode(),
            decided_at=now,
            expires_at=expires_at,
        )
        waiting = [
            action.id
            for action in self.earlier
            if action.kind is kind and action.state is ActionState.AWAITING_APPROVAL
        ]
        return GrantedAction(
            row=row,
            body=body,
            not_after=head.not_after,
            tier=Tier.CRITICAL if kind is ActionKind.ROLLBACK else state.tier,
            supersedes=tuple(waiting),
        )

    def _supersede(self, granted: GrantedAction) -> None:
        self.earlier = [
            replace(action, state=ActionState.SUPERSEDED) if action.id in granted.supersedes else action
            for action in self.earlier
        ]
        self.earlier.append(granted.row)

    def _show(self, incident_id: str, newest: Ground | Refusal) -> None:
        """Note what the windows show of what waits; people are not notified again of what they have to decide."""
        waiting = {action.id for action in waiting_rollbacks(self.earlier, incident_id)}
        for index, action in enumerate(self.earlier):
            if action.id in waiting:
                ground = ground_after(action.reason, newest)
                self.earlier[index] = replace(action, reason=ground)
                self.newest.append(NewestEvidence(action.id, ground=ground, evidence=newest.value))

    def _refuse(self, candidate: ActionCandidate, kind: ActionKind, refusal: Refusal) -> None:
        hold = hold_on(self.facts.holds, kind) if refusal is Refusal.ACTIONS_HELD else None
        identifier = refused_action_id(candidate.state.id, kind, refusal, hold=hold)
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
            decided_at=self.facts.now_millis,
        )
        self.refused.setdefault(identifier, row)
        if hold is not None:
            self.refusing_holds[identifier] = hold


def _state(*, dry_run: bool, waits: bool) -> ActionState:
    if dry_run:
        return ActionState.DRY_RUN
    return ActionState.AWAITING_APPROVAL if waits else ActionState.DISPATCHING


def _all_off(candidate: ActionCandidate) -> tuple[GuardAnswer, ...]:
    """Return the answers of a spec that turns every action off, for which nothing has to be read."""
    kinds = [ActionKind.ROLLBACK] if candidate.state.tier >= Tier.CRITICAL else []
    return tuple(GuardAnswer(kind=kind, refusal=Refusal.MODE_OFF) for kind in (*kinds, ActionKind.RETRAINING))
