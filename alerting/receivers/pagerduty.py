"""The receiver `pagerduty`: Events API v2, one alert per incident under its id; pure.

Limits of the API: summary 1,024 characters, dedup_key 255, the whole event 512 KB. 202 is done, 400 final, 429 and 5xx
come again. An alert that is resolved drops further acknowledge and resolve events, and a trigger opens a new one.
"""

from dataclasses import dataclass, field
from typing import Any

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import clipped, web_link
from alerting.receivers.request import HttpRequest, json_request
from monitor.types import Tier

DEFAULT_URL = "https://events.pagerduty.com/v2/enqueue"
SUMMARY_CHARACTERS = 1024
DETAIL_CHARACTERS = 4000
EVIDENCE_LINES = 10

_SEVERITIES = {Tier.CRITICAL: "critical", Tier.ALERT: "error", Tier.WARNING: "warning", Tier.NONE: "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyTarget:
    """A service: its integration key, and the API's address (another one in the EU)."""

    routing_key: str = field(repr=False)
    url: str = DEFAULT_URL


def trigger(briefing: Briefing, target: PagerDutyTarget) -> HttpRequest:
    """Open the alert, or add to the open one."""
    return json_request(target.url, _event(briefing, target, "trigger") | _content(briefing))


def update(briefing: Briefing, target: PagerDutyTarget) -> HttpRequest:
    """Add to the open alert; as a trigger, which is the only event that carries anything."""
    return trigger(briefing, target)


def acknowledge(briefing: Briefing, target: PagerDutyTarget) -> HttpRequest:
    """Say that somebody deals with it."""
    return json_request(target.url, _event(briefing, target, "acknowledge"))


def end(briefing: Briefing, target: PagerDutyTarget) -> HttpRequest:
    """Resolve the alert."""
    return json_request(target.url, _event(briefing, target, "resolve"))


def _event(briefing: Briefing, target: PagerDutyTarget, action: str) -> dict[str, Any]:
    return {"routing_key": target.routing_key, "event_action": action, "dedup_key": briefing.key}


def _content(briefing: Briefing) -> dict[str, Any]:
    first = briefing.first
    answers = [answer for _, answers, _ in briefing.blocks for answer in answers]
    details = {label: clipped(text, DETAIL_CHARACTERS) for label, text in (*answers, *briefing.closing)}
    evidence = [line for _, _, lines in briefing.blocks for line in lines][:EVIDENCE_LINES]
    for name, lines in (("Actions", briefing.actions), ("Evidence", evidence)):
        if lines:
            details[name] = clipped(" ".join(lines), DETAIL_CHARACTERS)
    links = ((web_link(briefing.runbook), "Runbook"), (web_link(briefing.link), "Driftline"))
    payload = {
        "summary": clipped(briefing.title, SUMMARY_CHARACTERS),
        "source": briefing.model,
        "severity": _SEVERITIES[Tier.of_word(briefing.tier)],
        "timestamp": briefing.timestamp,
        "component": first.version if first else briefing.name,
        "group": briefing.namespace,
        "class": first.kind if first else "action",
        "custom_details": details,
    }
    content: dict[str, Any] = {
        "client": "Driftline",
        "payload": payload,
        "links": [{"href": href, "text": text} for href, text in links if href],
    }
    if link := web_link(briefing.link):
        content["client_url"] = link
    return content
