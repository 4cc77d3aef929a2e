"""The state machine of an incident: (state, one window's observation, now) -> (state, decision); pure.

```text
          endured finding                    every column that held it was calm close_after times
 (none) ──────────────────► open ◄─────────────┐ ───────────────► resolved
                            │ escalated/calmed │   re-opened within keep_firing_for, same id
                            │ joined/worsened  │
```

A *column holds* the incident at a scale and a tier once one of the scale's windows proved that tier of it. It lets go
of a tier after `close_after` consecutive conclusive windows of the scale, disjoint from each other, in which it was
below the closing threshold of that tier, whatever the other columns do. Where a shorter scale lets go of a column by
its size, what longer scales found before that time holds no longer. The incident's tier is the highest that is held.
Inconclusive windows change nothing at all.
"""

from dataclasses import dataclass

import msgspec

from alerting.incidents.holds import after_window, recoveries_of, without_recovered
from alerting.incidents.news import with_notification
from alerting.incidents.observation import WindowObservation
from alerting.incidents.recoveries import not_recovered, with_recoveries
from alerting.incidents.state import (
    IncidentDecision,
    IncidentIdentity,
    IncidentState,
    Reason,
    Step,
    incident_id,
)
from monitor.types import IncidentKind, IncidentStatus, Tier
from monitor.units import MINUTE_MILLIS

_FORGET_AFTER_LONGEST = 2  # windows of the longest scale: truths of a long window may come late


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
    facts = unrecovered(facts, state)
    if state is None or not state.is_open:
        moved, step, reason = _begin(state, facts, identity=identity, rules=rules)
    else:
        moved, step, reason = _go_on(state, facts, rules=rules)
    if moved is None:
        return None, None
    moved = _with_columns(state, moved)
    return with_notification(state, moved, step, reason, facts, fresh=fresh, inhibited=inhibited)


def unrecovered(facts: WindowObservation, state: IncidentState | None) -> WindowObservation:
    """Return the window without what it finds of a bad time that a shorter scale has seen to be over."""
    return facts if state is None else not_recovered(facts, state.recovered)


def end_by_deployment(
    state: IncidentState, reason: Reason, *, window_end: int, rules: IncidentRules, now_millis: int
) -> tuple[IncidentState, IncidentDecision]:
    """Close an open incident that no window closes: its version was retired, or serves again (`VERSION_SERVES`)."""
    facts = WindowObservation(end=window_end, length=0, step=0, tier=Tier.NONE, calm=None)
    closed = msgspec.structs.replace(
        state,
        status=IncidentStatus.RESOLVED,
        ever_held=state.columns_to_name,
        resolved_end=window_end,
        last_end=max(state.last_end, window_end),
        holds={},
        retired=reason is Reason.VERSION_RETIRED,
    )
    fresh = is_fresh(facts, kind=state.kind, rules=rules, now_millis=now_millis)
    return with_notification(state, closed, Step.RESOLVED, reason, facts, fresh=fresh, inhibited=False)


def _with_columns(before: IncidentState | None, moved: IncidentState) -> IncidentState:
    """Return *moved* with the columns that held the incident *before* and hold it now: once closed, nothing does."""
    same = before is not None and before.id == moved.id
    names = dict.fromkeys((*(before.columns_to_name if before is not None and same else ()), *moved.columns_to_name))
    return moved if tuple(names) == moved.ever_held else msgspec.structs.replace(moved, ever_held=tuple(names))


def _retired_end(state: IncidentState) -> int:
    """Return the end up to which late truths of a version that serves no more move nothing, -1 without one."""
    return state.resolved_end if state.retired and state.resolved_end is not None else -1


def _begin(
    state: IncidentState | None,
    facts: WindowObservation,
    *,
    identity: IncidentIdentity,
    rules: IncidentRules,
) -> tuple[IncidentState | None, Step, Reason]:
    window_ends = {**({} if state is None else state.window_ends), facts.length: facts.end}
    hold = after_window(None, facts, close_after=rules.close_after)
    if hold is None:
        if state is None:
            return None, Step.NOTHING, Reason.UNCHANGED
        # A version that came back and is calm is no longer the one that was retired as bad.
        retired = state.retired and facts.calm != (True, True, True)
        seen = msgspec.structs.replace(state, window_ends=window_ends, retired=retired)
        return seen, Step.NOTHING, Reason.UNCHANGED
    if state is not None and state.resolved_end is not None and facts.end - state.resolved_end <= rules.keep_firing_for:
        reopened = msgspec.structs.replace(
            state,
            status=IncidentStatus.OPEN,
            tier=hold.tier,
            opened_end=facts.end,
            last_end=max(state.last_end, facts.end),
            resolved_end=None,
            worst=max(state.worst, hold.tier),
            notified=Tier.NONE,
            notified_columns=(),
            notified_severity=0.0,
            retired=False,
            window_ends=window_ends,
            holds={facts.length: hold},
        )
        return reopened, Step.REOPENED, Reason.FINDING_RETURNED
    opened = IncidentState(
        id=incident_id(identity, first_end=facts.end),
        kind=identity.kind,
        version=identity.version,
        status=IncidentStatus.OPEN,
        tier=hold.tier,
        first_end=facts.end,
        opened_end=facts.end,
        last_end=facts.end,
        worst=hold.tier,
        window_ends=window_ends,
        holds={facts.length: hold},
        notified_columns=(),
        recovered={} if state is None else state.recovered,
        receivers_recorded=True,
    )
    return opened, Step.OPENED, Reason.FINDING_ENDURED


def _go_on(
    state: IncidentState, facts: WindowObservation, *, rules: IncidentRules
) -> tuple[IncidentState, Step, Reason]:
    # A scale that the spec gave up is never seen calm: it must not hold the incident for ever.
    holds = {length: hold for length, hold in state.holds.items() if rules.lengths is None or length in rules.lengths}
    given_up = len(holds) < len(state.holds)
    before = holds.pop(facts.length, None)
    hold = after_window(before, facts, close_after=rules.close_after)
    if hold is not None:
        holds[facts.length] = hold
    recovered, columns = state.recovered, recoveries_of(before, facts, close_after=rules.close_after)
    if columns:
        forget_before = facts.end - _FORGET_AFTER_LONGEST * max(state.window_ends) * MINUTE_MILLIS
        recovered = with_recoveries(recovered, facts.length, columns, forget_before=forget_before)
        left = {length: without_recovered(hold, length, recovered) for length, hold in holds.items()}
        holds = {length: hold for length, hold in left.items() if hold is not None}
    tier = max((hold.tier for hold in holds.values()), default=Tier.NONE)
    moved = msgspec.structs.replace(
        state,
        tier=tier or state.tier,
        last_end=max(state.last_end, facts.end),
        worst=max(state.worst, tier),
        window_ends={**state.window_ends, facts.length: facts.end},
        holds=holds,
        recovered=recovered,
    )
    if tier is Tier.NONE:
        closed = msgspec.structs.replace(moved, status=IncidentStatus.RESOLVED, resolved_end=facts.end, holds={})
        return closed, Step.RESOLVED, Reason.SCALE_REMOVED if given_up else Reason.CALM_LONG_ENOUGH
    if tier > state.tier:
        return moved, Step.ESCALATED, Reason.TIER_HIGHER
    if tier < state.tier:
        return moved, Step.CALMED, Reason.TIER_LOWER
    return moved, Step.NOTHING, Reason.UNCHANGED


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
