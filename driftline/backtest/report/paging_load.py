"""What people would have heard of incidents, and how long these were open; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.incidents.state import Step
from driftline.backtest.outcome import RaisedIncident, RaisedStep
from monitor.types import Tier

_BEGINS = frozenset({Step.OPENED, Step.REOPENED})
_WORSE = _BEGINS | {Step.ESCALATED, Step.ANNOUNCED}


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
    """Return whether the step would have woken someone: told, for the worse, at tier alert or critical."""
    return step.told and step.step in _WORSE and step.tier >= Tier.ALERT


def messages_of(incidents: Sequence[RaisedIncident]) -> Messages:
    """Return how many messages the incidents' steps make; what falls on one window end is one message, its loudest."""
    told = [step for incident in incidents for step in incident.steps if step.told]
    pages = {step.end for step in told if is_page(step)}
    warnings = {step.end for step in told if step.step in _WORSE} - pages
    rest = {step.end for step in told} - pages - warnings
    return Messages(pages=len(pages), warnings=len(warnings), follow_ups=len(rest))


def open_spans(incident: RaisedIncident, *, until: int) -> tuple[OpenSpan, ...]:
    """Return when *incident* was open, up to *until* (ms); one span for each tier it stood at.

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
