"""What came of the story: for people a short account, for programs one JSON document."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from driftline.demo.acts import DAY, TimeLine
from driftline.demo.expectations import Outcome, columns_of
from driftline.demo.receiver import Delivery
from monitor.clock import iso_utc
from monitor.store.views.incidents import IncidentStory
from monitor.types import Tier


def summary_document(outcome: Outcome, *, windows: int, seconds: float, failed: tuple[str, ...]) -> dict[str, object]:
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
                "id": each.incident.id,
                "version": each.incident.version,
                "kind": each.incident.kind.value,
                "tier": worst_tier(each).name.lower(),
                "columns": list(columns_of(each, outcome.deliveries)),
                "first_window_end": iso_utc(each.incident.first_end),
                "status": each.incident.status,
            }
            for each in outcome.incidents
        ],
        "deliveries": [
            {"type": each.type, "id": each.id, "verified": each.verified, "attempts": attempts}
            for each, attempts in distinct_deliveries(outcome.deliveries)
        ],
        "accuracy": round(counts.correct / counts.labelled, 6) if counts.labelled else None,
        "seconds": round(seconds, 1),
        "failed_expectations": list(failed),
    }


def distinct_deliveries(deliveries: tuple[Delivery, ...]) -> list[tuple[Delivery, int]]:
    """Return each delivery once, with how often it arrived."""
    attempts: dict[str, int] = {}
    for each in deliveries:
        attempts[each.id] = attempts.get(each.id, 0) + 1
    first = {each.id: each for each in reversed(deliveries)}
    return [(first[identifier], count) for identifier, count in attempts.items()]


def worst_tier(story: IncidentStory) -> Tier:
    """Return the highest tier the incident ever had."""
    return max((step.tier for step in story.steps), default=story.incident.tier)


def print_summary(console: Console, outcome: Outcome, line: TimeLine, *, windows: int, seconds: float) -> None:
    """Tell what was noticed when, why, and what was sent."""

    def tell(text: str, *, style: str = "") -> None:
        console.print(Padding(Text(text, style=style), (0, 0, 0, 2 if not style else 0)))

    counts = outcome.counts
    console.rule("What happened")
    days = (line.end - line.start) // DAY
    tell(
        f"{days} days of events in {seconds:.0f} s: {counts.produced:,} produced, {counts.counted:,} counted, "
        f"{counts.duplicates} duplicates, {counts.late} late, {counts.dead_letters} dead letters. {windows:,} windows "
        f"judged. Accuracy {counts.correct / max(counts.labelled, 1):.4f}, from {counts.labelled:,} truths that came "
        "about a day late."
    )
    for act in line.acts:
        console.print()
        tell(f"Act {act.number}: {act.title}", style="bold cyan")
        noticed = [each for each in outcome.incidents if act.start < each.incident.first_end <= act.end]
        if not noticed:
            tell("Nothing was noticed, nothing was sent.")
        for each in noticed:
            head = each.incident
            first = next((step for step in each.steps if step.step == "opened"), None)
            tell(
                f"{iso_utc(head.first_end)[:16].replace('T', ' ')} UTC: {head.kind} of {head.version}, up to "
                f"{worst_tier(each).name.lower()}, {head.status}."
            )
            tell(f"Why: {first.sentence if first else head.sentence}")
            tell(f"Sent: {_sent(outcome.deliveries, head.id)}.")


def _sent(deliveries: tuple[Delivery, ...], incident_id: str) -> str:
    kinds = [each.type for each, _ in distinct_deliveries(deliveries) if incident_id in each.incidents]
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "nothing"
