"""An incident as it stands, as a message: what a level-triggered receiver is posted in a loop; pure."""

from alerting.incidents.state import IncidentDecision, IncidentState, Reason, Step
from alerting.notifications.message import Message, Notice, message
from monitor.deployments import Period
from monitor.spec.actions import AlertingSpec
from monitor.types import ModelKey, Tier


def standing_message(
    model: ModelKey, alerting: AlertingSpec, state: IncidentState, *, changed: Period | None, now_millis: int
) -> Message:
    """Return the incident as an opening or, once it is resolved, as its end; the same state gives the same words.

    Args:
        changed: The period of its version if that began recently.
    """
    decision = IncidentDecision(
        step=Step.OPENED if state.is_open else Step.RESOLVED,
        reason=Reason.UNCHANGED,
        incident_id=state.id,
        kind=state.kind,
        version=state.version,
        window_end=state.last_end,
        length=min(state.window_ends, default=0),
        tier_before=Tier.NONE if state.is_open else state.worst,
        tier=state.tier if state.is_open else Tier.NONE,
        notifies=True,
        fresh=True,
    )
    return message(
        model=model,
        alerting=alerting,
        window_end=state.last_end,
        now_millis=now_millis,
        notices=[Notice(decision=decision, state=state, changed=changed)],
        actions=[],
    )


def fires(state: IncidentState, *, from_tier: Tier) -> bool:
    """Return whether a receiver of *from_tier* has an alert of it now: as long as people are notified of that tier.

    What was held back (stale, in a warm-up, inhibited by a broken field) is held back from every receiver.
    """
    return state.is_open and state.notified >= from_tier


def may_have_fired(state: IncidentState, *, from_tier: Tier) -> bool:
    """Return whether there may have been such an alert, whose end is to be posted; one too many changes nothing."""
    return state.worst >= from_tier
