"""Which steps of an incident people are notified of: what is news to them, fresh, and not held back; pure."""

import msgspec

from alerting.incidents.observation import WindowObservation
from alerting.incidents.state import IncidentDecision, IncidentState, Reason, Step, severity
from monitor.types import Tier
from monitor.units import MINUTE_MILLIS

WORSE_BY = 2.0
"""A drop of accuracy is news again when at least so many times what people were notified of is proven."""


def with_notification(
    before: IncidentState | None,
    moved: IncidentState,
    step: Step,
    reason: Reason,
    facts: WindowObservation,
    *,
    fresh: bool,
    inhibited: bool,
) -> tuple[IncidentState, IncidentDecision]:
    """Decide whether people are notified: not of old windows, not of drift while a field is broken.

    Everyone who was notified of an incident is notified of its end in any case: nothing later would do it.

    Args:
        before, moved: The incident before and after the window; *step* and *reason* are its move.
    """
    opened_before = before is not None and before.is_open
    known = before.known_columns if before is not None and opened_before else frozenset()
    joined: tuple[str, ...] = ()
    if step is Step.NOTHING and moved.is_open and fresh and not inhibited:
        step, reason, joined = _news_without_a_step(before or moved, moved, facts, known)
    notifies = step is not Step.NOTHING
    if notifies and not _is_news(step, moved):
        notifies, reason = False, Reason.NO_NEWS
    elif notifies and not fresh and step is not Step.RESOLVED:
        notifies, reason = False, Reason.STALE
    elif notifies and inhibited and step is not Step.RESOLVED:
        notifies, reason = False, Reason.INHIBITED_BY_DATA_QUALITY
    tier_before = before.tier if before is not None and opened_before else Tier.NONE
    if step is Step.CALMED and reason is Reason.NO_LONGER_HELD_BACK:
        tier_before = moved.notified
    if notifies:
        moved = msgspec.structs.replace(
            moved,
            notified=moved.tier,
            notified_columns=tuple(sorted(moved.columns.union(moved.moved))),
            notified_end=facts.end,
            notified_severity=severity(moved.findings),
        )
    elif moved.is_open and moved.notified_columns is None:
        moved = msgspec.structs.replace(
            moved, notified_columns=tuple(sorted(known)), notified_severity=severity(moved.findings)
        )
    tier = Tier.NONE if step is Step.RESOLVED else moved.tier
    return moved, IncidentDecision(
        step=step,
        reason=reason,
        incident_id=moved.id,
        kind=moved.kind,
        version=moved.version,
        window_end=facts.end,
        length=facts.length,
        tier_before=tier_before,
        tier=tier if moved.is_open or step is Step.RESOLVED else Tier.NONE,
        notifies=notifies,
        fresh=fresh,
        inhibited=inhibited,
        finding=bool(facts.findings),
        joined=joined,
    )


def _news_without_a_step(
    before: IncidentState, moved: IncidentState, facts: WindowObservation, known: frozenset[str]
) -> tuple[Step, Reason, tuple[str, ...]]:
    """Return what people do not know yet of an incident that stands as it did; only a finding gives bad news."""
    if moved.notified > moved.tier:
        return Step.CALMED, Reason.NO_LONGER_HELD_BACK, ()
    if not facts.findings:
        return Step.NOTHING, Reason.UNCHANGED, ()
    if moved.notified < moved.tier:
        return Step.ANNOUNCED, Reason.NO_LONGER_HELD_BACK, ()
    pending = moved.columns - known
    if pending & {finding.column for finding in facts.findings} and facts.end >= _next_joining(moved, pending):
        return Step.JOINED, Reason.COLUMN_JOINED, tuple(sorted(pending))
    notified = severity(before.findings) if before.notified_columns is None else before.notified_severity
    if 0.0 < WORSE_BY * notified <= severity(facts.findings):
        return Step.WORSENED, Reason.TWICE_AS_BAD, ()
    return Step.NOTHING, Reason.UNCHANGED, ()


def _next_joining(moved: IncidentState, pending: frozenset[str]) -> int:
    """Return from which window end on columns may join: one window of the shortest scale that shows one of them."""
    lengths = [length for length, hold in moved.holds.items() if not pending.isdisjoint(hold.columns_held(length))]
    return moved.notified_end + min(lengths) * MINUTE_MILLIS


def _is_news(step: Step, moved: IncidentState) -> bool:
    """Return whether the step is news to people: what was held back in between may leave them where they are."""
    if step in (Step.JOINED, Step.WORSENED):
        return True
    if step is Step.RESOLVED:
        return moved.notified > Tier.NONE
    if step is Step.CALMED:
        return moved.notified > moved.tier
    return moved.notified < moved.tier
