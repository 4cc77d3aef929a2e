"""What a newer message takes over from those that were not delivered yet, so that none is sent after it; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from alerting.notifications.message import Message, MessageAction, MessageIncident
from monitor.types import NoticeEvent, Tier


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message to a receiver that was not delivered so far, under way or not.

    Attributes:
        since: When (ms) the receiver began to miss something that it says.
    """

    id: str
    body: Message
    since: int


def superseding(newer: Message, waiting: Iterable[WaitingMessage]) -> tuple[Message, tuple[WaitingMessage, ...]]:
    """Return the message with what it takes over, and those it takes the place of.

    Every message that speaks of one of its incidents is outdated. What that says of other incidents, and of actions,
    nobody would say any more: the newer message says it too.

    Args:
        waiting: To the same receiver, the newest first.
    """
    incidents = {incident.id: incident for incident in newer.incidents}
    actions = {action.id: action for action in newer.actions}
    superseded, words = [], [newer.sentence]
    tier = Tier.of_word(newer.tier)
    for message in waiting:
        if incidents.keys().isdisjoint(incident.id for incident in message.body.incidents):
            continue
        superseded.append(message)
        new_actions = [action for action in message.body.actions if action.id not in actions]
        new_incidents = [incident for incident in message.body.incidents if incident.id not in incidents]
        words += [incident.sentence for incident in new_incidents]
        if new_incidents or new_actions:
            tier = max(tier, Tier.of_word(message.body.tier))
        for incident in message.body.incidents:
            incidents[incident.id] = _after(incident, incidents.get(incident.id))
        actions |= {action.id: action for action in new_actions}
    if not superseded:
        return newer, ()
    return _with(newer, tuple(incidents.values()), tuple(actions.values()), tier, words), tuple(superseded)


def _after(older: MessageIncident, newer: MessageIncident | None) -> MessageIncident:
    if newer is None:
        return older
    if older.event is NoticeEvent.TRIGGER and newer.event is NoticeEvent.UPDATE:
        return msgspec.structs.replace(newer, event=NoticeEvent.TRIGGER)  # the trigger may never have got there
    if newer.event is NoticeEvent.END and not newer.what:
        return msgspec.structs.replace(newer, what=older.what)  # and the end would not say of what it is
    return newer


def _with(
    newer: Message,
    incidents: tuple[MessageIncident, ...],
    actions: tuple[MessageAction, ...],
    tier: Tier,
    words: list[str],
) -> Message:
    return msgspec.structs.replace(
        newer, tier=tier.word, sentence=" ".join(words), incidents=incidents, actions=actions
    )
