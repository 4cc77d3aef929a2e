"""What must come out of the demo, and whether it did."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from alerting.incidents.state import Step
from driftline.demo.acts import CANARY, STABLE, Act, TimeLine
from driftline.demo.receiver import Arrival
from monitor.clock import iso_utc
from monitor.store.views.incidents import IncidentStory
from monitor.types import ActionState, IncidentKind, Tier
from monitor.units import DAY_MILLIS

RETRAINING, ROLLBACK = "model.retrain.requested", "model.rollback.requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Events produced (predictions, truths, deployments), and what became of them.

    Attributes:
        labelled, correct: Predictions that met their truth, and those that came true, as Driftline counted them.
        expected_correct: Those that came true, as the story knows it.
    """

    produced: int
    counted: int
    duplicates: int
    late: int
    dead_letters: int
    labelled: int
    correct: int
    predictions: int
    expected_correct: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOutcome:
    """Everything that can be seen after the story has run."""

    counts: Counts
    incidents: tuple[IncidentStory, ...]
    deliveries: tuple[Arrival, ...]


def failed_expectations(outcome: DemoOutcome, line: TimeLine) -> tuple[str, ...]:
    """Return what did not come out as expected; empty when everything did."""
    first, second, third, fourth = line.acts
    return (
        *_counting(outcome.counts),
        *_signatures(outcome.deliveries),
        *_healthy(outcome, first),
        *_shift(outcome, second),
        *_break(outcome, third),
        *_canary(outcome, fourth),
    )


def _counting(counts: Counts) -> Iterator[str]:
    if counts.counted != counts.produced:
        yield f"counting: expected {counts.produced:,} events counted, found {counts.counted:,}"
    for name in ("duplicates", "late", "dead_letters"):
        if count := getattr(counts, name):
            yield f"counting: expected no {name.replace('_', ' ')}, found {count:,}"
    if (counts.labelled, counts.correct) != (counts.predictions, counts.expected_correct):
        yield (
            f"truths: expected {counts.expected_correct:,} of {counts.predictions:,} predictions to come true, "
            f"found {counts.correct:,} of {counts.labelled:,}"
        )


def _signatures(deliveries: tuple[Arrival, ...]) -> Iterator[str]:
    if wrong := sum(not delivery.verified for delivery in deliveries):
        yield f"deliveries: expected every signature to be right, found {wrong} wrong"


def _healthy(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    for incident in _opened_in(outcome, act):
        head = incident.incident
        yield f"act 1: expected no incident, found {head.kind} of {head.version}: {head.sentence}"


def _shift(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    opened = _opened_in(outcome, act)
    drifts = [incident for incident in opened if incident.incident.kind is IncidentKind.DRIFT]
    if len(drifts) != 1 or len(opened) != 1:
        kinds = ", ".join(incident.incident.kind for incident in opened) or "none"
        yield f"act 2: expected one drift incident, found {kinds}"
    for drift in drifts:
        tiers = [step.tier for step in drift.steps]
        if Tier.WARNING not in tiers or Tier.ALERT not in tiers or tiers.index(Tier.WARNING) > tiers.index(Tier.ALERT):
            yield f"act 2: expected warning, then alert, found {', '.join(tier.word for tier in tiers)}"
        columns = columns_of(drift, outcome.deliveries)
        if "income" not in columns:
            yield f"act 2: expected income among the columns, found {', '.join(columns) or 'none'}"
        if not _requests(outcome.deliveries, RETRAINING, drift.incident.id):
            yield "act 2: expected a verified retraining request, found none"


def _break(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    opened = _opened_in(outcome, act)
    broken = [incident for incident in opened if incident.incident.kind is IncidentKind.DATA_QUALITY]
    if len(broken) != 1 or len(opened) != 1:
        kinds = ", ".join(incident.incident.kind for incident in opened) or "none"
        yield f"act 3: expected one data_quality incident, found {kinds}"
    for incident in broken:
        columns = columns_of(incident, outcome.deliveries)
        if columns != ("income",):
            yield f"act 3: expected income alone, found {', '.join(columns) or 'none'}"
    asked = [
        action
        for incident in outcome.incidents
        for action in incident.actions
        if act.start < action.window_end <= act.end and action.state is not ActionState.REFUSED
    ]
    if asked:
        yield f"act 3: expected no action, found {', '.join(action.kind for action in asked)}"


def _canary(outcome: DemoOutcome, act: Act) -> Iterator[str]:
    opened = _opened_in(outcome, act)
    for story in opened:
        if story.incident.version != CANARY:
            yield f"act 4: expected incidents of {CANARY} only, found {story.incident.kind} of {story.incident.version}"
    by_kind = {story.incident.kind: story for story in opened if story.incident.version == CANARY}
    for kind in (IncidentKind.DRIFT, IncidentKind.PERFORMANCE):
        if kind not in by_kind:
            yield f"act 4: expected a {kind} incident of {CANARY}, found none"
    if drift := by_kind.get(IncidentKind.DRIFT):
        columns = columns_of(drift, outcome.deliveries)
        if columns != ("prediction.score",):
            yield f"act 4: expected prediction.score alone, found {', '.join(columns) or 'none'}"
    rollbacks = {
        delivery.id: delivery for delivery in outcome.deliveries if delivery.type == ROLLBACK and delivery.verified
    }
    ways = [(rollback.from_version, rollback.to_version) for rollback in rollbacks.values()]
    if ways != [(CANARY, STABLE)]:
        seen = ", ".join(f"{before} to {after}" for before, after in ways) or "none"
        yield f"act 4: expected one verified rollback from {CANARY} to {STABLE}, found {seen}"


def columns_of(story: IncidentStory, deliveries: tuple[Arrival, ...]) -> tuple[str, ...]:
    """Return the columns that the messages about this incident alone named."""
    named = [
        column for delivery in deliveries if delivery.incidents == (story.incident.id,) for column in delivery.columns
    ]
    return tuple(dict.fromkeys(named))


def _opened_in(outcome: DemoOutcome, act: Act) -> list[IncidentStory]:
    # a window that ends at the act's start belongs to the act before
    return [incident for incident in outcome.incidents if act.start < incident.incident.first_end <= act.end]


def _requests(deliveries: tuple[Arrival, ...], kind: str, incident_id: str) -> list[Arrival]:
    return [
        delivery
        for delivery in deliveries
        if delivery.type == kind and delivery.verified and incident_id in delivery.incidents
    ]


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
        console.print(Padding(Text(text, style=style), (0, 0, 0, 2 if not style else 0)))

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
        noticed = [incident for incident in outcome.incidents if act.start < incident.incident.first_end <= act.end]
        if not noticed:
            say("Nothing was raised, nothing was sent.")
        for incident in noticed:
            head = incident.incident
            first = next((step for step in incident.steps if step.step == Step.OPENED), None)
            say(
                f"{iso_utc(head.first_end)[:16].replace('T', ' ')} UTC: {head.kind} of {head.version}, up to "
                f"{worst_tier(incident).word}, {head.status}."
            )
            say(f"Why: {first.sentence if first else head.sentence}")
            say(f"Sent: {_sent(outcome.deliveries, head.id)}.")


def _sent(deliveries: tuple[Arrival, ...], incident_id: str) -> str:
    kinds = [delivery.type for delivery, _ in distinct_deliveries(deliveries) if incident_id in delivery.incidents]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "nothing"
