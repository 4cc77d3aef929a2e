"""Notifies receivers of one model's incidents and actions: who is sent what, in the transaction that decided it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import sqlalchemy as sa
import structlog

from alerting.actions.proposals import GrantedAction
from alerting.incidents.state import IncidentDecision, IncidentState, Reason, Step, decode_state
from alerting.incidents.tracker import WindowEndOutcome
from alerting.notifications.due import action_receivers, due_notices
from alerting.notifications.message import Message, Notice, message
from alerting.notifications.outbox_rows import message_action, notification_effect, receiver_endpoint
from alerting.notifications.superseding import WaitingMessage, superseding
from monitor.spec.actions import ReceiverSpec
from monitor.store.configuration import AppliedModel
from monitor.store.incidents import number_incidents
from monitor.store.notified import NotifiedRow, StandingNotice, carry_over, record_notified, standing_notices
from monitor.store.outbox import Effect, append_effects
from monitor.store.waiting_messages import supersede, waiting_messages
from monitor.types import ActionState, NoticeEvent, Tier

log = structlog.get_logger()

Stepped = tuple[IncidentDecision, IncidentState]
NoticeOf = Callable[[IncidentDecision, IncidentState], Notice]


@dataclass(frozen=True, slots=True, kw_only=True)
class _WindowEndNotices:
    window_end: int
    notices: dict[str, list[Notice]]  # by receiver
    granted: Sequence[GrantedAction]


class ModelNotices:
    """Who is sent what of a model's incidents and actions; numbers the steps and messages of each incident.

    Args:
        numbers: By id, the number of the newest step or message of each incident that may move.
    """

    def __init__(
        self, connection: sa.Connection, applied: AppliedModel, *, numbers: dict[str, int], now_millis: int
    ) -> None:
        self._connection = connection
        self._applied = applied
        self._receivers = applied.spec.alerting.queued_receivers
        self._now = now_millis
        self._standing: dict[str, dict[str, NotifiedRow]] = {}
        self._recorded: dict[tuple[str, str], NotifiedRow] = {}
        self._messages: list[_WindowEndNotices] = []
        self._numbers = numbers
        self._numbered: dict[str, int] = {}
        standing = standing_notices(connection, applied.model_id)
        for notice in standing:
            row = notice.row
            self._standing.setdefault(row.incident_id, {})[row.receiver] = row
            self._numbers[row.incident_id] = max(self.number_of(row.incident_id), row.sequence)
        self._closed = _closed_incidents(standing)

    def number_of(self, incident_id: str) -> int:
        """Return the number of the incident's newest step or message, 0 before its first."""
        return self._numbers.get(incident_id, 0)

    def adopt(self, states: Sequence[IncidentState]) -> None:
        """Note who was notified of open incidents by the program before, which kept no rows of that.

        By its rules, everyone whose tier the incident ever reached: an end too many does less harm than none.
        """
        for state in states:
            if state.is_open and state.notified and not state.receivers_recorded:
                for receiver in self._receivers:
                    known = receiver.name in self._standing.get(state.id, {})
                    if not known and Tier.of_word(receiver.from_tier) <= state.worst:
                        self._note(state, receiver.name, NoticeEvent.TRIGGER, tier=state.notified)

    def take(self, outcome: WindowEndOutcome, granted: Sequence[GrantedAction], notice_of: NoticeOf) -> None:
        """Note who is sent what of one window end; *notice_of* is called for what is sent to anyone."""
        notices: dict[str, list[Notice]] = {}
        late, self._closed = self._closed, []
        for decision, state in (*late, *outcome.steps, *outcome.unmoved):
            due = due_notices(self._standing.get(state.id, {}), self._receivers, decision, state)
            if due or decision.step is not Step.NOTHING:
                self._numbers[state.id] = self._numbered[state.id] = self.number_of(state.id) + 1
            shown = notice_of(decision, state) if due else None
            for receiver in due:
                assert shown is not None
                notice = replace(
                    shown, decision=receiver.decision, sequence=self.number_of(state.id), event=receiver.event
                )
                notices.setdefault(receiver.receiver, []).append(notice)
                self._note(state, receiver.receiver, receiver.event, tier=state.tier)
        if notices or granted:
            self._messages.append(
                _WindowEndNotices(window_end=outcome.window_end, notices=notices, granted=tuple(granted))
            )

    @property
    def anything(self) -> bool:
        """Whether somebody is sent something, or something is to be recorded."""
        return bool(self._messages or self._recorded)

    def write_numbers(self) -> None:
        """Store the numbers of what was taken, which no step to come may have."""
        number_incidents(self._connection, self._numbered)

    def write(self, endpoints: dict[str, int]) -> int:
        """Append the messages and record who was sent what; return how many messages."""
        count = 0
        for of_end in self._messages:
            for receiver in self._receivers:
                body, incident_id = self._body(of_end, receiver)
                if body is not None:
                    self._append(body, receiver, endpoints, incident_id, window_end=of_end.window_end)
                    count += 1
        record_notified(self._connection, list(self._recorded.values()), now_millis=self._now)
        return count

    def _note(self, state: IncidentState, receiver: str, event: NoticeEvent, *, tier: Tier) -> None:
        row = NotifiedRow(
            incident_id=state.id,
            receiver=receiver,
            sequence=self.number_of(state.id),
            tier=Tier.NONE if event is NoticeEvent.END else tier,
            event=event,
            outbox_id=None,
        )
        self._recorded[state.id, receiver] = row
        standing = self._standing.setdefault(state.id, {})
        if event is NoticeEvent.END:
            standing.pop(receiver, None)
        else:
            standing[receiver] = row

    def _body(self, of_end: _WindowEndNotices, receiver: ReceiverSpec) -> tuple[Message | None, str | None]:
        notices = of_end.notices.get(receiver.name, [])
        granted = [action for action in of_end.granted if receiver.name in self._receivers_of(action)]
        if not notices and not granted:
            return None, None
        body = message(
            model=self._applied.key,
            alerting=self._applied.spec.alerting,
            window_end=of_end.window_end,
            now_millis=self._now,
            notices=notices,
            actions=[message_action(action.row, model=self._applied.key) for action in granted],
            action_tier=max((action.tier for action in granted), default=Tier.NONE),
        )
        return body, body.incidents[0].id if body.incidents else granted[0].row.incident_id

    def _receivers_of(self, action: GrantedAction) -> frozenset[str]:
        waits = action.row.state is ActionState.AWAITING_APPROVAL
        return action_receivers(self._receivers, action.tier, waits=waits)

    def _append(
        self,
        body: Message,
        receiver: ReceiverSpec,
        endpoints: dict[str, int],
        incident_id: str | None,
        *,
        window_end: int,
    ) -> None:
        endpoint_id = endpoints[receiver_endpoint(self._applied.spec, receiver).name]
        own = [incident.id for incident in body.incidents]
        body, outdated = superseding(body, self._waiting(endpoint_id) if own else ())
        effect = notification_effect(
            body,
            applied=self._applied,
            receiver=receiver,
            endpoints=endpoints,
            subject=_subject(body, window_end),
            incident_id=incident_id,
            now_millis=self._now,
        )
        since = min((message.since for message in outdated), default=None)
        append_effects(self._connection, [replace(effect, undelivered_since=since)], now_millis=self._now)
        superseded = [message.id for message in outdated]
        supersede(self._connection, superseded, now_millis=self._now)
        carry_over(self._connection, superseded, effect.id)
        for (incident, name), row in self._recorded.items():
            if row.outbox_id in superseded or (name == receiver.name and incident in own):
                self._recorded[incident, name] = replace(row, outbox_id=effect.id)

    def _waiting(self, endpoint_id: int) -> list[WaitingMessage]:
        return [
            WaitingMessage(effect.id, body, since=effect.undelivered_since or self._now)
            for effect in waiting_messages(self._connection, [endpoint_id])
            if (body := _decoded(effect)) is not None
        ]


