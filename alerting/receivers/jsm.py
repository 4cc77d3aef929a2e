"""The receiver `jsm`: alerts of Jira Service Management Operations, one per incident under its id as alias; pure.

Limits of the API: message 130 characters, description 15,000, note 25,000, alias and entity 512, 20 tags of 50. It
answers 202 and works later. A second alert under an open alias only adds to its count and its notes; under a closed one
it is a new alert.
"""

from dataclasses import dataclass, field
from urllib.parse import quote

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import clipped, without_brackets
from alerting.receivers.request import HttpRequest, json_request
from alerting.receivers.text_body import plain_text
from monitor.types import Tier

DEFAULT_URL = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"
MESSAGE_CHARACTERS = 130
DESCRIPTION_CHARACTERS = 15_000
NOTE_CHARACTERS = 25_000
ENTITY_CHARACTERS = 512
TAG_CHARACTERS = 50
SOURCE = "Driftline"

_PRIORITIES = {Tier.CRITICAL: "P1", Tier.ALERT: "P2", Tier.WARNING: "P3", Tier.NONE: "P4"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsmTarget:
    """An API integration of a team: its key, and the alerts' address."""

    api_key: str = field(repr=False)
    url: str = DEFAULT_URL


def trigger(briefing: Briefing, target: JsmTarget) -> HttpRequest:
    """Open the alert."""
    text = plain_text(briefing)
    first = briefing.first
    tags = [briefing.model, first.kind if first else "action", briefing.tier]
    content = {
        "message": clipped(without_brackets(briefing.title), MESSAGE_CHARACTERS),
        "alias": briefing.key,
        "description": clipped(without_brackets(text), DESCRIPTION_CHARACTERS),
        "entity": clipped(briefing.model, ENTITY_CHARACTERS),
        "source": SOURCE,
        "priority": _PRIORITIES[Tier.of_word(briefing.tier)],
        "tags": [clipped(tag.replace(",", " "), TAG_CHARACTERS) for tag in tags],
        "note": clipped(without_brackets(text), NOTE_CHARACTERS),
    }
    return json_request(target.url, content, headers=_headers(target))


def update(briefing: Briefing, target: JsmTarget) -> HttpRequest:
    """Open it again if it was closed and got worse; where it got better, only add a note."""
    return trigger(briefing, target) if briefing.worsens else _step(briefing, target, "notes")


def acknowledge(briefing: Briefing, target: JsmTarget) -> HttpRequest:
    """Say that somebody deals with it."""
    return _step(briefing, target, "acknowledge")


def end(briefing: Briefing, target: JsmTarget) -> HttpRequest:
    """Close the alert."""
    return _step(briefing, target, "close")


def _step(briefing: Briefing, target: JsmTarget, step: str) -> HttpRequest:
    note = without_brackets(plain_text(briefing))
    url = f"{target.url.rstrip('/')}/{quote(briefing.key, safe='')}/{step}?identifierType=alias"
    return json_request(url, {"source": SOURCE, "note": clipped(note, NOTE_CHARACTERS)}, headers=_headers(target))


def _headers(target: JsmTarget) -> dict[str, str]:
    return {"authorization": f"GenieKey {target.api_key}"}
