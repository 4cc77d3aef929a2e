"""`driftline incidents`: the list, and one with all that happened."""

from typing import Annotated

import typer

from driftline.cli.exit_codes import WrongUseError
from driftline.cli.options import Limit, opened_database
from driftline.cli.output import AsJson, print_json, print_line, print_table
from monitor.detection.explanation import values_label
from monitor.humanize import moment
from monitor.settings import load_settings
from monitor.store.views.incidents import IncidentHead, IncidentStory, list_heads, stories_of


def incidents(
    incident_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Show one: its id or how it begins.")
    ] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List incidents, or show one with every step, what was sent and what was asked of other systems."""
    with opened_database(load_settings()) as engine, engine.connect() as connection:
        if incident_id is None:
            _show_list(list_heads(connection, open_only=open_only, limit=limit), as_json=as_json)
            return
        stories = stories_of(connection, id_prefix=incident_id)
    if len(stories) != 1:
        many = ", ".join(value.incident.id for value in stories) or "none"
        raise WrongUseError(f"incident {incident_id}: expected the beginning of one id, found {many}")
    _show_story(stories[0], as_json=as_json)


def _show_list(heads: tuple[IncidentHead, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"incidents": heads})
        return
    headings = ("id", "model", "version", "kind", "tier", "status", "since (UTC)", "resolved (UTC)")
    print_table(
        "Incidents",
        headings,
        [
            (
                head.id[:8],
                head.model,
                head.version,
                head.kind,
                head.tier.word,
                head.status,
                moment(head.first_end),
                moment(head.resolved_end),
            )
            for head in heads
        ],
        notes=[head.sentence for head in heads],
        empty="none",
    )


def _show_story(story: IncidentStory, *, as_json: bool) -> None:
    if as_json:
        print_json(story)
        return
    head = story.incident
    print_line(f"{head.kind} of {head.model} {head.version}: {head.tier.word}, {head.status} ({head.id})")
    print_line(head.sentence)
    for unseen in story.unseen:
        print_line(f"Unseen in `{unseen.column}` meanwhile ({unseen.events:,} events): {values_label(unseen.values)}.")
    print_table(
        "Steps",
        ("window until (UTC)", "step", "reason", "tier"),
        [(moment(s.window_end), s.step, s.reason, s.tier.word) for s in story.steps],
        notes=[s.sentence for s in story.steps],
        empty="none",
    )
    print_table(
        "Actions",
        ("kind", "state", "reason", "from", "to", "window until (UTC)"),
        [(a.kind, a.state, a.reason, a.from_version, a.to_version, moment(a.window_end)) for a in story.actions],
        empty="none",
    )
    print_table(
        "Deliveries",
        ("type", "to", "state", "attempts", "status", "error"),
        [(d.event_type, d.endpoint, d.state, d.attempts, d.last_status, d.last_error) for d in story.deliveries],
        empty="none",
    )