def _subject(body: Message, window_end: int) -> list[str]:
    return [
        str(window_end),
        *sorted(f"{incident.id} {incident.sequence} {incident.step}" for incident in body.incidents),
        *sorted(action.id for action in body.actions),
    ]


def _decoded(effect: Effect) -> Message | None:
    """Return the message; None where a program of another version wrote it otherwise, which stays as it is."""
    try:
        return msgspec.json.decode(effect.body, type=Message)
    except msgspec.ValidationError as error:
        log.warning("message.unreadable", id=effect.id, type=effect.event_type, problem=str(error))
        return None


def _closed_incidents(standing: Sequence[StandingNotice]) -> list[Stepped]:
    """Return the incidents that are closed though somebody was sent no end, each as a decision that closes it."""
    states = {notice.row.incident_id: notice.state for notice in standing}
    closed = [state for state in map(decode_state, states.values()) if not state.is_open]
    return [(_closing(state), state) for state in closed]


def _closing(state: IncidentState) -> IncidentDecision:
    return IncidentDecision(
        step=Step.NOTHING,
        reason=Reason.UNCHANGED,
        incident_id=state.id,
        kind=state.kind,
        version=state.version,
        window_end=state.last_end if state.resolved_end is None else state.resolved_end,
        length=0,
        tier_before=Tier.NONE,
        tier=Tier.NONE,
        notifies=False,
        fresh=False,
    )
