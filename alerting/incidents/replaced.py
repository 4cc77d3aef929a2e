"""Replaced versions: retired once their events end, an incident of kind `deployment` while these go on; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerting.incidents.observation import WindowObservation
from monitor.clock import iso_utc
from monitor.deployments import DeploymentEvent, Event, Replacement, history_until, replaced_versions
from monitor.humanize import counted, span_words
from monitor.results import Finding
from monitor.types import IncidentKind, Scale, Stage, Statistic, Tier
from monitor.windows.sliding import last_end, length_millis

WindowEvents = Mapping[tuple[str, int], int]
"""Events of windows of the shortest scale by version and window end (ms); a window without any is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplacedVersions:
    """What one window end shows of the versions that deployments say serve no more.

    Attributes:
        versions: All of them.
        retired: Those without events in the last window of the shortest scale: nothing of them is judged any more.
        observations: By version what that window says about an incident of kind `deployment`.
    """

    versions: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    observations: Mapping[str, WindowObservation] = field(default_factory=dict)


def replaced_at(
    window_end: int, history: Sequence[DeploymentEvent], events: WindowEvents, *, shortest: Scale, switch_over: int
) -> ReplacedVersions:
    """Return the replaced versions at *window_end* (ms).

    Only a window that lies wholly after the switch-over (ms) speaks for an incident: while a switch is under way both
    versions have events, and late ones belong to the minutes that they are from.
    """
    replacements = replaced_versions(history_until(history, at=window_end))
    end = last_end(shortest, window_end)
    with_events = {version for version in replacements if events.get((version, end))}
    observations = {
        version: _observation(replacement, events.get((version, end), 0), end=end, shortest=shortest)
        for version, replacement in replacements.items()
        if end == window_end and end - length_millis(shortest) >= replacement.since + switch_over
    }
    return ReplacedVersions(
        versions=frozenset(replacements),
        retired=frozenset(replacements) - with_events,
        observations=observations,
    )


def contradicted(
    assumed: Iterable[Event],
    history: Sequence[DeploymentEvent],
    events: WindowEvents,
    *,
    window_end: int,
    shortest: Scale,
    switch_over: int,
) -> tuple[Event, ...]:
    """Return the *assumed* deployments that the predictions up to *window_end* (ms) show to be wrong.

    A version that was to leave goes on; one that was to enter production is not seen, while those that it was to
    replace are. As above, in a window that lies wholly after the switch-over.
    """
    replacements = replaced_versions(history_until(history, at=window_end)).values()
    wrong = []
    for deployment in assumed:
        if window_end - length_millis(shortest) < deployment.event_time + switch_over:
            continue
        if deployment.stage is Stage.PRODUCTION:
            left = [replacement.version for replacement in replacements if replacement.by == deployment.version]
            if events.get((deployment.version, window_end)):
                continue
        else:
            left = [deployment.version]
        if any(events.get((version, window_end)) for version in left):
            wrong.append(deployment)
    return tuple(wrong)


def _observation(replacement: Replacement, events: int, *, end: int, shortest: Scale) -> WindowObservation:
    finding = _finding(replacement, events, end=end, shortest=shortest)
    return WindowObservation(
        end=end,
        length=shortest.length,
        step=shortest.step,
        tier=finding.tier if events else Tier.NONE,
        calm=(not events,) * 3,
        findings=(finding,) if events else (),
    )


def _finding(replacement: Replacement, events: int, *, end: int, shortest: Scale) -> Finding:
    return Finding(
        kind=IncidentKind.DEPLOYMENT,
        column="",
        statistic=Statistic.TRAFFIC,
        tier=Tier.WARNING,
        endured=True,
        value=float(events),
        bound=float(events),
        threshold=0.0,
        sentence=(
            f"{counted(events, 'event')} in the {span_words(shortest.length)} up to {iso_utc(end)}, expected none: "
            f"{_replaced_sentence(replacement)}."
        ),
    )


def _replaced_sentence(replacement: Replacement) -> str:
    since = iso_utc(replacement.since)
    if replacement.assumed:
        to = f" to {replacement.by}" if replacement.by else ""
        return f"a rollback{to} was accepted at {since}, and no deployment event says otherwise"
    if replacement.by:
        return f"version {replacement.by} took over production at {since}"
    return f"its deployment event took it out of service at {since}"
