"""The demo's outcome for people and for machines: what was detected when, why, what was asked and sent."""

from collections.abc import Iterator, Sequence, Set

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from alerting.actions.explanation import explanation
from alerting.incidents.state import Step
from driftline.demo.acts import TimeLine
from driftline.demo.expectations import DemoOutcome, columns_of
from driftline.demo.receiver import Arrival
from driftline.demo.sentences import delivery_words, first_clause, guard_lines
from monitor.clock import iso_utc
from monitor.humanize import printable
from monitor.store.views.incidents import IncidentStory
from monitor.types import Tier
from monitor.units import DAY_MILLIS


def summary_document(
    outcome: DemoOutcome, *, windows: int, seconds: float, failed: tuple[str, ...]
) -> dict[str, object]:
    """Return the machine's summary; plain values only."""
    counts = outcome.counts
    return {
        "events_produced": counts.produced,
        "counted": counts.counted,
        "duplicates": counts.duplicates,
        "late": counts.late,
        "dead_letters": counts.dead_letters,
        "windows_evaluated": windows,
        "incidents": [
            {
                "id": incident.incident.id,
                "version": incident.incident.version,
                "kind": incident.incident.kind.value,
                "tier": worst_tier(incident).word,
                "columns": list(columns_of(incident, outcome.deliveries)),
                "first_window_end": iso_utc(incident.incident.first_end),
                "status": incident.incident.status,
            }
            for incident in outcome.incidents
        ],
        "actions": [
            {
                "id": story.action.id,
                "kind": story.action.kind.value,
                "from_version": story.action.from_version,
                "to_version": story.action.to_version,
                "state": story.action.state.value,
                "states": [step.state.value for step in story.steps],
                "reason": story.action.reason,
                "why": explanation(story.action, model=story.model, newest=story.newest_evidence),
            }
            for story in outcome.actions
        ],
        "deliveries": [
            {"type": delivery.type, "id": delivery.id, "verified": delivery.verified, "attempts": attempts}
            for delivery, attempts in distinct_deliveries(outcome.deliveries)
        ],
        "accuracy": round(counts.correct / counts.labelled, 6) if counts.labelled else None,
        "seconds": round(seconds, 1),
        "failed_expectations": list(failed),
    }


def distinct_deliveries(deliveries: tuple[Arrival, ...]) -> list[tuple[Arrival, int]]:
    """Return each delivery once, with how often it arrived."""
    attempts: dict[str, int] = {}
    for delivery in deliveries:
        attempts[delivery.id] = attempts.get(delivery.id, 0) + 1
    first = {delivery.id: delivery for delivery in reversed(deliveries)}
    return [(first[identifier], count) for identifier, count in attempts.items()]


def worst_tier(story: IncidentStory) -> Tier:
    """Return the highest tier the incident ever had."""
    return max((step.tier for step in story.steps), default=story.incident.tier)


def print_summary(console: Console, outcome: DemoOutcome, line: TimeLine, *, windows: int, seconds: float) -> None:
    """Print what was detected when, why, and what was sent."""

    def say(text: str, *, style: str = "") -> None:
        console.print(Padding(Text(printable(text), style=style), (0, 0, 0, 2 if not style else 0)))

    counts = outcome.counts
    console.rule("What happened")
    days = (line.end - line.start) // DAY_MILLIS
    say(
        f"{days} days of events in {seconds:.0f} s: {counts.produced:,} produced, {counts.counted:,} counted, "
        f"{counts.duplicates} duplicates, {counts.late} late, {counts.dead_letters} dead letters. {windows:,} windows "
        f"judged. Accuracy {counts.correct / max(counts.labelled, 1):.4f}, from {counts.labelled:,} truths that came "
        "about a day late."
    )
    for act in line.acts:
        console.print()
        say(f"Act {act.number}: {act.title}", style="bold cyan")
        say(act.plot)
        raised = [incident for incident in outcome.incidents if act.start < incident.incident.first_end <= act.end]
        if not raised:
            say("Nothing was raised, nothing was sent.")
        for version in dict.fromkeys(incident.incident.version for incident in raised):
            own = [incident for incident in raised if incident.incident.version == version]
            for text in _version_lines(outcome, own):
                say(text)


def _version_lines(outcome: DemoOutcome, incidents: Sequence[IncidentStory]) -> Iterator[str]:
    """Yield what was raised about one version, why, what was done about it and what was sent."""
    for incident in incidents:
        head = incident.incident
        first = next((step for step in incident.steps if step.step == Step.OPENED), None)
        yield (
            f"{iso_utc(head.first_end)[:16].replace('T', ' ')} UTC: {head.kind} of {head.version}, up to "
            f"{worst_tier(incident).word}, {head.status}."
        )
        sentence = head.sentence if first is None else first.sentence
        yield f"Why: {first_clause(sentence)}"
    ids = {incident.incident.id for incident in incidents}
    for line in guard_lines([story for story in outcome.actions if story.action.incident_id in ids]):
        yield f"{line.head[0].upper()}{line.head[1:]}: {line.why}."
    actions = {story.action.id for story in outcome.actions if story.action.incident_id in ids}
    yield f"Sent: {_sent(outcome.deliveries, incidents=ids, actions=actions)}."


def _sent(deliveries: tuple[Arrival, ...], *, incidents: Set[str], actions: Set[str]) -> str:
    kinds = [
        delivery_words(delivery)
        for delivery, _ in distinct_deliveries(deliveries)
        if incidents & {*delivery.incidents} or actions & {*delivery.actions}
    ]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "nothing"
