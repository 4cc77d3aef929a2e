"""Advances one model: evaluates what is due and commits incidents, actions and outbox rows in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec
import sqlalchemy as sa
import structlog

from alerting.actions.archive import model_facts
from alerting.actions.proposals import ActionProposals, GrantedAction
from alerting.actions.reasons import WANTS_SOMEONE, Refusal
from alerting.actions.rollback_targets import serving_period
from alerting.deployed_versions import DeployedVersions
from alerting.incidents.state import IncidentDecision, IncidentState, Step, decode_state, encode_state
from alerting.incidents.tracker import (
    IncidentTracker,
    WindowEndEvaluations,
    WindowEndOutcome,
    incident_rules,
    states_by_key,
)
from alerting.notifications.message import REFUSED, Notice, action_outcome, closed_sentence, sentence_of
from alerting.notifications.model_notices import ModelNotices
from alerting.notifications.outbox_rows import (
    EVENT_TYPES,
    action_effect,
    action_endpoint,
    endpoints_of,
    message_action,
    outcome_effects,
    unseen_values_to_list,
)
from monitor.clock import monotonic_seconds
from monitor.deployments import Period
from monitor.metrics import ACTIONS, EVALUATION_SECONDS, WINDOWS_EVALUATED
from monitor.settings import Settings
from monitor.store.actions import (
    ActionRow,
    granted_actions,
    insert_action,
    record_evidence,
    set_action_state,
)
from monitor.store.configuration import AppliedModel
from monitor.store.database_clock import database_now_millis
from monitor.store.endpoints import ensure_endpoints
from monitor.store.incidents import (
    IncidentRow,
    TransitionRow,
    append_transitions,
    lock_model,
    newest_incidents,
    save_incidents,
)
from monitor.store.outbox import Effect, append_effects
from monitor.types import ActionState
from monitor.units import millis

log = structlog.get_logger()


class EvaluatedBatch(Protocol):
    """The window ends that one call of the evaluator judged, in order; *more*: call again."""

    @property
    def window_ends(self) -> Sequence[WindowEndEvaluations]: ...
    @property
    def more(self) -> bool: ...


class ModelEvaluator(Protocol):
    """Evaluates and stores the due windows of one model, which is locked; the caller commits."""

    def evaluate_model(
        self, connection: sa.Connection, applied: AppliedModel, *, now_millis: int
    ) -> EvaluatedBatch: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceReport:
    """What one call did.

    Attributes:
        decided: Each step, and its incident after it.
        busy: Another alerter has the model.
        more: Something may still be due.
        judged_until: The last window end (ms) that was judged; None: none was.
    """

    window_ends: int = 0
    evaluations: int = 0
    decided: tuple[tuple[IncidentDecision, IncidentState], ...] = ()
    granted: int = 0
    effects: int = 0
    busy: bool = False
    more: bool = False
    judged_until: int | None = None


def advance_model(
    engine: sa.Engine,
    applied: AppliedModel,
    evaluator: ModelEvaluator,
    settings: Settings,
    *,
    now_millis: int | None = None,
    event_clock: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    one_batch: bool = False,
) -> AdvanceReport:
    """Advance the model batch by batch until nothing is due, another alerter has it, or *stopping* is true; or once.

    One transaction per batch. *now_millis* None reads the database's clock in each; *event_clock*: whatever is decided
    is decided when the batch's last window ended, as if history happened now.
    """
    total = AdvanceReport()
    while not stopping():
        began = monotonic_seconds()
        with engine.begin() as connection:
            if not lock_model(connection, applied.model_id):
                return _plus(total, AdvanceReport(busy=True))
            now = database_now_millis(connection) if now_millis is None else now_millis
            judged = evaluator.evaluate_model(connection, applied, now_millis=now)
            if judged.window_ends:
                now = judged.window_ends[-1].window_end if event_clock else now
                total = _plus(total, _ModelPass(connection, applied, settings, now).work(judged.window_ends))
        EVALUATION_SECONDS.observe(monotonic_seconds() - began)
        if not judged.more or one_batch:
            return replace(total, more=judged.more)
    return total


def _plus(first: AdvanceReport, second: AdvanceReport) -> AdvanceReport:
    return AdvanceReport(
        window_ends=first.window_ends + second.window_ends,
        evaluations=first.evaluations + second.evaluations,
        decided=first.decided + second.decided,
        granted=first.granted + second.granted,
        effects=first.effects + second.effects,
        busy=first.busy or second.busy,
        judged_until=first.judged_until if second.judged_until is None else second.judged_until,
    )


class _ModelPass:
    """One transaction's pass over one locked model."""

    def __init__(self, connection: sa.Connection, applied: AppliedModel, settings: Settings, now: int) -> None:
        self._connection = connection
        self._applied = applied
        self._spec = applied.spec
        self._now = now
        self._deployed = DeployedVersions(connection, applied, now=now)
        self._history = self._deployed.history
        rows = newest_incidents(connection, applied.model_id)
        self._sentences = {row.id: row.sentence for row in rows}
        states = [decode_state(row.state) for row in rows]
        self._tracker = IncidentTracker(
            model=applied.key,
            rules=incident_rules(applied.spec),
            now_millis=now,
            states=states_by_key([msgspec.structs.replace(state, receivers_recorded=True) for state in states]),
        )
        self._proposals = ActionProposals(
            facts=model_facts(connection, applied, settings=settings, now_millis=now, history=self._history),
            model_id=applied.model_id,
            tracker=self._tracker,
            earlier=list(granted_actions(connection, applied.model_id)),
        )
        self._transitions: list[TransitionRow] = []
        self._decided: list[tuple[IncidentDecision, IncidentState]] = []
        self._granted: list[GrantedAction] = []
        self._notices = ModelNotices(
            connection, applied, numbers={row.id: row.sequence for row in rows}, now_millis=now
        )
        self._notices.adopt(states)

    def work(self, ends: Sequence[WindowEndEvaluations]) -> AdvanceReport:
        """Feed every end, then write what came of it."""
        replaced = self._deployed.replaced([end.window_end for end in ends])
        for end, of_end in zip(ends, replaced, strict=True):
            silent = self._tracker.silent_other_version(at=end.window_end)
            self._gather(self._tracker.feed(end, replaced=of_end, retired=silent))
        effects = self._write()
        self._count(ends)
        return AdvanceReport(
            window_ends=len(ends),
            evaluations=sum(len(end.evaluations) for end in ends),
            decided=tuple(self._decided),
            granted=len(self._granted),
            effects=effects,
            judged_until=ends[-1].window_end,
        )

    def _count(self, ends: Sequence[WindowEndEvaluations]) -> None:
        """Move the metrics; a batch that is rolled back afterwards counts again, which a counter of work may."""
        model = str(self._applied.key)
        for evaluation in (evaluation for end in ends for evaluation in end.evaluations):
            WINDOWS_EVALUATED.labels(model, evaluation.result.verdict.value).inc()

    def _gather(self, outcome: WindowEndOutcome) -> None:
        for decision, state in outcome.steps:
            sentence = sentence_of(self._applied.key, decision, state.findings, retired=state.retired)
            self._transitions.append(_transition_row(decision, sentence))
            self._decided.append((decision, state))
            closes = decision.step is Step.RESOLVED
            self._sentences[state.id] = closed_sentence(self._applied.key, decision, state) if closes else sentence
            log.info(
                "incident.stepped",
                model=str(self._applied.key),
                version=decision.version,
                kind=decision.kind.value,
                step=decision.step.value,
                reason=decision.reason.value,
                tier=decision.tier.name,
                window_end=decision.window_end,
                incident=decision.incident_id,
            )
        granted = [action for candidate in outcome.candidates for action in self._proposals.ask(candidate)]
        self._granted.extend(granted)
        self._notices.take(outcome, granted, self._notice)

    def _notice(self, decision: IncidentDecision, state: IncidentState) -> Notice:
        return Notice(
            decision=decision,
            state=state,
            changed=self._recent_change(decision),
            unseen=unseen_values_to_list(self._connection, self._applied, decision, state),
        )

    def _recent_change(self, decision: IncidentDecision) -> Period | None:
        period = serving_period(self._history, decision.version)
        look_back = millis(self._spec.actions.rollback.look_back)
        return period if period is not None and decision.window_end - period.start <= look_back else None

    def _write(self) -> int:
        rows = [self._incident_row(state) for state in self._tracker.changed.values()]
        save_incidents(self._connection, rows, now_millis=self._now)
        self._notices.write_numbers()
        append_transitions(self._connection, self._transitions)
        refused = [row for row in self._proposals.refused.values() if self._insert_refused(row)]
        for row in refused:
            ACTIONS.labels(row.kind.value, row.state.value).inc()
            log.info("action.refused", model=str(self._applied.key), kind=row.kind.value, reason=row.reason)
        fresh = [action for action in self._granted if self._insert(action)]
        self._record_evidence()
        wanting = [row for row in refused if Refusal(row.reason) in WANTS_SOMEONE]
        if not self._notices.anything and not wanting:
            return 0
        endpoints = ensure_endpoints(self._connection, endpoints_of(self._spec), model_id=self._applied.model_id)
        effects = self._requests(fresh, endpoints)
        effects += [effect for row in wanting for effect in self._refusal_effects(row, endpoints)]
        append_effects(self._connection, effects, now_millis=self._now)
        return len(effects) + self._notices.write(endpoints)

    def _insert_refused(self, row: ActionRow) -> bool:
        hold = self._proposals.refusing_holds.get(row.id)
        return insert_action(self._connection, row, why="" if hold is None else hold.words)

    def _insert(self, action: GrantedAction) -> bool:
        if not insert_action(self._connection, action.row):
            return False
        for waiting in action.supersedes:
            set_action_state(self._connection, waiting, ActionState.SUPERSEDED, why=f"by {action.row.id}")
        return True

    def _record_evidence(self) -> None:
        for newest in self._proposals.newest:
            if record_evidence(self._connection, newest.action_id, ground=newest.ground, evidence=newest.evidence):
                log.info("action.evidence", model=str(self._applied.key), id=newest.action_id, evidence=newest.evidence)

    def _requests(self, granted: Sequence[GrantedAction], endpoints: dict[str, int]) -> list[Effect]:
        effects = []
        for action in granted:
            row = action.row
            ACTIONS.labels(row.kind.value, row.state.value).inc()
            log.info(
                "action.granted", model=str(self._applied.key), kind=row.kind.value, state=row.state.value, id=row.id
            )
            if row.state is ActionState.DISPATCHING:
                endpoint_id = endpoints[action_endpoint(self._spec, row.kind).name]
                effects.append(action_effect(action, endpoint_id=endpoint_id, event_type=EVENT_TYPES[row.kind]))
        return effects

    def _refusal_effects(self, row: ActionRow, endpoints: dict[str, int]) -> list[Effect]:
        body = action_outcome(
            model=self._applied.key,
            alerting=self._spec.alerting,
            action=message_action(row, model=self._applied.key),
            event_type=REFUSED,
            window_end=row.window_end,
            now_millis=self._now,
        )
        return outcome_effects(
            body,
            applied=self._applied,
            endpoints=endpoints,
            subject=("refused", row.id),
            incident_id=row.incident_id,
            now_millis=self._now,
        )

    def _incident_row(self, state: IncidentState) -> IncidentRow:
        findings = state.findings
        # Without findings the sentence of its last step stays, whatever windows come after it was closed.
        sentence = findings[0].sentence if findings else self._sentences[state.id]
        return IncidentRow(
            id=state.id,
            model_id=self._applied.model_id,
            version=state.version,
            kind=state.kind,
            status=state.status,
            tier=state.tier,
            state=encode_state(state),
            first_end=state.first_end,
            last_end=state.last_end,
            resolved_end=state.resolved_end,
            sentence=sentence,
            sequence=self._notices.number_of(state.id),
        )


def _transition_row(decision: IncidentDecision, sentence: str) -> TransitionRow:
    assert decision.step is not Step.NOTHING
    return TransitionRow(
        incident_id=decision.incident_id,
        window_end=decision.window_end,
        step=decision.step.value,
        reason=decision.reason.value,
        tier=decision.tier,
        sentence=sentence,
    )
