"""The receiver `alertmanager`: open incidents as alerts of Alertmanager's API v2, posted to each peer in a loop; pure.

Alertmanager is level-triggered: an alert lives as long as it is posted again before its `endsAt`. So every open
incident is posted each `RESEND_MILLIS` with `endsAt` four times as far ahead, and one that ended for another
`RESOLVED_MILLIS` with the time of its end, so that a peer that was away learns it too. An alert is its labels: they
name model, namespace and kind and never change; tier, version and columns are annotations. Versions with an incident
of one kind share an alert.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import clipped, web_link
from alerting.receivers.request import HttpRequest, json_request
from monitor.clock import iso_utc
from monitor.types import Tier

RESEND_MILLIS = 60_000
RESOLVED_MILLIS = 15 * 60_000
ANNOTATION_CHARACTERS = 2000
ALERT_NAMES = {
    "drift": "DriftlineDrift",
    "performance": "DriftlinePerformance",
    "data_quality": "DriftlineDataQuality",
    "blind": "DriftlineBlind",
    "deployment": "DriftlineDeployment",
    "action": "DriftlineAction",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerTarget:
    """One peer, and labels of the operator's for routing, such as a team; peers are posted to one by one."""

    url: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How one incident stands; times in epoch milliseconds.

    Attributes:
        briefing: Of this incident alone.
        ended_at: When it ended; None while it is open.
    """

    briefing: Briefing
    started_at: int
    ended_at: int | None = None


def alerts(levels: Iterable[Level], target: AlertmanagerTarget, *, now_millis: int) -> list[dict[str, Any]]:
    """Return one alert for each set of labels, the most severe incident's words in it; ended ones only for a while."""
    shared: dict[tuple[tuple[str, str], ...], list[Level]] = {}
    for level in levels:
        if level.ended_at is None or now_millis - level.ended_at <= RESOLVED_MILLIS:
            labels = _labels(level.briefing, target)
            shared.setdefault(tuple(sorted(labels.items())), []).append(level)
    return [_alert(dict(labels), group, now_millis=now_millis) for labels, group in sorted(shared.items())]


def post(target: AlertmanagerTarget, content: Sequence[Mapping[str, Any]]) -> HttpRequest:
    """Return the request that posts all alerts to one peer; the same one again changes nothing."""
    return json_request(f"{target.url.rstrip('/')}/api/v2/alerts", list(content))


def _alert(labels: Mapping[str, str], group: Sequence[Level], *, now_millis: int) -> dict[str, Any]:
    standing = [level for level in group if level.ended_at is None] or list(group)
    worst = max(standing, key=lambda level: (Tier.of_word(level.briefing.tier), -level.started_at))
    ended = [level.ended_at for level in standing if level.ended_at is not None]
    started = min(level.started_at for level in standing)
    ends = max(ended) if ended else now_millis + 4 * RESEND_MILLIS
    alert: dict[str, Any] = {
        "labels": labels,
        "annotations": annotations(worst.briefing),
        "startsAt": iso_utc(min(started, ends)),
        "endsAt": iso_utc(ends),
    }
    if link := web_link(worst.briefing.link):
        alert["generatorURL"] = link
    return alert


def _labels(briefing: Briefing, target: AlertmanagerTarget) -> dict[str, str]:
    kind = briefing.first.kind if briefing.first else "action"
    own = {"alertname": ALERT_NAMES[kind], "namespace": briefing.namespace, "model": briefing.name, "kind": kind}
    return {**target.labels, **own}


def annotations(briefing: Briefing) -> dict[str, str]:
    """Return every answer as an annotation; Alertmanager's own templates show `summary` and `description`."""
    answers = [answer for _, answers, _ in briefing.blocks for answer in answers] + list(briefing.closing)
    texts = {label.lower().replace(" ", "_"): text for label, text in answers}
    evidence = " ".join(line for _, _, lines in briefing.blocks for line in lines)
    if briefing.runbook and (runbook := web_link(briefing.runbook)):
        texts["runbook_url"] = runbook
    if briefing.first:
        texts["version"] = briefing.first.version
    texts |= {
        "summary": briefing.title,
        "description": " ".join(f"{label}: {text.rstrip('.')}." for label, text in answers),
        "tier": briefing.tier,
        "incident": briefing.key,
        "evidence": evidence,
        "actions": " ".join(briefing.actions),
    }
    return {name: clipped(text, ANNOTATION_CHARACTERS) for name, text in texts.items() if text}
