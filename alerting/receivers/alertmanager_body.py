"""A webhook's other body: what Alertmanager's own webhook sends (version 4), for receivers that read that; pure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import web_link
from alerting.receivers.alertmanager import ALERT_NAMES, annotations
from monitor.types import NoticeEvent

FIRING, RESOLVED = "firing", "resolved"
NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: how Alertmanager writes that an alert has no end yet


def alertmanager_body(briefings: Sequence[Briefing], *, receiver: str) -> dict[str, Any]:
    """Return the body: an alert for each set of labels, as `alerting.receivers.alertmanager` labels them.

    Args:
        briefings: One for each incident of the message, or the one of a message without.
        receiver: Its name in the spec.
    """
    alerts: dict[str, dict[str, Any]] = {}
    for briefing in briefings:
        alert = _alert(briefing)
        other = alerts.get(alert["fingerprint"])
        if other is None or (other["status"] == RESOLVED and alert["status"] == FIRING):
            alerts[alert["fingerprint"]] = alert
    status = FIRING if any(alert["status"] == FIRING for alert in alerts.values()) else RESOLVED
    common_labels = _common(alert["labels"] for alert in alerts.values())
    return {
        "version": "4",
        "groupKey": f"driftline:{briefings[0].key}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": common_labels,
        "commonLabels": common_labels,
        "commonAnnotations": _common(alert["annotations"] for alert in alerts.values()),
        "externalURL": web_link(briefings[0].link) or "",
        "alerts": list(alerts.values()),
    }


def _alert(briefing: Briefing) -> dict[str, Any]:
    first = briefing.first
    kind = first.kind if first else "action"
    over = briefing.event is NoticeEvent.END
    labels = {
        "alertname": ALERT_NAMES[kind],
        "kind": kind,
        "model": briefing.name,
        "namespace": briefing.namespace,
    }
    return {
        "status": RESOLVED if over else FIRING,
        "labels": labels,
        "annotations": annotations(briefing),
        "startsAt": first.started_at if first else briefing.timestamp,
        "endsAt": briefing.timestamp if over else NEVER,
        "generatorURL": web_link(briefing.link) or "",
        "fingerprint": _fingerprint(labels),
    }


def _common(texts: Iterable[dict[str, str]]) -> dict[str, str]:
    """Return what all of them have."""
    first, *others = texts
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in others)}


def _fingerprint(labels: dict[str, str]) -> str:
    joined = "\x1f".join(f"{name}\x1e{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
