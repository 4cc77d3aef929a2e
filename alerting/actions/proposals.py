"""Asks the guard about every action an open incident may ask for; rows of what was granted and what was refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alerting.actions.guard import Proposal, Refusal, RollbackEvidence, retraining_refusal, rollback_decision
from alerting.actions.requests import (
    Request,
    action_id,
    encode_request,
    refused_id,
    request_reason,
    retraining_request,
    rollback_request,
)
from alerting.actions.rollback_targets import rollback_targets, serving_period
from alerting.incidents.state import IncidentState
from alerting.incidents.tracker import Asking, Casework
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
class Granted:
    """An action to be written and, unless it is a dry run, sent."""

    row: ActionRow
    body: bytes
    not_after: int


@dataclass(slots=True, kw_only=True)
class Proposals:
    """What the model's incidents ask for in one batch.

    Attributes:
        earlier: Actions of the model that were not refused; granted ones are added.
        refused: Refusals to be written, by id.
    """

    spec: ModelSpec
    model_id: int
    held: bool
    actions_enabled: bool
    now_millis: int
    casework: Casework
    history: Sequence[DeploymentEvent]
    newest_result: NewestResult
    earlier: list[ActionRow]
    refused: dict[str, ActionRow] = field(default_factory=dict)

    def ask(self, asking: Asking) -> list[Granted]:
        """Ask for what the incident's tier allows: a retraining from alert on, a rollback when critical."""
        granted = []
        # the rollback first: it is the quicker cure
        if asking.state.tier >= Tier.CRITICAL:
            granted.append(self._rollback(asking))
        if asking.state.tier >= Tier.ALERT:
            granted.append(self._retraining(asking))
        return [action for action in granted if action is not None]

    def _retraining(self, asking: Asking) -> Granted | None:
        rules = self.spec.actions.retraining
        refusal = retraining_refusal(self._proposal(asking, ActionKind.RETRAINING), rules=rules)
        if refusal is not None:
            self._refuse(asking, ActionKind.RETRAINING, refusal)
            return None
        not_after = self.now_millis + millis(rules.deadline)
        attempt = self._attempt(asking.state, ActionKind.RETRAINING)
        request = retraining_request(
            state=asking.state,
            model=self.spec.key,
            identifier=action_id(asking.state.id, ActionKind.RETRAINING, attempt),
            reason=request_reason(asking.state, window_end=asking.facts.end, length=asking.facts.length),
            scales=self.spec.scales,
            window_end=asking.facts.end,
            not_after=not_after,
            dry_run=rules.mode is ActionMode.DRY_RUN,
        )
        return self._grant(asking, ActionKind.RETRAINING, attempt, request, not_after, to_version=None)

    def _rollback(self, asking: Asking) -> Granted | None:
        rules = self.spec.actions.rollback
        decided = rollback_decision(
            self._proposal(asking, ActionKind.ROLLBACK), self._evidence(asking), self.history, rules=rules
        )
        if isinstance(decided, Refusal):
            self._refuse(asking, ActionKind.ROLLBACK, decided)
            return None
        not_after = self.now_millis + millis(rules.deadline)
        attempt = self._attempt(asking.state, ActionKind.ROLLBACK)
        request = rollback_request(
            state=asking.state,
            model=self.spec.key,
            identifier=action_id(asking.state.id, ActionKind.ROLLBACK, attempt),
            reason=request_reason(asking.state, window_end=asking.facts.end, length=asking.facts.length),
            to_version=decided,
            not_after=not_after,
            dry_run=rules.mode is ActionMode.DRY_RUN,
        )
        return self._grant(asking, ActionKind.ROLLBACK, attempt, request, not_after, to_version=decided)

    def _proposal(self, asking: Asking, kind: ActionKind) -> Proposal:
        return Proposal(
            kind=asking.state.kind,
            tier=asking.state.tier,
            version=asking.state.version,
            window_end=asking.facts.end,
            fresh=asking.fresh,
            now_millis=self.now_millis,
            actions_enabled=self.actions_enabled,
            held=self.held,
            data_quality_open=self.casework.quality_open(at=asking.facts.end),
            earlier=[action for action in self.earlier if action.kind is kind],
        )

    def _evidence(self, asking: Asking) -> RollbackEvidence:
        version = asking.state.version
        drift = self.casework.open_of(version, IncidentKind.DRIFT)
        performance = self.casework.open_of(version, IncidentKind.PERFORMANCE)
        return RollbackEvidence(
            drift=() if drift is None else drift.findings,
            performance_tier=Tier.NONE if performance is None else performance.tier,
            flagged=self._flagged(),
            clear=frozenset() if drift is None else self._clear(drift, window_end=asking.facts.end),
        )

    def _flagged(self) -> frozenset[str]:
        # What was taken away while it was bad is no better for having gone.
        suspects = [state for state in self.casework.states.values() if state.is_open or state.retired]
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
        """Return the targets whose newest window beside or right before the judged version shows no shift."""
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
            seen = [result for result in results if result is not None]
            if seen and not any(_shows(result, columns) for result in seen):
                clear.add(target)
        return frozenset(clear)

    def _attempt(self, state: IncidentState, kind: ActionKind) -> int:
        return 1 + sum(action.incident_id == state.id and action.kind is kind for action in self.earlier)

    def _grant(
        self,
        asking: Asking,
        kind: ActionKind,
        attempt: int,
        request: Request,
        not_after: int,
        *,
        to_version: str | None,
    ) -> Granted:
        body = encode_request(request)
        row = ActionRow(
            id=request.action_id,
            model_id=self.model_id,
            incident_id=asking.state.id,
            kind=kind,
            state=ActionState.DRY_RUN if request.dry_run else ActionState.DISPATCHING,
            reason=f"{asking.state.kind.value}_{asking.state.tier.word}",
            from_version=asking.state.version,
            to_version=to_version,
            window_end=asking.facts.end,
            attempt=attempt,
            request=body.decode(),
            decided_at=self.now_millis,
        )
        self.earlier.append(row)
        return Granted(row=row, body=body, not_after=not_after)

    def _refuse(self, asking: Asking, kind: ActionKind, refusal: Refusal) -> None:
        identifier = refused_id(asking.state.id, kind, refusal)
        self.refused.setdefault(
            identifier,
            ActionRow(
                id=identifier,
                model_id=self.model_id,
                incident_id=asking.state.id,
                kind=kind,
                state=ActionState.REFUSED,
                reason=refusal.value,
                from_version=asking.state.version,
                to_version=None,
                window_end=asking.facts.end,
                attempt=0,
                request="{}",
                decided_at=self.now_millis,
            ),
        )


def _shows(result: WindowResult, columns: set[str]) -> bool:
    return any(finding.column in columns for finding in result.of_kind(IncidentKind.DRIFT))
