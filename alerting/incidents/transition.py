"""The state machine of an incident: (state, one window's observation, now) -> (state, decision); pure.

```text
          endured finding                    every scale that held it was calm close_after times
 (none) ──────────────────► open ◄─────────────┐ ───────────────► resolved
                            │ escalated/calmed │   re-opened within keep_firing_for, same id
```

A *scale holds* the incident at a tier once one of its windows proved that tier. It lets go of a tier after
`close_after` consecutive conclusive windows, disjoint from each other, below the closing threshold of that tier. The
incident's tier is the highest that is held. Inconclusive windows change nothing at all.
"""

from dataclasses import dataclass

import msgspec

from alerting.incidents.observation import WindowObservation
from alerting.incidents.state import (
    IncidentDecision,
    IncidentIdentity,
    IncidentState,
    Reason,
    ScaleHold,
    Step,
    incident_id,
)
from monitor.types import IncidentKind, IncidentStatus, Tier
from monitor.units import MINUTE_MILLIS

_TIERS = (Tier.WARNING, Tier.ALERT, Tier.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRules:
    """Rules by which incidents open, escalate, calm and close; spans in milliseconds.

    Attributes:
        freshness: Oldest window that may notify or act; None: the larger of twice the step and 10 minutes.
        truth_delay: What a performance window may be older than that, because its truths come later.
        lengths: Of the spec's scales, in minutes; no other can hold an incident. None: any.
    """

    close_after: int
    keep_firing_for: int
    freshness: int | None
    truth_delay: int
    lengths: frozenset[int] | None = None

    def freshness_of(self, step: int) -> int:
        """Return how old (ms) a window of a scale that steps by *step* minutes may be to notify or act."""
        return self.freshness if self.freshness is not None else max(2 * step, 10) * MINUTE_MILLIS


def is_fresh(facts: WindowObservation, *, kind: IncidentKind, rules: IncidentRules, now_millis: int) -> bool:
    """Return whether a window is new enough to notify people and to ask for actions."""
    allowed = rules.freshness_of(facts.step)
    if kind is IncidentKind.PERFORMANCE:
        allowed += rules.truth_delay
    return now_millis - facts.end <= allowed


def transition(
    state: IncidentState | None,
    facts: WindowObservation,
    *,
    identity: IncidentIdentity,
    rules: IncidentRules,
    now_millis: int,
    inhibited: bool = False,
) -> tuple[IncidentState | None, IncidentDecision | None]:
    """Return the state after one window of revision 0, and the decision unless no incident was ever there.

    Args:
        state: The newest incident of *identity*, open or resolved; None when there never was one.
        facts: What the window says about the kind; per scale in order of end.
        now_millis: The database's clock.
        inhibited: An open data-quality incident of the model holds back notifications of drift.
    """
    if not facts.conclusive:
        return state, _nothing(state, facts, Reason.INCONCLUSIVE)
    if state is not None and facts.end <= max(state.window_ends.get(facts.length, -1), _retired_end(state)):
        return state, _nothing(state, facts, Reason.NOT_NEWER)
    fresh = is_fresh(facts, kind=identity.kind, rules=rules, now_millis=now_millis)
    if state is None or not state.is_open:
        moved, step, reason = _begin(state, facts, identity=identity, rules=rules)
    else:
        moved, step, reason = _go_on(state, facts, rules=rules)
    if moved is None:
        return None, None
    before = state.tier if state is not None and state.is_open else Tier.NONE
    return _with_notification(moved, before, step, reason, facts, fresh=fresh, inhibited=inhibited)


def end_by_deployment(
    state: IncidentState, reason: Reason, *, window_end: int, rules: IncidentRules, now_millis: int
) -> tuple[IncidentState, IncidentDecision]:
    """Close an open incident that no window closes: its version was retired, or serves again (`VERSION_SERVES`)."""
    facts = WindowObservation(end=window_end, length=0, step=0, tier=Tier.NONE, calm=None)
    closed = msgspec.structs.replace(
        state,
        status=IncidentStatus.RESOLVED,
        resolved_end=window_end,
        last_end=max(state.last_end, window_end),
        holds={},
        retired=reason is Reason.VERSION_RETIRED,
    )
    fresh = is_fresh(facts, kind=state.kind, rules=rules, now_millis=now_millis)
    return _with_notification(closed, state.tier, Step.RESOLVED, reason, facts, fresh=fresh, inhibited=False)


def _retired_end(state: IncidentState) -> int:
    """Return the end up to which late truths of a version that serves no more move nothing, -1 without one."""
    return state.resolved_end if state.retired and state.resolved_end is not None else -1


def _begin(
    state: IncidentState | None, facts: WindowObservation, *, identity: IncidentIdentity, rules: IncidentRules
) -> tuple[IncidentState | None, Step, Reason]:
    window_ends = {**({} if state is None else state.window_ends), facts.length: facts.end}
    if facts.tier is Tier.NONE:
        if state is None:
            return None, Step.NOTHING, Reason.UNCHANGED
        # A version that came back and is calm is no longer the one that was retired as bad.
        retired = state.retired and facts.calm != (True, True, True)
        seen = msgspec.structs.replace(state, window_ends=window_ends, retired=retired)
        return seen, Step.NOTHING, Reason.UNCHANGED
    holds = {facts.length: _held(None, facts)}
    if state is not None and state.resolved_end is not None and facts.end - state.resolved_end <= rules.keep_firing_for:
        reopened = msgspec.structs.replace(
            state,
            status=IncidentStatus.OPEN,
            tier=facts.tier,
            opened_end=facts.end,
            last_end=max(state.last_end, facts.end),
            resolved_end=None,
            worst=max(state.worst, facts.tier),
            notified=Tier.NONE,
            retired=False,
            window_ends=window_ends,
            holds=holds,
        )
        return reopened, Step.REOPENED, Reason.FINDING_RETURNED
    opened = IncidentState(
        id=incident_id(identity, first_end=facts.end),
        kind=identity.kind,
        version=identity.version,
        status=IncidentStatus.OPEN,
        tier=facts.tier,
        first_end=facts.end,
        opened_end=facts.end,
        last_end=facts.end,
        worst=facts.tier,
        window_ends=window_ends,
        holds=holds,
    )
    return opened, Step.OPENED, Reason.FINDING_ENDURED


def _go_on(
    state: IncidentState, facts: WindowObservation, *, rules: IncidentRules
) -> tuple[IncidentState, Step, Reason]:
    # A scale that the spec gave up is never seen calm: it must not hold the incident for ever.
    holds = {length: hold for length, hold in state.holds.items() if rules.lengths is None or length in rules.lengths}
    given_up = len(holds) < len(state.holds)
    hold = holds.get(facts.length)
    if facts.tier:
        hold = _held(hold, facts)
    if hold is not None and facts.calm is not None and not facts.leaves_open(hold.findings):
        hold = _calmed(hold, facts, facts.calm, close_after=rules.close_after)
    if hold is not None:
        holds[facts.length] = hold
    tier = max((open_hold.tier for open_hold in holds.values()), default=Tier.NONE)
    moved = msgspec.structs.replace(
        state,
        tier=tier or state.tier,
        last_end=max(state.last_end, facts.end),
        worst=max(state.worst, tier),
        window_ends={**state.window_ends, facts.length: facts.end},
        holds=holds,
    )
    if tier is Tier.NONE:
        closed = msgspec.structs.replace(moved, status=IncidentStatus.RESOLVED, resolved_end=facts.end, holds={})
        return closed, Step.RESOLVED, Reason.SCALE_REMOVED if given_up else Reason.CALM_LONG_ENOUGH
    if tier > state.tier:
        return moved, Step.ESCALATED, Reason.TIER_HIGHER
    if tier < state.tier:
        return moved, Step.CALMED, Reason.TIER_LOWER
    return moved, Step.NOTHING, Reason.UNCHANGED


def _held(hold: ScaleHold | None, facts: WindowObservation) -> ScaleHold:
    """Return the hold after a window with a finding: calm counts start from 0 again up to the finding's tier."""
    before = hold or ScaleHold(tier=Tier.NONE, bad_end=facts.end)
    calm = tuple(0 if tier <= facts.tier else count for tier, count in zip(_TIERS, before.calm, strict=True))
    return ScaleHold(
        tier=max(before.tier, facts.tier),
        bad_end=facts.end,
        calm=(calm[0], calm[1], calm[2]),
        calm_ends=before.calm_ends,
        findings=facts.findings,
        moved=facts.moved,
    )


def _calmed(
    hold: ScaleHold, facts: WindowObservation, calm_now: tuple[bool, bool, bool], *, close_after: int
) -> ScaleHold:
    """Return the hold after a conclusive window: each tier counts on, starts from 0, or is let go."""
    counts, ends = list(hold.calm), list(hold.calm_ends)
    for index, tier in enumerate(_TIERS):
        if tier <= facts.tier or not calm_now[index]:
            counts[index] = 0
        elif not counts[index] or facts.end - ends[index] >= facts.length * MINUTE_MILLIS:
            counts[index] += 1
            ends[index] = facts.end
    kept = [tier for tier in _TIERS if tier <= hold.tier and counts[tier - 1] < close_after]
    return msgspec.structs.replace(
        hold,
        tier=max(kept, default=Tier.NONE),
        calm=(counts[0], counts[1], counts[2]),
        calm_ends=(ends[0], ends[1], ends[2]),
    )


def _with_notification(
    moved: IncidentState,
    before: Tier,
    step: Step,
    reason: Reason,
    facts: WindowObservation,
    *,
    fresh: bool,
    inhibited: bool,
) -> tuple[IncidentState, IncidentDecision]:
    """Decide whether people are notified: not of old windows, not of drift while a field is broken.

    Everyone who was notified of an incident is notified of its end in any case: nothing later would do it.
    """
    held_back = moved.is_open and moved.notified < moved.tier
    if step is Step.NOTHING and held_back and fresh and not inhibited and facts.tier:
        step, reason = Step.ANNOUNCED, Reason.NO_LONGER_HELD_BACK
    notifies = step is not Step.NOTHING
    if notifies and not _is_news(step, moved):
        notifies, reason = False, Reason.NO_NEWS
    elif notifies and not fresh and step is not Step.RESOLVED:
        notifies, reason = False, Reason.STALE
    elif notifies and inhibited and step is not Step.RESOLVED:
        notifies, reason = False, Reason.INHIBITED_BY_DATA_QUALITY
    if notifies:
        moved = msgspec.structs.replace(moved, notified=moved.tier)
    tier = Tier.NONE if step is Step.RESOLVED else moved.tier
    return moved, IncidentDecision(
        step=step,
        reason=reason,
        incident_id=moved.id,
        kind=moved.kind,
        version=moved.version,
        window_end=facts.end,
        length=facts.length,
        tier_before=before,
        tier=tier if moved.is_open or step is Step.RESOLVED else Tier.NONE,
        notifies=notifies,
        fresh=fresh,
    )


def _nothing(state: IncidentState | None, facts: WindowObservation, reason: Reason) -> IncidentDecision | None:
    if state is None:
        return None
    tier = state.tier if state.is_open else Tier.NONE
    return IncidentDecision(
        step=Step.NOTHING,
        reason=reason,
        incident_id=state.id,
        kind=state.kind,
        version=state.version,
        window_end=facts.end,
        length=facts.length,
        tier_before=tier,
        tier=tier,
        notifies=False,
        fresh=False,
    )


def _is_news(step: Step, moved: IncidentState) -> bool:
    """Return whether the step is news to people: what was held back in between may leave them where they are."""
    if step is Step.RESOLVED:
        return moved.notified > Tier.NONE
    if step is Step.CALMED:
        return moved.notified > moved.tier
    return moved.notified < moved.tier
