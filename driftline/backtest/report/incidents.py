"""Incidents and actions of a backtest's document: messages that they would have sent, how long they were open."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.actions.reasons import ground_words, refusal_words
from alerting.incidents.state import Step
from driftline.backtest.outcome import BacktestOutcome, RaisedIncident, RaisedStep
from driftline.backtest.report.schema import ActionOutcome, ActionPart, IncidentPart, StepPart
from monitor.clock import iso_utc
from monitor.humanize import span_text
from monitor.store.actions import IncidentAction
from monitor.types import ActionState, Tier
from monitor.units import HOUR_MILLIS

_BEGINS = frozenset({Step.OPENED, Step.REOPENED})
_WORSE = _BEGINS | {Step.ESCALATED, Step.ANNOUNCED, Step.JOINED, Step.WORSENED}


@dataclass(frozen=True, slots=True)
class OpenSpan:
    """From *start* to *stop* (ms) an incident was open; *tier*: the worst it was then."""

    start: int
    stop: int
    tier: Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Messages by kind: one for each window end, as the alerter sends them."""

    pages: int
    warnings: int
    follow_ups: int


def is_page(step: RaisedStep) -> bool:
    """Return whether the step would have woken someone: notified, for the worse, at tier alert or critical."""
    return step.notified and step.step in _WORSE and step.tier >= Tier.ALERT


def messages_of(incidents: Sequence[RaisedIncident]) -> Messages:
    """Return how many messages the incidents' steps make; what falls on one window end is one, of the worst kind."""
    steps = [step for incident in incidents for step in incident.steps if step.notified]
    pages = {step.end for step in steps if is_page(step)}
    warnings = {step.end for step in steps if step.step in _WORSE} - pages
    rest = {step.end for step in steps} - pages - warnings
    return Messages(pages=len(pages), warnings=len(warnings), follow_ups=len(rest))


def open_spans(incident: RaisedIncident, *, until: int) -> tuple[OpenSpan, ...]:
    """Return when *incident* was open, up to *until* (ms); one span for each tier that it had.

    ::

        opened warning     escalated alert     calmed warning     resolved   re-opened warning      until
            |---- warning ------|------ alert -------|---- warning ---|         |---- warning ---------|
    """
    spans: list[OpenSpan] = []
    start: int | None = None
    tier = Tier.NONE
    for step in incident.steps:
        if start is not None and step.end > start:
            spans.append(OpenSpan(start, step.end, tier))
        start, tier = (None, Tier.NONE) if step.step == Step.RESOLVED else (step.end, step.tier)
    if start is not None and until > start:
        spans.append(OpenSpan(start, until, tier))
    return tuple(spans)


def open_millis(incidents: Sequence[RaisedIncident], *, until: int) -> int:
    """Return how long at least one of *incidents* was open (ms)."""
    covered, reached = 0, -1
    for span in sorted((s for incident in incidents for s in open_spans(incident, until=until)), key=lambda s: s.start):
        start = max(span.start, reached)
        if span.stop > start:
            covered += span.stop - start
            reached = span.stop
    return covered


def times_begun(incident: RaisedIncident) -> int:
    """Return how often it opened, the first time included."""
    return sum(step.step in _BEGINS for step in incident.steps)


def incident_part(incident: RaisedIncident, *, until: int) -> IncidentPart:
    """Return *incident*, which is looked at when the history ends (*until*, ms)."""
    worst = max(incident.steps, key=lambda step: step.tier)  # the first of the worst
    columns = [finding.column for step in incident.steps for finding in step.findings if finding.column]
    return IncidentPart(
        id=incident.id,
        kind=incident.kind.value,
        version=incident.version,
        tier=worst.tier.word,
        opened=iso_utc(incident.first_end),
        closed=None if incident.resolved_end is None else iso_utc(incident.resolved_end),
        open_hours=round(sum(s.stop - s.start for s in open_spans(incident, until=until)) / HOUR_MILLIS, 2),
        reopened=times_begun(incident) - 1,
        scale=span_text(incident.steps[0].length),
        columns=tuple(dict.fromkeys(columns)),
        sentence=worst.findings[0].sentence if worst.findings else worst.sentence,
        findings=tuple(finding.sentence for finding in worst.findings),
        steps=tuple(_step_part(step) for step in incident.steps),
    )


def _step_part(step: RaisedStep) -> StepPart:
    return StepPart(
        at=iso_utc(step.known),
        window_end=iso_utc(step.end),
        scale=span_text(step.length) if step.length else "",
        step=step.step,
        reason=step.reason,
        tier=step.tier.word,
        notified=step.notified,
        page=is_page(step),
        sentence=step.sentence,
    )


def action_parts(outcome: BacktestOutcome) -> tuple[ActionPart, ...]:
    """Return what would have been asked of other systems and what would have been refused, in order of time."""
    return tuple(
        _action_part(action) for action in sorted(outcome.actions, key=lambda action: (action.window_end, action.kind))
    )


def _action_part(action: IncidentAction) -> ActionPart:
    refused = action.state is ActionState.REFUSED
    return ActionPart(
        incident=action.incident_id,
        at=iso_utc(action.window_end),
        action=action.kind,
        outcome=ActionOutcome.REFUSED if refused else ActionOutcome.ASKED,
        reason=action.reason,
        explanation=explained_action(action.reason, refused=refused),
        from_version=action.from_version,
        to_version=action.to_version,
    )


def explained_action(reason: str, *, refused: bool) -> str:
    """Return why an action was refused, or for what it was asked."""
    return refusal_words(reason) if refused else ground_words(reason)
