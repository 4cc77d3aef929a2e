"""Who is sent what of an incident: a trigger, every later change of its tier, its end; pure.

```text
receiver     (nothing sent) ──trigger──► standing ──update──► standing ──end──► (nothing sent)
truth                 open, tier ≥ from_tier       tier differs              closed
```

What a receiver was sent last is compared with what is so, not with what the last step was: a change that was held
back, and a receiver or a tier that the spec names only now, are made up for with the next window that may notify.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from alerting.incidents.state import IncidentDecision, IncidentState, Reason, Step
from monitor.spec.actions import ReceiverSpec
from monitor.store.notified import NotifiedRow
from monitor.types import NoticeEvent, Tier

_ADDS_TO_A_TIER = frozenset({Step.JOINED, Step.WORSENED})


@dataclass(frozen=True, slots=True)
class DueNotice:
    """What *receiver* is sent of an incident now; *decision*: the step as it is for this receiver."""

    receiver: str
    event: NoticeEvent
    decision: IncidentDecision


def due_notices(
    standing: Mapping[str, NotifiedRow],
    receivers: Sequence[ReceiverSpec],
    decision: IncidentDecision,
    state: IncidentState,
) -> tuple[DueNotice, ...]:
    """Return what the receivers are sent of *decision*, in the spec's order.

    Args:
        standing: By receiver, what was sent of the incident to those who were sent a trigger and no end.
        state: The incident after *decision*.
    """
    due = []
    for receiver in receivers:
        last = standing.get(receiver.name)
        event = _event(last, Tier.of_word(receiver.from_tier), decision, state)
        if event is not None:
            due.append(DueNotice(receiver.name, event, _step_for(last, decision, state)))
    return tuple(due)


def _event(
    last: NotifiedRow | None, from_tier: Tier, decision: IncidentDecision, state: IncidentState
) -> NoticeEvent | None:
    if not state.is_open:
        return None if last is None else NoticeEvent.END
    if decision.held_back:
        return None
    if last is None:
        return NoticeEvent.TRIGGER if decision.finding and state.tier >= from_tier else None
    adds = decision.notifies and decision.step in _ADDS_TO_A_TIER and state.tier >= from_tier
    return NoticeEvent.UPDATE if adds or last.tier != state.tier else None


def _step_for(last: NotifiedRow | None, decision: IncidentDecision, state: IncidentState) -> IncidentDecision:
    """Return *decision*; where nothing moved, as the step that makes up for what this receiver was not sent."""
    if decision.step is not Step.NOTHING:
        return decision
    if not state.is_open:
        step, before, now = Step.RESOLVED, state.tier, Tier.NONE
    else:
        before, now = Tier.NONE if last is None else last.tier, state.tier
        step = Step.CALMED if before > now else Step.ANNOUNCED
    return replace(decision, step=step, reason=Reason.NO_LONGER_HELD_BACK, tier_before=before, tier=now, notifies=True)


def action_receivers(receivers: Sequence[ReceiverSpec], tier: Tier, *, waits: bool) -> frozenset[str]:
    """Return who is notified of an action of *tier*: whose tier it reaches.

    Where that is nobody and the action *waits* for somebody's approval, everyone: it would expire unseen.
    """
    reached = [receiver.name for receiver in receivers if Tier.of_word(receiver.from_tier) <= tier]
    everyone = [receiver.name for receiver in receivers]
    return frozenset(everyone if waits and not reached else reached)
