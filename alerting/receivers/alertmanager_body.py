"""A webhook's other body: what Alertmanager's own webhook sends (version 4), for receivers that read that; pure."""

import hashlib
from typing import Any

from alerting.notifications.briefing import Briefing
from alerting.notifications.plain_text import web_link
from alerting.receivers.alertmanager import ALERT_NAMES, annotations
from monitor.types import NoticeEvent

NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: how Alertmanager writes that an alert has no end yet


def alertmanager_body(briefing: Briefing, *, receiver: str) -> dict[str, Any]:
    """Return the body: one alert, as `alerting.receivers.alertmanager` labels it.

    Args:
        receiver: Its name in the spec.
    """
    first = briefing.first
    kind = first.kind if first else "action"
    over = briefing.event is NoticeEvent.END
    status = "resolved" if over else "firing"
    labels = {
        "alertname": ALERT_NAMES[kind],
        "kind": kind,
        "model": briefing.name,
        "namespace": briefing.namespace,
    }
    texts = annotations(briefing)
    alert = {
        "status": status,
        "labels": labels,
        "annotations": texts,
        "startsAt": first.started_at if first else briefing.timestamp,
        "endsAt": briefing.timestamp if over else NEVER,
        "generatorURL": web_link(briefing.link) or "",
        "fingerprint": _fingerprint(labels),
    }
    return {
        "version": "4",
        "groupKey": f"driftline:{briefing.key}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": texts,
        "externalURL": web_link(briefing.link) or "",
        "alerts": [alert],
    }


def _fingerprint(labels: dict[str, str]) -> str:
    joined = "\x1f".join(f"{name}\x1e{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(joined.encode()).hexdigest()[:16]
