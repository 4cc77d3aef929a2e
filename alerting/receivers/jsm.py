"""The receiver `jsm`: alerts of Jira Service Management Operations, one per incident and tier by its alias; pure.

Limits of the API: message 130 characters, description 15,000, note 25,000, alias and entity 512, 20 tags of 50. It
answers 202 and works later. A second alert under an open alias only adds to its count and its notes: its priority
stays. So a tier has an alias of its own, made of the incident's id, and an incident that becomes critical is an alert
of P1 that wakes somebody.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import clipped, without_brackets
from alerting.receivers.request import HttpRequest, json_request
from alerting.receivers.text_body import plain_text
from monitor.types import NoticeEvent, Tier

DEFAULT_URL = "https://api.atlassian.com/jsm/ops/integration/v2/alerts"
MESSAGE_CHARACTERS = 130
DESCRIPTION_CHARACTERS = 15_000
NOTE_CHARACTERS = 25_000
ENTITY_CHARACTERS = 512
TAG_CHARACTERS = 50
SOURCE = "Driftline"

_PRIORITIES = {Tier.CRITICAL: "P1", Tier.ALERT: "P2", Tier.WARNING: "P3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsmTarget:
    """An API integration of a team: its key, and the alerts' address."""

    api_key: str = field(repr=False)
    url: str = DEFAULT_URL


def trigger(briefing: Briefing, target: JsmTarget) -> tuple[HttpRequest, ...]:
    """Open the alert of this tier, and close those of others."""
    text = plain_text(briefing)
    first = briefing.first
    tier = Tier.of_word(briefing.tier)
    tags = [briefing.model, first.kind if first else "action", briefing.tier]
    content = {
        "message": clipped(without_brackets(briefing.title), MESSAGE_CHARACTERS),
        "alias": _alias(briefing, tier),
        "description": clipped(without_brackets(text), DESCRIPTION_CHARACTERS),
        "entity": clipped(briefing.model, ENTITY_CHARACTERS),
        "source": SOURCE,
        "priority": _PRIORITIES[tier],
        "tags": [clipped(tag.replace(",", " "), TAG_CHARACTERS) for tag in tags],
        "note": clipped(without_brackets(text), NOTE_CHARACTERS),
    }
    opened = json_request(target.url, content, headers=_headers(target))
    others = [other for other in _PRIORITIES if other != tier]
    closed = _steps(briefing, target, "close", others) if briefing.event is NoticeEvent.UPDATE else ()
    return (opened, *closed)


def update(briefing: Briefing, target: JsmTarget) -> tuple[HttpRequest, ...]:
    """Open the alert of a tier that got worse; where it got better, only add a note to the one that stands."""
    return trigger(briefing, target) if briefing.worsens else _steps(briefing, target, "notes")


def acknowledge(briefing: Briefing, target: JsmTarget) -> tuple[HttpRequest, ...]:
    """Say that somebody deals with it."""
    return _steps(briefing, target, "acknowledge")


def end(briefing: Briefing, target: JsmTarget) -> tuple[HttpRequest, ...]:
    """Close the alerts of every tier that it may have had."""
    return _steps(briefing, target, "close")


def _steps(
    briefing: Briefing, target: JsmTarget, step: str, tiers: Iterable[Tier] = tuple(_PRIORITIES)
) -> tuple[HttpRequest, ...]:
    """Return a request for each tier's alert; of one that is not there the API says nothing."""
    note = clipped(without_brackets(plain_text(briefing)), NOTE_CHARACTERS)
    content = {"source": SOURCE, "note": note}
    base = target.url.rstrip("/")
    return tuple(
        json_request(
            f"{base}/{quote(_alias(briefing, tier), safe='')}/{step}?identifierType=alias",
            content,
            headers=_headers(target),
        )
        for tier in tiers
    )


def _alias(briefing: Briefing, tier: Tier) -> str:
    return f"{briefing.key}.{tier.word}"


def _headers(target: JsmTarget) -> dict[str, str]:
    return {"authorization": f"GenieKey {target.api_key}"}
