"""Incidents and actions as the document tells them; pure."""

from driftline.backtest.outcome import BacktestOutcome, ProposedAction, RaisedIncident, RaisedStep
from driftline.backtest.report_incidents import ActionPart, IncidentPart, StepPart
from driftline.backtest.told import HOUR_MILLIS, is_page, open_spans, times_begun
from driftline.backtest.words import explained_action
from monitor.clock import iso_utc
from monitor.types import span_text


def incident_part(incident: RaisedIncident, *, until: int) -> IncidentPart:
    """Return *incident*, which is looked at when the history ends (*until*, ms)."""
    worst = max(incident.steps, key=lambda each: each.tier)  # the first of the worst
    columns = [finding.column for step in incident.steps for finding in step.findings if finding.column]
    return IncidentPart(
        id=incident.id,
        kind=incident.kind.value,
        version=incident.version,
        tier=worst.tier.name.lower(),
        opened=iso_utc(incident.first_end),
        closed=None if incident.resolved_end is None else iso_utc(incident.resolved_end),
        open_hours=round(sum(s.stop - s.start for s in open_spans(incident, until=until)) / HOUR_MILLIS, 2),
        reopened=times_begun(incident) - 1,
        scale=span_text(incident.steps[0].length),
        columns=tuple(dict.fromkeys(columns)),
        sentence=worst.findings[0].sentence if worst.findings else worst.sentence,
        findings=tuple(each.sentence for each in worst.findings),
        steps=tuple(_step_part(each) for each in incident.steps),
    )


def _step_part(step: RaisedStep) -> StepPart:
    return StepPart(
        at=iso_utc(step.known),
        window_end=iso_utc(step.end),
        scale=span_text(step.length) if step.length else "",
        step=step.step,
        reason=step.reason,
        tier=step.tier.name.lower(),
        told=step.told,
        page=is_page(step),
        sentence=step.sentence,
    )


def action_parts(outcome: BacktestOutcome) -> tuple[ActionPart, ...]:
    """Return what would have been asked of other systems and what would have been refused, in order of time."""
    return tuple(_action_part(each) for each in sorted(outcome.actions, key=lambda each: (each.end, each.kind)))


def _action_part(action: ProposedAction) -> ActionPart:
    refused = action.state == "refused"
    return ActionPart(
        incident=action.incident_id,
        at=iso_utc(action.end),
        action=action.kind,
        outcome="refused" if refused else "asked",
        reason=action.reason,
        explanation=explained_action(action.reason, refused=refused),
        from_version=action.from_version,
        to_version=action.to_version,
    )
